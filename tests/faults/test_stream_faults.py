# SPDX-License-Identifier: Apache-2.0
"""The broker restarts while a link publishes: whatever the link reports as confirmed is in the stream,
although RabbitMQ opens its listener before its streams are back."""
import collections
import os

import pytest

from harness.forwarder import Forwarder
from harness.link_driver import Driver, outcomes_of, read_stream

RESTARTS = int(os.environ.get("WARREN_STREAM_RESTARTS", "3"))
WAITING = 100  # publishes that go out the moment the link is up


@pytest.fixture()
def forwarder(private_broker):
    """A link through this forwarder is connected within milliseconds of the broker's start, whatever its
    backoff."""
    way = Forwarder(private_broker.port).open()
    yield f"amqp://127.0.0.1:{way.port}/warren"
    way.shut()


def declare(channel):
    """Declares stream `events` behind an exchange of its name, and behind one that also feeds a queue.
    At a restart the other streams come back before or after it."""
    stream = {"x-queue-type": "stream"}
    for name in ["events"] + [f"other{i}" for i in range(5)]:
        channel.queue_declare(name, durable=True, arguments=stream)
    channel.queue_declare("queue", durable=True, arguments={"x-queue-type": "quorum"})
    for exchange in "events", "jobs.both":
        channel.exchange_declare(exchange, "fanout", durable=True)
        channel.queue_bind("events", exchange)
    channel.queue_bind("queue", "jobs.both")


def confirmed(driver):
    return {id for id, results in outcomes_of(driver.seen).items() if results == ["confirmed"]}


def settled(driver, count):
    driver.wait(lambda seen: sum("outcome" in event for event in seen) == count, 60)


def make_exchange(channel):
    channel.exchange_declare("events", "fanout", durable=True)


def bind(channel):
    make_exchange(channel)
    channel.queue_bind("events", "events")


@pytest.mark.parametrize("there, says", [
    (None, "no exchange"), (make_exchange, "does not get what is published")])
def test_a_stream_that_nothing_leads_to(private_broker, there, says):
    """The link reports it, tries again at intervals, and is up once the stream is bound."""
    with private_broker.pika() as connection:
        channel = connection.channel()
        channel.queue_declare("events", durable=True, arguments={"x-queue-type": "stream"})
        if there:
            there(channel)
        with Driver(private_broker, "--resend", "yes", "--stream", "events") as driver:
            driver.do("publish", exchange="events", prefix="early")
            driver.wait(lambda seen: sum(e.get("event") == "down" for e in seen) >= 3)
            assert driver.count(event="up") == 0
            downs = [e for e in driver.seen if e.get("event") == "down"]
            assert len(downs) <= 4 and all(says in str(e["why"]) for e in downs), downs
            bind(channel)
            driver.wait_for(event="up")
            settled(driver, 1)
            assert confirmed(driver) == {"early-0"}
        assert "early-0" in read_stream(connection.channel(), "events", "early-0")


@pytest.mark.parametrize("fault", ["kill", "stop"])
def test_what_is_confirmed_is_in_the_stream(private_broker, forwarder, tally, fault):
    with private_broker.pika() as connection:
        declare(connection.channel())
    private_broker.restart()  # queues and streams younger than half a second may not survive a kill
    with Driver(private_broker, "--resend", "yes", "--stream", "events", urls=forwarder) as driver:
        for round in range(RESTARTS):
            driver.do("publish", exchange="jobs.both", count=WAITING, prefix=f"{round}-before")
            settled(driver, round * 3 * WAITING + WAITING)
            getattr(private_broker, fault)()
            driver.do("publish", exchange="jobs.both", count=WAITING, prefix=f"{round}-while")
            assert driver.state()["in_flight"] == WAITING, "nothing waits for the broker"
            ups = driver.count(event="up")
            private_broker.start()
            driver.wait(lambda seen: sum(e.get("event") == "up" for e in seen) > ups)
            driver.do("publish", exchange="jobs.both", count=WAITING, prefix=f"{round}-after")
            settled(driver, (round + 1) * 3 * WAITING)
        driver.do("publish", exchange="events", prefix="end")
        settled(driver, RESTARTS * 3 * WAITING + 1)
        kept = confirmed(driver)
    with private_broker.pika() as connection:
        there = read_stream(connection.channel(), "events", "end-0")
    assert len(kept) == RESTARTS * 3 * WAITING + 1, "each was confirmed in the end"
    tally(f"broker {fault} under a stream", kept, there, collections.Counter(there),
          "confirmed messages", "kept", f"{RESTARTS} restarts, {WAITING} unconfirmed at each")


def kill_writer(broker, stream):
    """Ends the stream's writer as if it had crashed; RabbitMQ makes another."""
    broker.ctl("eval", """
        Name = rabbit_misc:r(<<"warren">>, queue, <<"%s">>),
        {ok, Queue} = rabbit_amqqueue:lookup(Name),
        #{leader_pid := Writer} = amqqueue:get_type_state(Queue),
        exit(Writer, kill).""" % stream)


def test_what_is_confirmed_is_there_when_the_stream_loses_its_writer(private_broker, tally):
    """Every publish of the link reaches the stream, through either exchange."""
    kills, burst = 5, 400
    with private_broker.pika() as connection:
        declare(connection.channel())
    with Driver(private_broker, "--resend", "yes", "--stream", "events") as driver:
        for round in range(kills):
            for part in range(4):
                exchange = "events" if part % 2 else "jobs.both"
                driver.do("publish", exchange=exchange, count=burst // 4, prefix=f"{round}-{part}")
            kill_writer(private_broker, "events")
            driver.do("publish", exchange="jobs.both", count=burst, prefix=f"{round}-after")
            settled(driver, (round + 1) * 2 * burst)
        driver.do("publish", exchange="events", prefix="end")
        settled(driver, kills * 2 * burst + 1)
        kept = confirmed(driver)
    with private_broker.pika() as connection:
        there = read_stream(connection.channel(), "events", "end-0")
    assert len(kept) == kills * 2 * burst + 1, "each was confirmed in the end"
    tally("stream writer killed", kept, there, collections.Counter(there),
          "confirmed messages", "kept", f"{kills} kills")


@pytest.mark.parametrize("stream, exchange", [
    ("events", "control"), ("events", "other"), ("control", "jobs.both"), (None, "jobs.both")])
def test_an_exchange_that_does_not_feed_the_links_stream(private_broker, stream, exchange):
    flags = ["--stream", stream] if stream else []
    with private_broker.pika() as connection:
        channel = connection.channel()
        declare(channel)
        channel.queue_declare("control", durable=True, arguments={"x-queue-type": "stream"})
        channel.exchange_declare("control", "fanout", durable=True)
        channel.queue_bind("control", "control")
    with Driver(private_broker, "--resend", "yes", *flags) as driver:
        driver.wait_for(event="up")
        driver.do("publish", exchange=exchange, prefix="refused")
        why = driver.wait_for(unpublished="refused")["why"]
        assert why["code"] == "invalid" and "does not feed" in why["text"], why
