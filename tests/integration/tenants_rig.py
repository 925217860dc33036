# SPDX-License-Identifier: Apache-2.0
"""Tenants of a status-store, and the records that it publishes of them on stream `control`."""
import contextlib
import json

import pika

from harness.status_rig import uuid7


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
