# SPDX-License-Identifier: Apache-2.0
"""A job that hops goes to its delay queue alone: the stream is told when it comes back. A hop that is not
confirmed is published again, and its delivery stays with the consumer until then."""
import collections
import signal
import urllib.parse

import pytest

from harness.events import Events
from harness.publish import publish
from harness.until import until
from harness.warren import default_handlers

WAITING = 4  # jobs: as many as the consumer takes at first
BUCKETS = ("100ms", "200ms", "500ms", "1s", "2s", "5s", "10s", "20s", "30s")  # of their hops


@pytest.fixture()
def unhandled(make_warren):
    """A Warren with jobs of type `echo.late` that nobody handles before handle_late()."""
    whole = make_warren(settings={"consumer": {"no_handler_wait": "1h", "drain": "0s"}})
    whole.tenant("acme", amqp_login=True)

    def handle_late():
        handlers = default_handlers()
        handlers["types"]["echo.late"] = {"plugin": "basic", "handler": "echo"}
        whole.write_handlers(handlers)
        whole.consumer.signal(signal.SIGHUP)
        until(lambda: "handlers were read again" in whole.consumer.log(), 30, "a reload")

    whole.handle_late = handle_late
    return whole


def hops(warren):
    return int(warren.consumer.metrics().sum("warren_hops_total"))


def await_all(warren, ids):
    """All of them run, once."""
    events = Events(warren)
    assert events.await_ended(ids) == set(ids)
    events.close()
    assert not events.burials()
    assert events.starts(set(ids)) == collections.Counter(ids)


def test_a_hop_adds_one_message_to_the_stream(unhandled):
    id = unhandled.api.submit("echo.late", 1)["id"]
    events = Events(unhandled)
    events.until(lambda: len(events.hops(id)) >= 4, what="hops")
    job = unhandled.api.get(id)
    assert (job["status"], job["duplicates"]) == ("pending", 0)
    unhandled.handle_late()
    assert unhandled.api.wait(id)["result"] == 1
    events.until(lambda: events.of(id, "completed"), what="completed")
    events.close()
    ways = collections.Counter(exchange for exchange, _, properties, _ in events.messages
                               if properties.message_id == id)
    assert ways == {"work": 1, "due": hops(unhandled)}
    assert ways["due"] == len(events.hops(id))


@pytest.mark.parametrize("outside,first", [(False, "hold.2s"), (True, "delay.2s")])
def test_the_second_bucket_of_a_delay_is_a_hop(warren, outside, first):
    """Only the first wait of a job from outside is told to the stream as it begins. The job comes due
    once, at its time."""
    tenant = warren.tenant("acme", amqp_login=True)
    if outside:
        with tenant.pika() as connection:
            id = publish(connection.channel(), "acme", "noop", headers={"x-delay": 3700})
    else:
        id = warren.api.submit("noop", delay="3700ms")["id"]
    assert warren.api.wait(id)["status"] == "completed"
    events = Events(warren)
    events.until(lambda: events.of(id, "completed"), what="completed")
    events.close()
    told = [(exchange, properties.headers) for exchange, _, properties, _ in events.messages
            if properties.message_id == id and not exchange.startswith("jobs.")]
    assert [exchange for exchange, _ in told] == [first] + (len(told) - 1) * ["due"]
    hopped = ["x-hop" in headers for _, headers in told]
    assert hopped == [False, False] + (len(told) - 2) * [True] and any(hopped)
    [run_at] = {headers["x-run-at"] for _, headers in told}
    due = [headers["x-due-at"] + 1000 >= run_at for _, headers in told[1:]]
    assert due == (len(due) - 1) * [False] + [True]
    assert events.of(id, "started")[0]["at"] >= run_at


class Cut:
    """Ends the consumer's link `queues`, and lets no program connect to the vhost until `mend`."""

    def __init__(self, warren):
        self._broker = warren.broker
        self._limit = f"/api/vhost-limits/{warren.vhost}/max-connections"
        self._connections = f"/api/vhosts/{warren.vhost}/connections"
        [name] = until(self._names, 30, "the connection of link `queues`", every=0.2)
        self._broker.management("PUT", self._limit, {"value": 0})
        self._broker.management("DELETE", f"/api/connections/{urllib.parse.quote(name, safe='')}")

    def _names(self):
        return [row["name"] for row in self._broker.management("GET", self._connections)
                if row.get("user_provided_name", "").startswith("consumer ") and
                row["user_provided_name"].endswith(" queues")]

    def mend(self):
        self._broker.management("DELETE", self._limit)


@pytest.mark.parametrize("end", [None, "kill", "stop"])
def test_jobs_that_cannot_hop_are_held(unhandled, end):
    """Their deliveries are not acked while the link is down: they go on when it is back, also those of a
    consumer that ended meanwhile. Jobs of other queues run."""
    consumer = unhandled.consumer
    cut = Cut(unhandled)
    until(lambda: not consumer.is_ready(), 30, "the consumer knows")
    assert '"msg":"disconnected","link":"queues"' in consumer.log()
    ids = [unhandled.api.submit("echo.late", n)["id"] for n in range(WAITING)]
    until(lambda: hops(unhandled) == WAITING, 30, "all are to hop")
    other = unhandled.api.submit("noop", priority="high")["id"]
    assert unhandled.api.wait(other)["status"] == "completed"
    assert unhandled.held() == WAITING
    if end == "kill":
        consumer.kill()
    if end == "stop":
        assert consumer.stop() == 0
    cut.mend()
    if end is not None:
        consumer.start()
    until(consumer.is_ready, 60, "ready again")
    until(lambda: hops(unhandled) > WAITING, 60, "they come back and hop again")
    unhandled.handle_late()
    await_all(unhandled, ids)


def unbind(warren):
    with warren.pika() as connection:
        for bucket in BUCKETS:
            connection.channel().queue_unbind(f"delay.{bucket}", f"hold.{bucket}", "")


def delete(warren):
    with warren.pika() as connection:
        for bucket in BUCKETS:
            connection.channel().exchange_delete(f"hold.{bucket}")


def forbid(warren):
    path = f"/api/permissions/{warren.vhost}/warren-consumer"
    rights = warren.broker.management("GET", path)
    rights["write"] = "^(delay\\..*|due|dead|events|sync)$"
    warren.broker.management("PUT", path, rights)


@pytest.mark.parametrize("remove", [unbind, delete, forbid])
def test_a_hop_without_a_queue_is_not_acked(unhandled, remove):
    """RabbitMQ returns or refuses the hop, and it is published again. When the topology is whole again the
    jobs go on."""
    remove(unhandled)
    ids = [unhandled.api.submit("echo.late", n)["id"] for n in range(WAITING)]
    until(lambda: hops(unhandled) == WAITING, 30, "all are to hop")
    until(lambda: unhandled.consumer.log().count('"result":"returned"') > WAITING, 30, "it tries again")
    assert unhandled.held() == WAITING
    unhandled.broker.topology(unhandled.vhost, "apply")
    until(lambda: hops(unhandled) > WAITING, 60, "they come back and hop again")
    unhandled.handle_late()
    await_all(unhandled, ids)
