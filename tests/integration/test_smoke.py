# SPDX-License-Identifier: Apache-2.0
"""The whole Warren once, through every interface: this must work before other tests make sense."""
from harness.publish import publish


def test_completed_with_its_result(warren):
    job = warren.api.run("echo", {"a": [1, 2.50]})
    assert (job["status"], job["result"], job["attempt"]) == ("completed", {"a": [1, 2.5]}, 1)


def test_retried_then_completed(warren):
    job = warren.api.run("fail", {"times": 2})
    assert (job["status"], job["attempt"]) == ("completed", 3)


def test_buried_and_archived(warren):
    job = warren.api.run("fail", {"permanent": True})
    assert (job["status"], job["reason"]) == ("dead", "permanent")


def test_published_by_a_tenants_own_login(warren):
    tenant = warren.tenant("outside", amqp_login=True)
    with tenant.pika() as connection:
        channel = connection.channel()
        ident = publish(channel, "outside", "echo", {"b": 2}, lane="high")
    job = tenant.api.wait(ident)
    assert (job["status"], job["result"], job["priority"]) == ("completed", {"b": 2}, "high")
