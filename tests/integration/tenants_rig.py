# SPDX-License-Identifier: Apache-2.0
"""Tenants of a status-store, and the records that it publishes of them on stream `control`."""
import contextlib
import json
import threading

import pika

from harness.status_rig import uuid7
from harness.until import until

TOKEN_QUEUES = ("slots.", "slots-type.", "rates-type.", "cooling-type.")


def create(primary, name, **limits):
    answer = primary.request("POST", "/tenants", json={"name": name, **limits})
    assert answer.status_code == 201, answer.text
    return answer.json()


def control_records(primary):
    """Every record of stream control, in order, with the login that published it."""
    found = []
    connection = primary.broker.pika(primary.vhost)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=100)
    end = uuid7()
    channel.basic_publish("sync", "", json.dumps({"record": "sync", "key": end}).encode(),
                          pika.BasicProperties(delivery_mode=2))
    for method, properties, body in channel.consume(
            "control", arguments={"x-stream-offset": "first"}, inactivity_timeout=30):
        assert method is not None, "control did not come to its end"
        channel.basic_ack(method.delivery_tag)
        if not body:
            continue  # a probe of a link
        record = json.loads(body)
        if record.get("key") == end:
            break
        found.append((record, properties.user_id))
    # On close pika returns the messages after the marker; a stream answers that by closing the channel.
    with contextlib.suppress(pika.exceptions.AMQPError):
        connection.close()
    return found


def latest(primary, kind, key):
    found = [r for r, login in control_records(primary)
             if r["record"] == kind and r["key"] == key and login == "warren-provision"]
    return max(found, key=lambda r: r["v"]) if found else None


def token_queues(primary, of):
    """The token queues of a tenant or type."""
    return {name for name in primary.broker.queues(primary.vhost)
            if name.startswith(TOKEN_QUEUES) and name.split(".", 1)[1].rsplit(".", 1)[0] == of}


def depth(primary, queue):
    """Tokens in the queue that nobody has; None: it does not exist."""
    with primary.broker.pika(primary.vhost) as connection:
        try:
            return connection.channel().queue_declare(queue, passive=True).method.message_count
        except pika.exceptions.ChannelClosedByBroker:
            return None


def until_only(primary, of, *queues):
    until(lambda: token_queues(primary, of) == set(queues), 30, f"only {queues} of {of}")


def patch(primary, path, **members):
    answer = primary.request("PATCH", path, json=members)
    assert answer.status_code == 200, answer.text
    (row,) = answer.json().values()
    return row


def start_filling(made, name, limit, version=2):
    """Asks for a new limit; returns when the queue of its version is partly filled."""
    def ask():
        with contextlib.suppress(Exception):
            made.request("PATCH", f"/tenants/{name}", json={"max_running": limit})

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: 0 < (depth(made, f"slots.{name}.{version}") or 0) < limit, 30, "partly filled", every=0.001)
    return thread
