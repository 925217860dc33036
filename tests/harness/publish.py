# SPDX-License-Identifier: Apache-2.0
"""Publishing jobs straight to a tenant's exchange, as any other system would."""
import json
import time
import uuid
import weakref

import pika

confirming = weakref.WeakSet()  # channels whose publishes wait for their confirm


def job_properties(job_type, **changes):
    """The properties that the contract requires, with changes (None removes one)."""
    wanted = {"message_id": str(uuid.uuid4()), "type": job_type, "content_type": "application/json",
              "delivery_mode": 2, "timestamp": int(time.time())}
    wanted.update(changes)
    return pika.BasicProperties(**{name: value for name, value in wanted.items()
                                   if value is not None})


def publish(channel, tenant, type, payload=None, lane="medium", headers=None, **changes):
    """Publishes one job, confirmed; its body is the payload as JSON, or the payload itself if bytes.
    Returns its id. (RabbitMQ may drop an unconfirmed publish when its channel closes soon afterwards:
    the queue's leader may not be known yet.)"""
    properties = job_properties(type, headers=headers, **changes)
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    if channel not in confirming:
        channel.confirm_delivery()
        confirming.add(channel)
    channel.basic_publish(f"jobs.{tenant}", lane, body, properties)
    return properties.message_id
