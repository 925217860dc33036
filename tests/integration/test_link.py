# SPDX-License-Identifier: Apache-2.0
"""The link with a real broker: what happens to publishes, declarations and a drain when the broker
stops, blocks, hangs, refuses or is absent."""
import socket

import pytest

from harness.link_driver import Driver, outcomes_of
from harness.proxy import Proxy
from harness.until import until
from link_rig import channel, declare_route, drain_queue, node  # noqa: F401 (fixtures)


def test_broker_stops_and_starts(node, channel):
    declare_route(channel, "stops")
    with Driver(node, "--resend", "yes") as keeps, Driver(node, "--resend", "no") as gives_up:
        for driver in (keeps, gives_up):
            driver.do("subscribe", queue="stops.q", name=f"q{id(driver)}")
            driver.wait_for(event="up")
            driver.forget()
        node.stop()
        keeps.wait_for(event="down")
        gives_up.wait_for(event="down")
        keeps.do("publish", exchange="stops", key="k", count=10, prefix="kept")
        gives_up.do("publish", exchange="stops", key="k", count=2, once=True, prefix="refused")
        refused = gives_up.wait(lambda seen: [e for e in seen if e.get("event") == "not_published"])
        assert refused[0]["why"]["code"] == "unavailable"
        assert keeps.state()["in_flight"] == 10
        gives_up.do("declare", what="count", name="stops.q")
        assert gives_up.wait_for(declared="stops.q")["code"] == "unavailable"
        node.start()
        keeps.wait(lambda seen: len(outcomes_of(seen)) == 10)
        assert {tuple(o) for o in outcomes_of(keeps.seen).values()} == {("confirmed",)}
        gives_up.wait_for(event="up")
        gives_up.wait(lambda seen: sum("delivery" in e for e in seen + keeps.seen) >= 10)


def test_blocked_by_the_alarm(node, channel):
    declare_route(channel, "alarm")
    with Driver(node, "--confirm-timeout", "2000") as driver, \
            Driver(node, "--resend", "yes", "--confirm-timeout", "2000") as keeps:
        for d in (driver, keeps):
            d.do("publish", exchange="alarm", key="k", prefix="before")
            d.wait_for(id="before-0", outcome="confirmed")
        node.ctl("set_vm_memory_high_watermark", "0")
        try:
            # The broker reports an alarm only to connections that publish.
            for d in (driver, keeps):
                d.do("publish", exchange="alarm", key="k", prefix="caught")
                d.wait_for(event="blocked", blocked=True)
            assert driver.state()["is_blocked"] and not driver.state()["up"]
            driver.do("publish", exchange="alarm", key="k", once=True)
            assert driver.wait_for(event="not_published")["why"]["code"] == "unavailable"
            driver.wait_for(id="caught-0", outcome="expired")
            keeps.do("publish", exchange="alarm", key="k", prefix="waits", count=20)
            assert keeps.state()["in_flight"] == 21
        finally:
            node.ctl("set_vm_memory_high_watermark", "0.4")
        driver.wait_for(event="blocked", blocked=False)
        keeps.wait(lambda seen: len(outcomes_of(seen)) == 22)
        assert {tuple(o) for o in outcomes_of(keeps.seen).values()} == {("confirmed",)}
        driver.do("publish", exchange="alarm", key="k", prefix="after")
        driver.wait_for(id="after-0", outcome="confirmed")


def test_window(node, channel):
    declare_route(channel, "window", stream=False)
    proxy = Proxy(1)  # nobody listens there: the link stays down
    with Driver(node, "--resend", "yes", "--window-messages", "5", "--window-bytes", "1000",
                urls=f"amqp://127.0.0.1:{proxy.port}/warren") as driver:
        driver.do("publish", exchange="window", key="k", count=7, size=1, once=True, prefix="few")
        refused = driver.wait(lambda seen: [e for e in seen if "n" in e][1:])
        assert {e["why"]["code"] for e in refused} == {"full"}
        assert driver.state()["in_flight"] == 5
        proxy.target = node.port
        driver.wait(lambda seen: len(outcomes_of(seen)) == 5)
        driver.forget()
        proxy.target = 1
        # A message larger than the window is admitted alone.
        driver.do("publish", exchange="window", key="k", size=5000, once=True, prefix="large")
        driver.wait_for(id="large-0", outcome="confirmed")
        driver.do("publish", exchange="window", key="k", count=200, size=400, prefix="many")
        driver.wait(lambda seen: len(outcomes_of(seen)) == 201)
        assert driver.count(outcome="confirmed") == 201
    proxy.stop()


def test_returned_and_nacked(node, channel):
    declare_route(channel, "outcomes", stream=False)
    channel.queue_declare("outcomes.full", durable=True, arguments={
        "x-max-length": 1, "x-overflow": "reject-publish"})
    channel.queue_bind("outcomes.full", "outcomes", "full")
    with Driver(node) as driver:
        driver.do("publish", exchange="outcomes", key="k", prefix="good", count=30)
        driver.do("publish", exchange="outcomes", key="nowhere", prefix="bad", count=30,
                  mandatory=True)
        driver.do("publish", exchange="outcomes", key="nowhere", prefix="quiet", count=3)
        driver.do("publish", exchange="outcomes", key="full", prefix="full", count=30)
        driver.wait(lambda seen: len(outcomes_of(seen)) == 93)
        found = outcomes_of(driver.seen)
        assert {found[f"good-{i}"][0] for i in range(30)} == {"confirmed"}
        assert {found[f"bad-{i}"][0] for i in range(30)} == {"returned"}
        assert {found[f"quiet-{i}"][0] for i in range(3)} == {"confirmed"}
        assert found["full-0"] == ["confirmed"]
        assert [found[f"full-{i}"][0] for i in range(30)].count("nacked") >= 28


