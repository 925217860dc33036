# SPDX-License-Identifier: Apache-2.0
"""A submission without a confirm: the event stream holds it, its queue may not. Once the
broker has gone, the API shows the job only when it has started."""
import threading

import pytest

from harness.forwarder import Forwarder
from harness.until import until


@pytest.fixture()
def forwarder(broker):
    way = Forwarder(broker.port).open()
    yield way
    way.shut()


def start(make_warren, forwarder, **settings):
    warren = make_warren(start=False)
    warren.gateway.settings.update(amqp_urls=f"amqp://127.0.0.1:{forwarder.port}/{warren.vhost}", **settings)
    warren.start()
    assert warren.api.run("noop")["status"] == "completed"
    warren.consumer.stop()
    return warren


class Submission(threading.Thread):
    """A submission that the broker has but whose confirm is held back. `answer` is set after `join`."""

    def __init__(self, warren, forwarder):
        super().__init__(daemon=True)
        self.warren = warren
        self.answer = None
        forwarder.is_mute = True
        self.start()
        self.id = until(self.pending, 30, "the job shows")[0]

    def run(self):
        self.answer = self.warren.api.request("POST", "/jobs", json={"type": "noop"})

    def pending(self):
        return [job["id"] for job in self.warren.api.list(status="pending")["jobs"]]

    def is_unknown(self):
        self.join(30)
        body = self.answer.json()
        return self.answer.status_code == 503 and body["accepted"] == "unknown" and body["id"] == self.id

    def is_shown(self):
        return self.warren.api.request("GET", f"/jobs/{self.id}").status_code == 200


def lose_the_message(warren):
    with warren.broker.pika(warren.vhost) as connection:
        assert connection.channel().queue_purge("jobs.acme.medium").method.message_count == 1


def test_what_only_the_stream_holds_is_not_shown(make_warren, forwarder):
    warren = start(make_warren, forwarder)
    submission = Submission(warren, forwarder)
    lose_the_message(warren)
    forwarder.shut()
    assert submission.is_unknown()
    assert submission.is_shown(), "told before the broker was there"
    forwarder.open()
    until(lambda: not submission.is_shown(), 60, "it is not shown")
    assert warren.api.list()["jobs"][0]["status"] == "completed"


def test_what_was_kept_all_the_same_is_shown_when_it_starts(make_warren, forwarder):
    warren = start(make_warren, forwarder)
    submission = Submission(warren, forwarder)
    forwarder.shut()
    assert submission.is_unknown()
    forwarder.open()
    until(lambda: not submission.is_shown(), 60, "told when the broker is there")
    warren.consumer.start()
    job = warren.api.wait(submission.id)
    assert (job["status"], job["attempt"]) == ("completed", 1)


def test_a_late_confirm_is_a_doubt_only_when_the_broker_goes(make_warren, forwarder):
    warren = start(make_warren, forwarder, confirm_timeout="1s")
    submission = Submission(warren, forwarder)
    lose_the_message(warren)
    assert submission.is_unknown()
    assert submission.is_shown(), "the connection is still there"
    forwarder.shut()
    forwarder.open()
    until(lambda: not submission.is_shown(), 60, "it is not shown")
