# SPDX-License-Identifier: Apache-2.0
"""A job is cancelled in whatever state it is, also at the very moment it ends: it ends completed or cancelled,
never both nor neither, and ran at most once."""
import random
import time

import pytest

from acts_rig import act, all_settled, ask, at_once, noting
from harness.events import Events
from harness.pauses import park, resume
from harness.until import until

BUSY = 4  # jobs that a consumer runs at once


@pytest.fixture(scope="module")
def warren(broker, tmp_path_factory):
    """The consumer asks a replica (warren.replica), which a test suspends: the primary goes on."""
    with noting(broker, tmp_path_factory.mktemp("warren"), consumer={"drain": "1s"}) as whole:
        whole.replica = whole.add_status_store()
        whole.consumer.settings["status_store_url"] = f"http://127.0.0.1:{whole.replica.port}"
        whole.consumer.restart()
        yield whole


def running(warren, type, payload=None, **members):
    id = warren.api.submit(type, payload, **members)["id"]
    warren.api.wait(id, "running")
    return id


def fill(warren):
    """Each worker runs a job; returns their ids."""
    ids = [warren.api.submit("gate")["id"] for _ in range(BUSY)]
    for id in ids:
        warren.api.wait(id, "running")
    return ids


def cancel(warren, id, want="cancelled"):
    answer = act(warren.api, "POST", f"{id}/cancel")
    assert (answer["status"], answer["workers_behind"]) == (want, []), answer
    return answer


def check_unrun(warren, *ids):
    for id in ids:
        job = warren.api.get(id)
        assert (job["status"], job["reason"], warren.starts(id)) == ("cancelled", None, 0), job


def test_before_it_is_due(warren):
    """In a long bucket, in a short one, and held by a consumer."""
    here, soon, hour = (warren.api.submit("note", delay=delay)["id"] for delay in ("1900ms", "3s", "1h"))
    until(lambda: warren.held() == 1, 10, "one is held", every=0.005)
    for id in (here, soon, hour):
        cancel(warren, id)
    assert warren.held() == 0, "it was waiting for its time"
    due = time.monotonic() + 3
    until(lambda: time.monotonic() > due and warren.held() == 0, 10, "all have come")
    check_unrun(warren, here, soon, hour)


def test_in_backoff(warren):
    ids = [warren.api.submit(type)["id"] for type in ("fails_long", "fails_soon")]
    for id in ids:
        warren.api.wait(id, "failed")
        cancel(warren, id)
    due = time.monotonic() + 2.5
    until(lambda: time.monotonic() > due and warren.held() == 0, 10, "the next attempt has come")
    for id in ids:
        job = warren.api.get(id)
        assert (job["status"], warren.starts(id)) == ("cancelled", 1), job
        assert [a["outcome"] for a in warren.api.attempts(id)["attempts"]] == ["failed"]


def test_while_it_waits_or_is_asked_about(warren):
    """In its queue, at a consumer, picked for a worker while a store is asked, and asked about at arrival."""
    busy = fill(warren)
    picked = warren.api.submit("note", priority="high", idempotency_key="k1")["id"]
    began = time.monotonic()
    waits = warren.api.submit("note", priority="high")["id"]
    queued = [warren.api.submit("note")["id"] for _ in range(20)]
    asked = warren.api.submit("note", delay="1h", priority="high")["id"]
    until(lambda: warren.held() >= BUSY + 2, 10, "they wait here")
    until(lambda: time.monotonic() > began + 1.1, 5, "a copy of the one with a key may have started elsewhere")
    warren.replica.hang()
    try:
        act(warren.api, "POST", f"{asked}/run-now")
        for id in (waits, *queued):
            cancel(warren, id)
        cancel(warren, busy[0], "running")
        until(lambda: warren.api.get(busy[0])["status"] == "cancelled", 10, "a worker is free")
        cancel(warren, picked)  # nobody waits for the store
        cancel(warren, asked)
    finally:
        warren.replica.go_on()
    for id in busy[1:]:
        cancel(warren, id, "running")
    all_settled(warren)
    check_unrun(warren, picked, waits, asked, *queued)
    for id in busy:
        assert (warren.api.wait(id)["status"], warren.starts(id)) == ("cancelled", 1)


def test_while_it_runs(warren):
    """A command, one that ignores SIGTERM, and a plugin's."""
    command, plugin = running(warren, "gate"), running(warren, "sleep", {"ms": 60000})
    deaf = running(warren, "stubborn")
    until(lambda: warren.starts(f"{deaf}.deaf"), 10, "it ignores SIGTERM from here on")
    for id in (command, plugin, deaf):
        answer = cancel(warren, id, "running")
        assert answer["cancelling"] is True
    for id in (command, plugin, deaf):
        job = warren.api.wait(id, "cancelled", timeout=20)
        assert job["act_by"].startswith("key ") and job["cancel_requested_at"] is not None
        attempt, = warren.api.attempts(id)["attempts"]
        assert attempt["outcome"] == "cancelled", attempt
    all_settled(warren)
    assert not warren.consumer.metrics().sum("warren_jobs_failed_total", type="gate")
    assert warren.api.run("note")["status"] == "completed", "the workers are free again"


def test_while_it_is_parked(warren):
    ids, queue = park(warren, 4)
    until(lambda: warren.held() == 0, 10, "all are parked")
    for id in ids[1:]:
        cancel(warren, id)
    resume(warren, "echo")
    assert warren.api.wait(ids[0])["status"] == "completed"
    until(lambda: warren.depth(queue) == 0, 10, "all are back")
    all_settled(warren)
    for id in ids[1:]:
        assert warren.api.get(id)["status"] == "cancelled"
        assert warren.api.attempts(id)["attempts"] == []


def cancel_soon(warren, type, payload, ms):
    """Submits a job and cancels it about `ms` later; returns its id and the answer to the cancel."""
    id = warren.api_at(warren.gateway).submit(type, payload)["id"]
    time.sleep(max(0, ms + random.uniform(-60, 20)) / 1000)
    return id, ask(warren, "POST", f"{id}/cancel")


def test_at_the_moment_it_completes(warren):
    found = []
    for _ in range(15):
        found += at_once(*[lambda: cancel_soon(warren, "sleep", {"ms": 60}, 60)] * BUSY)
        found += at_once(*[lambda: cancel_soon(warren, "note", None, 10)] * BUSY)
    events = Events(warren)
    ids = {id for id, _ in found}
    for id in ids:
        warren.api.wait(id)
    all_settled(warren)
    last = warren.api.run("note")["id"]
    events.until(lambda: events.of(last, "completed"), 20, "all that was told before")
    ends = {id: warren.api.get(id)["status"] for id in ids}
    for id, answer in found:
        assert answer.status_code in (202, 409), answer.text
        completed = bool(events.of(id, "completed"))
        assert ends[id] == ("completed" if completed else "cancelled"), events.of(id)
        assert completed or answer.status_code == 202, "nobody has cancelled it"
        assert warren.starts(id) <= 1
    assert max(events.starts(ids).values()) == 1
    events.close()
    assert {"completed", "cancelled"} == set(ends.values()), "both came about"


def test_at_the_moment_it_fails(warren):
    """It is tried again in an hour: it does not stay failed until then."""
    found = []
    for _ in range(10):
        found += at_once(*[lambda: cancel_soon(warren, "fails_long", None, 20)] * BUSY)
    for id, answer in found:
        assert answer.status_code == 202, answer.text
        job = warren.api.wait(id, timeout=10)
        assert (job["status"], job["run"]) == ("cancelled", 1)
        assert warren.starts(id) <= 1
