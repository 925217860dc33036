# SPDX-License-Identifier: Apache-2.0
"""Recorded messages. A file of tests/unit/recorded has one line for each, with tabs between:

    stream  exchange  routing key  property list  body       a message of stream `events`, in its order
    queue   exchange  routing key  property list  body       one as a queue bound to its exchange gets it
    job     tenant    id           JSON           attempts   what the status-store then showed of a job
    hidden  tenant    id                                     a job that it did not show

Property lists are in AMQP's wire form. Bytes that are not printable ASCII, and backslashes, are \\xNN."""
import json
import re
import uuid

import pika

TENANTS = ("acme", "beta")
LANES = ("critical", "high", "medium", "low", "long")
QUEUE = "recorder"
NOT_JOBS = ("events", "control", "marks", "admits", "sync")


class KeptProperties(pika.spec.BasicProperties):
    """Properties as they were decoded, and the bytes that they were decoded from."""

    def decode(self, encoded, offset=0):
        self.wire = bytes(encoded[offset:])
        return super().decode(encoded, offset)


def keep_wire():
    """From now on pika's deliveries have KeptProperties."""
    pika.spec.props[pika.spec.BasicProperties.INDEX] = KeptProperties


def escaped(data):
    return re.sub(rb"[^ -~]|\\", lambda byte: b"\\x%02x" % byte[0][0], data).decode("ascii")


def record_queues(warren):
    """Binds a queue to every exchange of jobs: it gets a copy of each job message."""
    exchanges = warren.broker.management("GET", f"/api/exchanges/{warren.vhost}")
    with warren.pika() as connection:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True)
        for exchange in exchanges:
            name = exchange["name"]
            if name in ("", *NOT_JOBS) or name.startswith("amq."):
                continue
            keys = LANES if name.startswith("jobs.") else [f"{tenant}.{lane}" for tenant in TENANTS
                                                           for lane in LANES]
            for key in [""] if exchange["type"] == "fanout" else keys:
                channel.queue_bind(QUEUE, name, key)


def message_line(place, method, properties, body):
    return "\t".join((place, method.exchange, method.routing_key, escaped(properties.wire), escaped(body)))


def messages(warren):
    """The lines of the stream, then those of the queue."""
    lines = []
    with warren.pika() as connection:
        channel = connection.channel()
        end = str(uuid.uuid4())
        channel.basic_publish("events", "", b"", pika.BasicProperties(type="probe", message_id=end))
        channel.basic_qos(prefetch_count=100)
        for method, properties, body in channel.consume(
                "events", arguments={"x-stream-offset": "first"}, inactivity_timeout=30):
            assert method, "the stream ends without the probe"
            if properties.message_id == end:
                break
            channel.basic_ack(method.delivery_tag)
            lines.append(message_line("stream", method, properties, body))
    with warren.pika() as connection:
        channel = connection.channel()
        while True:
            method, properties, body = channel.basic_get(QUEUE, auto_ack=True)
            if method is None:
                return lines
            lines.append(message_line("queue", method, properties, body))


def row_line(warren, tenant, id):
    """None: not a job of that tenant, or not shown."""
    parts = []
    for path in (f"/jobs/{id}", f"/jobs/{id}/attempts"):
        answer = warren.tenant(tenant).api.request("GET", path)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        shown = {name: value for name, value in answer.json().items() if name not in ("as_of", "lag_ms")}
        part = json.dumps(shown["attempts"] if path.endswith("attempts") else shown)
        parts.append(escaped(part.encode()))
    return "\t".join(("job", tenant, id, *parts))


def rows(warren, jobs):
    """jobs: (tenant, id)."""
    return [row_line(warren, *job) or "\t".join(("hidden", *job)) for job in jobs]
