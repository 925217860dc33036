# SPDX-License-Identifier: Apache-2.0
"""A link's subscriptions: queues that are missing or deleted, acks and requeues."""
import pika
import pytest

from harness.link_driver import Driver, outcomes_of
from harness.wire import WireProperties, nested_headers, reads_deep_headers
from link_rig import channel, declare_route, drain_queue  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def node(broker):
    return broker


def test_queue_missing(node, channel):
    declare_route(channel, "there", stream=False)
    with Driver(node) as driver:
        driver.do("subscribe", name="there", queue="there.q", hold=True)
        driver.do("publish", exchange="there", key="k")
        driver.wait_for(**{"from": "there"})
        driver.do("subscribe", name="absent", queue="absent.q")
        assert driver.wait_for(event="refused", name="absent")["why"]["code"] == "not_found"
        declare_route(channel, "absent", stream=False)
        channel.basic_publish("absent", "k", b"")
        driver.wait_for(**{"from": "absent"})
        # The other subscription is not affected: its delivery is still valid.
        assert driver.count(event="down") == 0
        driver.do("settle", name="there")
        assert driver.declare("count", "there.q")["messages"] in (0, 1)
        assert driver.count(event="refused") == 1


def test_subscriptions_are_renewed_when_told(node, channel):
    """After each connect the owner says when to subscribe, so it can first catch up elsewhere."""
    declare_route(channel, "told", stream=False)
    with Driver(node, "--renew", "told") as driver:
        driver.do("subscribe", name="s", queue="told.q")
        for ups in (1, 2):
            driver.wait(lambda seen: driver.count(event="up") == ups)
            channel.basic_publish("told", "k", b"")
            assert driver.declare("count", "told.q")["consumers"] == 0
            assert driver.count(**{"from": "s"}) == ups - 1
            driver.do("renew")
            driver.wait(lambda seen: driver.count(**{"from": "s"}) == ups)
            node.ctl("eval", "[rabbit_networking:close_connection(rabbit_misc:pget(pid, C), <<\"cut\">>) || "
                             "C <- rabbit_networking:connection_info_all([pid, client_properties]), "
                             "lists:keymember(<<\"link_driver\">>, 3, rabbit_misc:pget(client_properties, C))].")


def test_queue_deleted(node, channel):
    declare_route(channel, "deleted", stream=False)
    with Driver(node) as driver:
        driver.do("subscribe", name="s", queue="deleted.q")
        driver.wait_for(event="up")
        channel.basic_publish("deleted", "k", b"")
        driver.wait_for(**{"from": "s"})
        channel.queue_delete("deleted.q")
        driver.wait_for(event="refused", name="s")
        declare_route(channel, "deleted", stream=False)
        driver.forget()
        channel.basic_publish("deleted", "k", b"")
        driver.wait_for(**{"from": "s"})


def test_settling(node, channel):
    declare_route(channel, "settle", stream=False)
    with Driver(node) as driver:
        driver.do("subscribe", name="s", queue="settle.q", prefetch=20, hold=True)
        driver.do("publish", exchange="settle", key="k", count=60)
        driver.wait(lambda seen: sum("delivery" in e for e in seen) == 20)
        driver.do("settle", name="s", count=5, back=True)   # a gap: single acks
        driver.do("settle", name="s", count=5)              # the oldest: one ack
        driver.do("settle", name="s", count=5, requeue=True)
        # A quorum queue without a delivery limit puts requeued messages at its end.
        for total, count in ((35, 20), (55, 10), (65, 0)):
            driver.wait(lambda seen, n=total: sum("delivery" in e for e in seen) == n)
            driver.do("settle", name="s", count=count)
        assert driver.count(redelivered=True) == 5
        # Held deliveries are requeued when the subscription ends, and when the link ends.
        driver.do("unsubscribe", name="s")
    settled = 40
    left = drain_queue(channel, "settle.q", 60 - settled)
    assert len(left) == len(set(left)) == 60 - settled


def test_unsubscribe_gives_back(node, channel):
    declare_route(channel, "leave", stream=False)
    with Driver(node) as driver:
        driver.do("publish", exchange="leave", key="k", count=200)
        driver.wait(lambda seen: len(outcomes_of(seen)) == 200)
        driver.do("subscribe", name="a", queue="leave.q", prefetch=50, hold=True)
        driver.do("unsubscribe", name="a")
        driver.do("subscribe", name="b", queue="leave.q", prefetch=50)
        driver.wait(lambda seen: len({e["delivery"] for e in seen if "delivery" in e}) == 200)
        got_by_a = driver.count(**{"from": "a"})
        assert got_by_a == 0


@pytest.mark.parametrize("stream", [False, True], ids=["queue", "stream"])
@pytest.mark.parametrize("depth", [150, 24000])
def test_nested_headers_stop_nothing(node, channel, depth, stream):
    """rabbitmq-c decodes a table nested as deep as a frame allows by recursion, or not at all. RabbitMQ 4
    keeps such a header in a stream if its name begins with x-."""
    name = f"nested-{depth}-{stream}"
    declare_route(channel, name)
    channel.confirm_delivery()
    for id in ("before", "deep", "after"):
        properties = pika.BasicProperties(message_id=id, delivery_mode=2)
        if id == "deep":
            properties = WireProperties(nested_headers("x-deep", depth))
        channel.basic_publish(name, "k", b"", properties)
    with Driver(node) as driver:
        if stream:
            driver.do("subscribe", name="s", queue=f"{name}.s", stream=True, start=-1)
        else:
            driver.do("subscribe", name="s", queue=f"{name}.q")
        driver.wait_for(**{"from": "s", "delivery": "before"})
        driver.wait_for(**{"from": "s", "delivery": "after"})
        if reads_deep_headers():
            assert driver.count(event="down") == 0
            driver.wait_for(**{"from": "s", "delivery": ""})
        elif not stream or node.version >= (4,):  # a stream of 3.10 drops the header
            why = driver.wait_for(event="down")["why"]["text"]
            assert f"exchange {name} with key k nest too deep to be read" in why
