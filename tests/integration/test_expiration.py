# SPDX-License-Identifier: Apache-2.0
"""A job with its own `expiration` that no consumer takes in time."""
import json
import time

import pika
import pytest

from harness.publish import publish
from harness.until import until
from harness.warren import Warren


@pytest.fixture(scope="module")
def waiting(broker, tmp_path_factory):
    """A Warren whose jobs wait: it has no consumer."""
    warren = Warren(broker, tmp_path_factory.mktemp("expiration"))
    assert warren.consumer.stop() == 0
    yield warren
    warren.end()


@pytest.fixture(scope="module")
def outside(waiting):
    with waiting.tenant("acme", amqp_login=True).pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


class Pairs(dict):
    """Headers that may have the same name twice."""

    def __init__(self, *pairs):
        super().__init__(pairs)
        self.pairs = pairs

    def items(self):
        return self.pairs


def forged(reason, queue="jobs.acme.low"):
    return ("x-death", [{"queue": queue, "reason": reason, "count": 3, "exchange": "jobs.acme",
                         "routing-keys": ["low"]}])


FORGED = {
    "nothing": None,
    "another reason": dict([forged("delivery_limit")]),
    "the same": dict([forged("expired")]),
    "another queue": dict([forged("rejected", "elsewhere")]),
    "a text": {"x-death": "rejected"},
    "an empty list": {"x-death": []},
    "two of the name": Pairs(forged("rejected"), forged("maxlen"), ("a", 1)),
    "first and last": {"x-first-death-reason": "rejected", "x-last-death-reason": "rejected",
                       "x-reason": "poison"},
}


@pytest.mark.parametrize("case", FORGED)
def test_it_is_dead_because_it_expired(waiting, outside, case):
    before = waiting.dlx_monitor.metrics()
    id = publish(outside, "acme", "echo", case, lane="low", headers=FORGED[case], expiration="50")
    job = waiting.api.wait(id, "dead")
    if "x-death" not in (FORGED[case] or {}):
        assert job["reason"] == "expired", "at once, where nothing is forged"
    until(lambda: waiting.api.get(id)["reason"] == "expired", 30, "the dlx-monitor's word")
    assert (job["payload"], job["worker"]) == (case, None)
    assert job["finished_at"] >= job["created_at"]
    assert waiting.api.attempts(id)["attempts"] == [], "it was never started"
    letter, = until(lambda: waiting.api.letters(job=id, reason="expired"), 30, "its letter")
    assert letter["source"] == "dead"
    assert waiting.dlx_monitor.metrics().sum("warren_dead_letters_archived_total", source="dead",
                                             reason="expired") == \
        before.sum("warren_dead_letters_archived_total", source="dead", reason="expired") + 1


def test_an_attempt_that_was_started_ends_with_it(waiting, outside):
    """The job's consumer died, and no other took the job again in time."""
    id = publish(outside, "acme", "echo", "started", lane="high", expiration="2000")
    consumer = waiting.pika("warren-consumer")
    channel = consumer.channel()
    until(lambda: channel.basic_get("jobs.acme.high")[0], 10, "the job")
    line = {"event": "started", "id": id, "tenant": "acme", "run": 1, "attempt": 1,
            "at": int(time.time() * 1000), "worker": "host-z/1"}
    channel.basic_publish("events", "", json.dumps(line).encode(), pika.BasicProperties(
        content_type="application/x-ndjson", user_id="warren-consumer", delivery_mode=2))
    waiting.api.wait(id, "running")
    consumer.close()
    assert waiting.api.wait(id, "dead")["reason"] == "expired"
    attempt, = waiting.api.attempts(id)["attempts"]
    assert (attempt["worker"], attempt["outcome"], attempt["reason"]) == \
        ("host-z/1", "dead", "expired")


def test_replayed_it_does_not_expire_again(waiting, outside):
    id = publish(outside, "acme", "echo", "again", lane="low", expiration="50")
    waiting.api.wait(id, "dead")
    letter, = until(lambda: waiting.api.letters(job=id), 30, "its letter")
    waiting.api.requeue(letter["id"])
    waiting.api.wait(id, "pending")
    assert waiting.depth("jobs.acme.low") == 1
    waiting.consumer.start()
    try:
        assert waiting.api.wait(id)["status"] == "completed"
    finally:
        assert waiting.consumer.stop() == 0
