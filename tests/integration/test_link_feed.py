# SPDX-License-Identifier: Apache-2.0
"""A link holds its publishes back until their stream accepts messages: what may happen meanwhile. (For a
broker that restarts see tests/faults/test_stream_faults.py.)"""
import struct

from harness.link_driver import Driver, outcomes_of, read_stream
from harness.proxy import PUBLISH, Proxy
from harness.until import until
from link_rig import channel, declare_stream, node  # noqa: F401 (fixtures)


def feeding(node, stream, *flags, resend="yes", **options):
    return Driver(node, "--stream", stream, "--resend", resend, *flags, **options)


def connected_without(node, stream, **options):
    """A driver that is connected but whose stream does not exist."""
    driver = feeding(node, stream, **options)
    assert driver.declare("count", "no-such-queue")["code"] == "not_found"
    return driver


def test_it_says_what_is_missing(node):
    wanted = "stream missed is not there: if it stays away, `warren topology apply` makes it"
    with connected_without(node, "missed", resend="no") as driver:
        assert wanted in driver.state()["missing"]
        driver.do("publish", exchange="missed", once=True)
        refused = driver.wait_for(event="not_published")["why"]
        assert refused["code"] == "unavailable" and wanted in refused["text"]
        why = driver.wait_for(event="down")["why"]
        assert why["code"] == "not_found" and "`warren topology apply` makes it" in why["text"]
        assert driver.count(event="up") == 0
    with feeding(node, "missed", urls="amqp://127.0.0.1:1/warren") as driver:
        assert driver.state()["missing"] == "no connection to the broker"


def test_a_stream_long_away_voids_no_delivery(node, channel):
    channel.queue_declare("late.q", durable=True, arguments={"x-queue-type": "quorum"})
    channel.basic_publish("", "late.q", b"")
    with connected_without(node, "late") as driver:
        driver.do("subscribe", name="s", queue="late.q", hold=True)
        driver.wait_for(**{"from": "s"})
        driver.wait_for(event="down")
        driver.do("settle", name="s")
        declare_stream(channel, "late")
        driver.wait_for(event="up")
        assert driver.declare("count", "late.q")["messages"] == 0
        assert driver.count(**{"from": "s"}) == 1
    method, _, _ = channel.basic_get("late.q", auto_ack=True)
    assert method is None, "the ack was lost"


def test_an_alarm_at_the_connect(node, channel):
    """A probe has no body, so the broker accepts it before it blocks the connection."""
    declare_stream(channel, "alarmed")
    node.ctl("set_vm_memory_high_watermark", "0")
    try:
        with feeding(node, "alarmed") as driver:
            driver.wait_for(event="blocked", blocked=True)
            driver.wait_for(event="up")
            assert driver.state()["missing"] == "the broker takes no messages now"
            driver.do("publish", exchange="alarmed")
            assert driver.state()["in_flight"] == 1
            node.ctl("set_vm_memory_high_watermark", "0.4")
            driver.wait_for(id="m-0", outcome="confirmed")
            assert driver.count(event="down") == 0
    finally:
        node.ctl("set_vm_memory_high_watermark", "0.4")


def test_an_alarm_while_the_probe_is_out(node, channel):
    """A broker with an alarm does not answer; the link must not give up the connection for that."""
    declare_stream(channel, "silent")
    proxy = Proxy(node.port)
    proxy.hold_contents = PUBLISH
    url = f"amqp://127.0.0.1:{proxy.port}/warren"
    with feeding(node, "silent", urls=url) as driver:
        until(lambda: proxy.held == 1, 30, "the probe")
        proxy.send_to_link(frame(0, struct.pack(">HHB", 10, 60, 3) + b"low"))  # blocked
        driver.wait_for(event="blocked", blocked=True)
        with Driver(node, "--confirm-timeout", "6000", urls=url) as clock:
            clock.do("publish", exchange="silent")
            clock.wait_for(id="m-0", outcome="expired")  # takes longer than a probe may take
        assert driver.count(event="down") == driver.count(event="up") == 0
        proxy.send_to_link(frame(0, struct.pack(">HH", 10, 61)))
        driver.wait_for(event="blocked", blocked=False)
        proxy.let_pass()
        driver.wait_for(event="up")
        assert driver.count(event="down") == 0
    proxy.stop()


def frame(channel, method):
    return struct.pack(">BHI", 1, channel, len(method)) + method + b"\xce"


def channel_close(code, text):
    """A channel.close frame for the work channel, caused by a basic.publish."""
    return frame(1, struct.pack(">HHHB", 20, 40, code, len(text)) + text +
                 struct.pack(">HH", 60, 40))


def test_the_coordinator_of_streams_is_away(node, channel):
    """RESOURCE_ERROR: the link does not just reopen the channel, it looks for the stream again."""
    declare_stream(channel, "coordinated")
    proxy = Proxy(node.port)
    with feeding(node, "coordinated", urls=f"amqp://127.0.0.1:{proxy.port}/warren") as driver:
        driver.do("publish", exchange="coordinated", prefix="before")
        driver.wait_for(id="before-0", outcome="confirmed")
        driver.forget()
        proxy.send_to_link(channel_close(506, b"coordinator unavailable"))
        driver.wait_for(event="up")
        assert proxy.connections == 2
        downs = [event["why"]["text"] for event in driver.seen if event.get("event") == "down"]
        assert downs == ["coordinator unavailable"]
        driver.do("publish", exchange="coordinated", prefix="after")
        driver.wait_for(id="after-0", outcome="confirmed")
    assert read_stream(channel, "coordinated", "after-0")[-1] == "after-0"
    proxy.stop()


def test_a_drain_gives_up_without_the_stream(node):
    with connected_without(node, "gone") as driver:
        driver.do("publish", exchange="gone")
        driver.do("drain", limit=300)
        assert not driver.wait_for(event="drained")["clean"]
    assert outcomes_of(driver.seen) == {"m-0": ["closed"]}
    with connected_without(node, "gone") as driver:
        driver.do("drain", limit=30000)
        assert driver.wait_for(event="drained")["clean"], "nothing is left to wait for"


def test_a_drain_waits_for_the_stream(node, channel):
    with connected_without(node, "coming") as driver:
        driver.do("publish", exchange="coming", count=3)
        driver.do("drain", limit=30000)
        until(lambda: driver.state()["in_flight"] == 3, 10, "what is published waits")
        declare_stream(channel, "coming")
        assert driver.wait_for(event="drained")["clean"]
        assert set(outcomes_of(driver.seen)) == {"m-0", "m-1", "m-2"}
        assert {o for (o,) in outcomes_of(driver.seen).values()} == {"confirmed"}