@pytest.mark.parametrize("resend", ["yes", "no"])
def test_exchange_missing(node, channel, resend):
    """The broker closes the channel. With resend, the other publishes still succeed."""
    name = f"missing-{resend}"
    declare_route(channel, name, stream=False)
    with Driver(node, "--resend", resend) as driver:
        driver.wait_for(event="up")
        driver.do("publish", exchange=name, key="k", prefix="a", count=20)
        driver.do("publish", exchange="not-there", key="k", prefix="b")
        driver.do("publish", exchange=name, key="k", prefix="c", count=20)
        driver.wait(lambda seen: len(outcomes_of(seen)) == 41)
        found = outcomes_of(driver.seen)
        assert {len(o) for o in found.values()} == {1}
        if resend == "yes":
            assert found.pop("b-0") == ["returned"]
            assert {o[0] for o in found.values()} == {"confirmed"}
        else:
            assert found["b-0"] == ["closed"]
        driver.do("publish", exchange=name, key="k", prefix="d")
        driver.wait_for(id="d-0", outcome="confirmed")


def test_drain(node, channel):
    declare_route(channel, "drain")
    with Driver(node, "--window-messages", "1000") as driver:
        driver.do("subscribe", name="s", queue="drain.q", prefetch=10, hold=True)
        driver.do("publish", exchange="drain", key="k", count=500)
        driver.wait(lambda seen: sum("delivery" in e for e in seen) == 10)
        driver.do("settle", name="s", count=4)
        driver.do("drain")
        assert driver.wait_for(event="drained")["clean"]
        assert driver.state()["in_flight"] == 0
        assert len(outcomes_of(driver.seen)) == 500
        driver.do("settle", name="s", count=3)  # the caller must still settle these
        driver.do("publish", exchange="drain", key="k", once=True)
        assert driver.wait_for(event="not_published")["why"]["code"] == "unavailable"
    left = drain_queue(channel, "drain.q", 500 - 7)
    assert len(left) == 500 - 7


def test_drain_gives_up(node):
    silent = socket.create_server(("127.0.0.1", 0))
    with Driver(node, "--resend", "yes",
                urls=f"amqp://127.0.0.1:{silent.getsockname()[1]}/warren") as driver:
        driver.do("publish", exchange="x", key="k")
        driver.do("drain", limit=300)
        assert not driver.wait_for(event="drained")["clean"]
    assert driver.seen[-2]["outcome"] == "closed"
    silent.close()


def test_declarations(node):
    with Driver(node) as driver:
        assert driver.declare("exchange", "d.x")["code"] == "none"
        assert driver.declare("queue", "d.q")["code"] == "none"
        assert driver.declare("binding", "d.q", source="d.x", key="k")["code"] == "none"
        driver.do("publish", exchange="d.x", key="k", count=3)
        driver.wait(lambda seen: len(outcomes_of(seen)) == 3)
        assert driver.declare("queue", "d.q", queue_type="classic")["code"] == "conflict"
        assert driver.declare("exchange", "amq.mine")["code"] == "forbidden"
        assert driver.declare("binding", "nobody", source="d.x")["code"] == "not_found"
        assert driver.declare("delete_queue", "nobody")["code"] == "none"
        assert driver.declare("count", "d.q")["code"] == "none"
        driver.do("subscribe", name="s", queue="d.q", hold=True)
        driver.wait(lambda seen: sum("delivery" in e for e in seen) == 3)
        assert driver.declare("delete_queue", "d.q")["code"] == "conflict"
        # A refused publish does not make deliveries invalid.
        assert driver.count(event="down") == 0
        assert driver.declare("delete_binding", "d.q", source="d.x", key="k")["code"] == "none"
        driver.do("settle", name="s")
        driver.do("unsubscribe", name="s")
        until(lambda: driver.declare("delete_queue", "d.q")["code"] == "none")
        assert driver.declare("delete_exchange", "d.x")["code"] == "none"


def test_wrong_password(node):
    with Driver(node, "--password", "wrong") as driver:
        assert driver.wait_for(event="down")["why"]["code"] == "forbidden"


def test_hung_broker_is_noticed(node, channel):
    """A broker that neither answers nor closes: missing heartbeats end the connection, and the link uses
    the next URL."""
    declare_route(channel, "hung", stream=False)
    proxy = Proxy(node.port)
    with Driver(node, "--resend", "yes", "--heartbeat", "1000",
                urls=f"amqp://127.0.0.1:{proxy.port}/warren,"
                     f"amqp://127.0.0.1:{node.port}/warren") as driver:
        driver.wait_for(event="up")
        proxy.hang()
        driver.do("publish", exchange="hung", key="k", count=50)
        driver.wait(lambda seen: len(outcomes_of(seen)) == 50)
        proxy.go_on()
    proxy.stop()
