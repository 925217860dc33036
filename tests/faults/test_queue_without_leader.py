# SPDX-License-Identifier: Apache-2.0
"""A queue that answers no basic.consume, as one without a leader: it costs no other queue its jobs. The test
suspends the queue's process in the broker."""
import pytest


@pytest.fixture()
def mute(fresh_warren, forwarder):
    """mute(True) suspends a queue of acme, mute(False) resumes it."""
    warren = fresh_warren
    warren.consumer.stop()
    warren.consumer.settings["amqp_urls"] = forwarder.url(warren.vhost)
    warren.consumer.start()
    for tenant in "acme", "other":
        assert warren.tenant(tenant).api.run("noop")["status"] == "completed"

    def suspend(yes):
        warren.broker.ctl("eval", f"sys:{'suspend' if yes else 'resume'}('{warren.vhost}_jobs.acme.high').")

    yield suspend
    suspend(False)


def test_the_connection_was_lost(fresh_warren, forwarder, mute):
    """Jobs of other queues wait for the limit of 10 s at most: the broker would keep them for 65 s. The queue is
    consumed again once it answers."""
    mute(True)
    forwarder.renew("consume")
    jobs = [(api, api.submit("noop", n, priority=priority)["id"]) for n in range(10)
            for api, priority in ((fresh_warren.tenant("other").api, "high"), (fresh_warren.api, "medium"),
                                  (fresh_warren.api, "low"))]
    for api, id in jobs:
        assert api.wait(id, timeout=25)["status"] == "completed"
    mute(False)
    id = fresh_warren.api.submit("noop", priority="high")["id"]
    assert fresh_warren.api.wait(id, timeout=30)["status"] == "completed"
    assert fresh_warren.consumer.log().count("queue jobs.acme.high does not let itself be consumed") >= 1
