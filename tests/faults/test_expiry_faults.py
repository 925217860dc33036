# SPDX-License-Identifier: Apache-2.0
"""Jobs expire while the consumer is killed, hangs or is cut off: each ends once, and none is started
that has expired."""
import time

import pytest

from harness.events import Events
from harness.until import until
from harness.warren import default_handlers


@pytest.fixture()
def start(make_warren):
    """A Warren with so many workers, whose consumer may reach the broker through a forwarder. Jobs `slow`
    write their id when they start, and take 8 s."""
    def make(way=None, workers=2):
        warren = make_warren(settings={"consumer": {"concurrency": workers}}, start=False)
        if way is not None:
            warren.consumer.settings["amqp_urls"] = way.url(warren.vhost)
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


def fill_workers(warren, workers=2):
    busy = [warren.api.submit("slow")["id"] for _ in range(workers)]
    until(lambda: len(ran(warren)) == workers, 30, "all workers are busy")
    return busy


def check_all_expired(warren, ids):
    for id in ids:
        job = warren.api.wait(id)
        assert (job["status"], job["reason"], job["attempt"]) == ("cancelled", "expired", 0), job
    until(lambda: warren.depth("jobs.acme.medium") == 0, 30, "the queue is empty")
    assert not set(ids) & set(ran(warren))
    assert warren.api.stats()["cancelled"] == len(ids)


def told(events, ids):
    """Those of the jobs of which the stream was told that they have expired."""
    return {id for id in ids if events.of(id, "cancelled")}


def test_the_consumer_is_killed_as_jobs_expire(start, forwarder):
    """Some are told and not acked, some are not told: their redeliveries end them."""
    warren = start(forwarder, workers=8)
    busy = fill_workers(warren, workers=8)
    forwarder.deaf.add("consume")
    later = [warren.api.submit("slow", expires=10)["id"] for _ in range(4)]
    end = time.monotonic() + 10
    soon = [warren.api.submit("slow", expires=1)["id"] for _ in range(4)]
    ids = soon + later
    events = Events(warren)
    events.until(lambda: len(told(events, soon)) == len(soon), what="some are told")
    assert told(events, ids) == set(soon)
    warren.consumer.kill()
    events.close()
    forwarder.deaf.discard("consume")
    until(lambda: warren.depth("jobs.acme.medium") == len(busy) + len(ids), 30, "none was acked")
    until(lambda: time.monotonic() > end, what="all have expired")
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


def test_a_job_that_started_in_time_ends_as_it_does(start, forwarder):
    """Its consumer was cut off before it could tell of the start: the primary takes it for expired."""
    warren = start(forwarder)
    assert warren.api.run("noop")["status"] == "completed"
    forwarder.deaf.add("publish")
    id = warren.api.submit("slow", expires=4)["id"]
    until(lambda: ran(warren) == [id], 10, "it starts")
    assert warren.api.wait(id)["status"] == "cancelled"
    forwarder.deaf.discard("publish")
    forwarder.reset("publish")
    job = warren.api.wait(id, "completed")
    assert (job["reason"], job["attempt"], job["result"]) == (None, 1, True)
    assert job["started_at"] < job["expires_at"] < job["finished_at"]
    assert ran(warren) == [id]


def test_the_primary_is_killed_as_jobs_expire(start):
    """No consumer runs. The primary has told of some, and ends the others when it is back."""
    warren = start()
    assert warren.consumer.stop() == 0
    ids = []
    events = Events(warren)
    for _ in range(3):
        group = [warren.api.submit("slow", expires=f"{1000 + 500 * n}ms")["id"] for n in range(10)]
        ids += group
        events.until(lambda group=group: told(events, group), what="some are told")
        warren.status_store.kill()
        events.until(lambda: True)  # reads on
        assert len(told(events, group)) < len(group)
        warren.status_store.start()
    events.close()
    for id in ids:
        assert warren.api.wait(id)["reason"] == "expired"
    warren.consumer.start()
    check_all_expired(warren, ids)
