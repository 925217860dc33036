# SPDX-License-Identifier: Apache-2.0
"""Publishing jobs straight to a tenant's exchange, as any other system would."""
import json
import time
import uuid

import pika


def job_properties(job_type, **changes):
    """The properties that the contract requires, with changes (None removes one)."""
    wanted = {"message_id": str(uuid.uuid4()), "type": job_type, "content_type": "application/json",
              "delivery_mode": 2, "timestamp": int(time.time())}
    wanted.update(changes)
    return pika.BasicProperties(**{name: value for name, value in wanted.items()
                                   if value is not None})


def publish(channel, tenant, type, payload=None, lane="medium", headers=None, **changes):
    """Publishes one job; its body is the payload as JSON, or the payload itself if bytes. Returns its id."""
    properties = job_properties(type, headers=headers, **changes)
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    channel.basic_publish(f"jobs.{tenant}", lane, body, properties)
    return properties.message_id
