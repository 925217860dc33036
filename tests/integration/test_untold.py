# SPDX-License-Identifier: Apache-2.0
"""A job that its queue has and the event stream was not told of, as when its gateway was killed."""
import json
import time
import uuid

import pika

from harness.events import Events

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def put_into_queue(warren, id, type, payload, submitted_at):
    """Publishes the job so that no stream gets it."""
    with warren.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare("work", "direct", durable=True)
        channel.queue_bind("jobs.acme.high", "work", "acme.high")
        channel.basic_publish("work", "acme.high", json.dumps(payload).encode(), pika.BasicProperties(
            message_id=id, type=type, content_type="application/json", delivery_mode=2,
            user_id="warren-admin", headers={
                "x-submitted-at": submitted_at, "x-queued-at": submitted_at, "x-max-retries": 5,
                "traceparent": TRACE}))


def test_a_job_that_was_not_told_is_shown_by_its_start(warren):
    id, at = str(uuid.uuid4()), int(time.time() * 1000)
    warren.tenant("acme", amqp_login=True)
    events = Events(warren)
    put_into_queue(warren, id, "echo", {"n": 1}, at)
    events.until(lambda: events.of(id, "completed"), what="the end")
    events.close()
    told, = events.of(id, "started")
    assert (told["type"], told["priority"], told["max_retries"]) == ("echo", 2, 5)
    assert (told["submitted_at"], told["traceparent"]) == (at, TRACE)
    assert "run_at" not in told
    ended, = events.of(id, "completed")
    assert ended["type"] == "echo" and "priority" not in ended

    job = warren.api.wait(id, "completed")
    assert (job["type"], job["priority"], job["max_retries"]) == ("echo", "high", 5)
    assert (job["payload"], job["result"], job["run_at"]) == (None, {"n": 1}, None)
    assert job["trace_id"] == TRACE.split("-")[1]
