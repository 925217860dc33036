# SPDX-License-Identifier: Apache-2.0
"""The link against a real broker: what it promises when the connection breaks at any byte, when the
broker stops, blocks, refuses or forgets, and over TLS."""
import os
import random
import socket
import ssl
import struct
import subprocess
import time

import pika
import pytest

from harness.link_driver import Driver, outcomes_of, read_stream
from harness.proxy import Proxy
from link_rig import channel, declare_route, drain_queue, node  # noqa: F401 (fixtures)

OUTCOMES = {"confirmed", "returned", "nacked", "expired", "closed"}
RESETS = int(os.environ.get("WARREN_LINK_RESETS", "1000"))


def cuts(seed):
    """Seeded positions over all phases: the handshake, the first publishes, deep in the traffic."""
    def cut(number):
        chance = random.Random(f"{seed}/{number}")
        phase = chance.choices(["handshake", "start", "traffic"], [1, 2, 3])[0]
        top = {"handshake": 600, "start": 6000, "traffic": 90000}[phase]
        return chance.choice(["up", "down"]), chance.randint(1, top)
    return cut


def reset_flags(resend):
    return ["--resend", resend, "--window-messages", "200", "--confirm-timeout", "20000"]


@pytest.mark.parametrize("resend", ["yes", "no"])
def test_resets_at_any_byte(node, channel, resend):
    name = f"resets-{resend}"
    declare_route(channel, name)
    proxies = [Proxy(node.port, cuts(f"{name}/{i}")) for i in range(2)]
    drivers = []
    for i, proxy in enumerate(proxies):
        # Several URLs: the pause between attempts grows only after each was tried.
        urls = ",".join([f"amqp://127.0.0.1:{proxy.port}/warren"] * 8)
        driver = Driver(node, *reset_flags(resend), urls=urls)
        driver.do("subscribe", name="queue", queue=f"{name}.q", prefetch=50)
        driver.do("subscribe", name="stream", queue=f"{name}.s", prefetch=50, stream=True, start=-1)
        drivers.append(driver)
    published = [0] * len(drivers)
    deadline = time.monotonic() + 400
    while any(p.resets < RESETS // 4 for p in proxies):
        assert time.monotonic() < deadline, [p.resets for p in proxies]
        for i, (driver, proxy) in enumerate(zip(drivers, proxies)):
            if proxy.resets < RESETS // 4 and driver.state()["in_flight"] < 100:
                driver.do("publish", exchange=name, key="k", prefix=f"{i}-{published[i]}",
                          count=50, size=random.Random(published[i]).choice([10, 300, 3000]))
                published[i] += 1
        with drivers[0].changed:
            drivers[0].changed.wait(0.02)

    for proxy in proxies:
        proxy.cut = lambda number: None
    wanted = {f"{i}-{n}-{k}" for i, count in enumerate(published)
              for n in range(count) for k in range(50)}
    confirmed = set()
    found = {}
    for i, driver in enumerate(drivers):
        mine = {m for m in wanted if m.startswith(f"{i}-")}
        driver.wait(lambda seen: len(outcomes_of(seen)) >= len(mine), 120)
        found.update(outcomes_of(driver.seen))
    assert set(found) == wanted
    assert {len(o) for o in found.values()} == {1}, "more than one outcome"
    assert {o[0] for o in found.values()} <= OUTCOMES
    confirmed = {m for m, o in found.items() if o == ["confirmed"]}
    assert confirmed
    if resend == "yes":
        assert confirmed == wanted, "with resend every publish is confirmed in the end"

    # Every confirmed one is in the stream, and has come, or will come, through the queue.
    properties = pika.BasicProperties(message_id="the end", delivery_mode=2)
    channel.confirm_delivery()
    channel.basic_publish(name, "k", b"", properties)
    streamed = read_stream(channel, f"{name}.s", "the end")
    assert confirmed <= set(streamed)
    for driver in drivers:
        driver.wait_for(**{"from": "stream", "delivery": "the end"})
        got = [e for e in driver.seen if e.get("from") == "stream"]
        assert [e["offset"] for e in got] == sorted(e["offset"] for e in got), "out of order"
        assert len({e["offset"] for e in got}) == len(got) == len(streamed), "twice, or missed"

    def consumed():
        return {e["delivery"] for d in drivers for e in list(d.seen) if e.get("from") == "queue"}
    drivers[0].wait(lambda seen: confirmed | {"the end"} <= consumed())
    deliveries = sum(e.get("from") == "queue" for d in drivers for e in d.seen)
    print(f"resend {resend}: {sum(p.resets for p in proxies)} resets, {len(wanted)} publishes, "
          f"{len(confirmed)} confirmed, {len(streamed) - 1 - len(set(streamed) & wanted)} twice in "
          f"the stream, {deliveries - len(consumed())} delivered again")
    for driver, proxy in zip(drivers, proxies):
        assert proxy.resets >= RESETS // 4
        driver.do("drain")
        assert driver.wait_for(event="drained")["clean"]
        driver.end()
        proxy.stop()


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
            # Only a connection that publishes is told.
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
        # One that is larger than the window is let through alone.
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
    """The broker closes the channel: the others' publishes go on when the link sends again."""
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
        # The other subscription did not notice: its delivery is still its own.
        assert driver.count(event="down") == 0
        driver.do("settle", name="there")
        assert driver.declare("count", "there.q")["messages"] in (0, 1)
        assert driver.count(event="refused") == 1


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
        # A quorum queue without delivery limit takes what comes back at its end.
        for total, count in ((35, 20), (55, 10), (65, 0)):
            driver.wait(lambda seen, n=total: sum("delivery" in e for e in seen) == n)
            driver.do("settle", name="s", count=count)
        assert driver.count(redelivered=True) == 5
        # What is held goes back when the subscription and then the link ends.
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
        driver.do("settle", name="s", count=3)  # still his to settle
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
        assert driver.declare("delete_queue", "d.q", if_unused=True)["code"] == "conflict"
        # A refusal voids no delivery.
        assert driver.count(event="down") == 0
        assert driver.declare("delete_binding", "d.q", source="d.x", key="k")["code"] == "none"
        assert driver.declare("delete_queue", "d.q")["code"] == "none"
        assert driver.declare("delete_exchange", "d.x")["code"] == "none"


def test_nested_headers_do_not_overflow(node, channel):
    """A table that nests as deep as a frame allows is decoded by recursion in the library."""
    declare_route(channel, "nested", stream=False)
    depth = 24000
    inner = b""
    parts = []
    for level in range(depth):
        parts.append(b"A" + struct.pack(">I", 5 * (depth - level - 1)))
    inner = b"".join(parts)
    table = struct.pack(">I", len(inner) + 2) + b"\x01a" + inner
    publish_raw(node, "nested", "k", struct.pack(">H", 0x2000) + table)
    with Driver(node) as driver:
        driver.do("subscribe", name="s", queue="nested.q")
        driver.wait_for(**{"from": "s"})
        assert driver.count(event="down") == 0


def publish_raw(node, exchange, key, properties):
    """One empty message with exactly these properties, past every client library's checks."""
    connection = node.pika()
    channel = connection.channel()
    channel.confirm_delivery()

    class Raw(pika.BasicProperties):
        def encode(self):
            return [properties]
    channel.basic_publish(exchange, key, b"", Raw())
    connection.close()


def make_certificates(folder, host):
    """An authority of our own, and a certificate for host signed by it."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            "server.key", "-out", "server.csr", "-subj", f"/CN={host}")
    (folder / "san").write_text(f"subjectAltName=DNS:{host}\n", encoding="utf-8")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", "server.pem")
    return folder


@pytest.mark.parametrize("case, host, own_ca, version, want", [
    ("right", "localhost", True, ssl.TLSVersion.TLSv1_2, True),
    ("wrong host", "other.example", True, ssl.TLSVersion.TLSv1_2, False),
    ("unknown authority", "localhost", False, ssl.TLSVersion.TLSv1_2, False),
])
def test_amqps(node, channel, tmp_path, case, host, own_ca, version, want):
    declare_route(channel, "tls", stream=False)
    certificates = make_certificates(tmp_path, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = version
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    proxy = Proxy(node.port, tls=context)
    flags = ["--ca-file", str(certificates / "ca.pem")] if own_ca else []
    with Driver(node, *flags, "--resend", "yes",
                urls=f"amqps://localhost:{proxy.port}/warren") as driver:
        driver.do("publish", exchange="tls", key="k", count=300, size=2000)
        if want:
            driver.do("subscribe", name="s", queue="tls.q")
            driver.wait(lambda seen: sum("delivery" in e for e in seen) >= 300)
            driver.wait(lambda seen: len(outcomes_of(seen)) == 300)
        else:
            driver.wait_for(event="down")
            assert driver.count(event="up") == 0
            assert driver.state()["in_flight"] == 300, case
    proxy.stop()


def test_wrong_password(node):
    with Driver(node, "--password", "wrong") as driver:
        assert driver.wait_for(event="down")["why"]["code"] == "forbidden"


def test_hung_broker_is_noticed(node, channel):
    """A peer that neither answers nor closes: heartbeats end it, the next URL is taken."""
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
