# SPDX-License-Identifier: Apache-2.0
"""Jobs expire while the consumer is killed, hangs or is cut off: each ends once, and none is started
that has expired."""
import time

import pytest

from harness.events import Events
from harness.forwarder import Forwarder
from harness.until import until
from harness.warren import default_handlers


@pytest.fixture()
def start(make_warren):
    """A Warren whose jobs `slow` write when they start and end, and take 8 s."""
    def make(**settings):
        warren = make_warren(settings={"consumer": {"concurrency": 2, **settings}}, start=False)
        handlers = default_handlers()
        handlers["types"]["slow"] = {
            "exec": ["/bin/sh", "-c", f"echo $WARREN_JOB_ID >>{warren.folder}/ran; sleep 8; echo true"],
            "on_link_loss": "finish"}
        warren.write_handlers(handlers)
        (warren.folder / "ran").touch()
        warren.start()
        warren.tenant("acme")
        return warren
    return make


def ran(warren):
    return (warren.folder / "ran").read_text(encoding="utf-8").split()


def fill_workers(warren):
    busy = [warren.api.submit("slow")["id"] for _ in range(2)]
    until(lambda: len(ran(warren)) == 2, 30, "both workers are busy")
    return busy


def check_all_expired(warren, ids):
    for id in ids:
        job = warren.api.wait(id)
        assert (job["status"], job["reason"], job["attempt"]) == ("cancelled", "expired", 0), job
    until(lambda: warren.depth("jobs.acme.medium") == 0, 30, "the queue is empty")
    assert not set(ids) & set(ran(warren))
    assert warren.api.stats()["cancelled"] == len(ids)


@pytest.mark.parametrize("after", (0.95, 1.05, 1.3))
def test_the_consumer_is_killed_as_jobs_expire(start, after):
    """Some are told and not acked, some are not told: their redeliveries end them."""
    warren = start()
    busy = fill_workers(warren)
    before = time.monotonic()
    ids = [warren.api.submit("slow", expires=1)["id"] for _ in range(30)]
    time.sleep(max(0, before + after - time.monotonic()))
    warren.consumer.kill()
    time.sleep(1)
    warren.consumer.start()
    check_all_expired(warren, ids)
    for id in busy:
        assert warren.api.wait(id, timeout=90)["status"] == "completed"


def test_the_primary_and_the_consumer_tell_of_the_same_job(start):
    """The consumer hangs, and holds the job meanwhile."""
    warren = start()
    fill_workers(warren)
    id = warren.api.submit("slow", expires=4)["id"]
    until(lambda: warren.depth("jobs.acme.medium") == 0, 10, "the consumer holds it")
    warren.consumer.hang()
    assert warren.api.wait(id)["reason"] == "expired"
    warren.consumer.go_on()
    events = Events(warren)
    events.until(lambda: len(events.of(id, "cancelled")) == 2, what="both tell")
    events.close()
    check_all_expired(warren, [id])


def test_a_job_that_started_in_time_ends_as_it_does(start):
    """Its consumer was cut off before it could tell of the start: the primary takes it for expired."""
    warren = start()
    way = Forwarder(warren.broker.port).open()
    try:
        warren.consumer.settings["amqp_urls"] = way.url(warren.vhost)
        warren.consumer.restart()
        assert warren.api.run("noop")["status"] == "completed"
        way.deaf.add("publish")
        id = warren.api.submit("slow", expires=4)["id"]
        until(lambda: ran(warren) == [id], 10, "it starts")
        assert warren.api.wait(id)["status"] == "cancelled"
        way.deaf.discard("publish")
        way.reset("publish")
        job = warren.api.wait(id, "completed")
        assert (job["reason"], job["attempt"], job["result"]) == (None, 1, True)
        assert job["started_at"] < job["expires_at"] < job["finished_at"]
    finally:
        way.shut()
    assert ran(warren) == [id]


def test_the_primary_is_killed_as_jobs_expire(start):
    """No consumer runs. The primary ends them when it is back."""
    warren = start()
    assert warren.consumer.stop() == 0
    ids = [warren.api.submit("slow", expires=1)["id"] for _ in range(30)]
    time.sleep(1)
    for pause in (0.5, 1.5, 2.3):
        warren.status_store.kill()
        warren.status_store.start()
        time.sleep(pause)
    for id in ids:
        assert warren.api.wait(id)["reason"] == "expired"
    warren.consumer.start()
    check_all_expired(warren, ids)
