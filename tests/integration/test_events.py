# SPDX-License-Identifier: Apache-2.0
"""The history of one job as it was told, and its payload as it came."""
import json
import random

import pytest

from harness.status_rig import StatusStore, event, now_ms, random_life, uuid7


@pytest.fixture(scope="module")
def store(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("events"))
    made.start()
    yield made
    made.end()


def events(store, job, program=None):
    answer = store.get(f"/jobs/{job}/events", program, tenant="acme")
    return answer["events"], answer["complete"]


def test_each_kind(store):
    job, at = uuid7(), now_ms()
    by = "key k1x2y3z4"
    store.stream.job(job, x_submitted_at=at, x_queued_at=at)
    store.stream.started(job, at=at + 10)
    store.stream.events(event("progress", job, at=at + 20, progress=0.1),
                        event("progress", job, at=at + 21, progress=0.2),
                        event("released", job, at=at + 30, after=at + 29, worker="host-a/1", lost=True))
    store.stream.started(job, at=at + 40)
    store.stream.failed(job, x_queued_at=at + 50)
    store.stream.events(event("moved", job, 2, at=at + 60, copy=1 << 40, by=by, why="reschedule",
                              run_at=at + 60_000, priority=2),
                        event("cancel_requested", job, 2, at=at + 70, by=by),
                        event("cancelled", job, 2, at=at + 80, by=by, running=False))
    store.until_current()
    found, complete = events(store, job)
    assert complete
    assert [one["event"] for one in found] == [
        "submitted", "started", "progress", "released", "started", "failed", "moved", "cancel_requested", "cancelled"]
    named = {one["event"]: one for one in found}
    assert named["started"]["worker"] == "host-a/1"
    assert named["released"]["lost"] and "lost" not in named["started"]
    assert named["failed"]["error_kind"] == "error" and named["failed"]["run_at"]
    assert (named["moved"]["by"], named["moved"]["why"], named["moved"]["copy"]) == (by, "reschedule", 1 << 40)
    assert named["cancelled"]["by"] == by
    assert set(found[0]) == {"event", "at", "run", "attempt", "copy", "worker", "reason", "error_kind", "by", "why",
                             "run_at"}


def test_cap(store):
    job, at = uuid7(), now_ms()
    store.stream.job(job, x_submitted_at=at, x_queued_at=at)
    store.stream.events(*[event("started", job, 1, at=at + n, worker="host-a/1", redelivered=True)
                          for n in range(1, 100)])
    store.until_current()
    found, complete = events(store, job)
    assert not complete and len(found) == 47
    assert [one["event"] for one in found[:2]] == ["submitted", "started"]


def test_a_rebuild_tells_the_same(store):
    jobs = random_life(store.stream, random.Random(12), 30)
    store.until_current()
    again = store.add("again")
    again.start()
    store.until_current(again)
    for job in jobs:
        live, rebuilt = (events(store, job, program)[0] for program in (None, again))
        # A retry may come due meanwhile.
        assert [one for one in live if one["event"] != "due"] == [one for one in rebuilt if one["event"] != "due"]
    again.stop()


def test_events_of_unknown_jobs(store):
    for what in ("events", "payload"):
        assert store.request("GET", f"/jobs/{uuid7(1)}/{what}", params={"tenant": "*"}).status_code == 404
        assert store.request("GET", f"/jobs/{uuid7(1)}/{what}").status_code == 400


def payload(store, job):
    return store.request("GET", f"/jobs/{job}/payload", params={"tenant": "acme"})


def test_payload_is_as_it_came(store):
    job, body = uuid7(), b'{ "n":9007199254740993,\n"x": 1.0 }'
    store.stream.job(job, payload=body)
    store.until_current()
    answer = payload(store, job)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["Content-Type"] == "application/json"


def test_payload_that_is_not_json(store):
    job, body = uuid7(), b"\xff\xfenot json"
    store.stream.publish("dead", "acme.medium", body, message_id=job, type="noop", content_type="application/json",
                         user_id="warren-admin",
                         headers={"x-reason": "malformed", "x-error": "not JSON", "x-burial": uuid7(),
                                  "x-attempt": 0, "x-queued-at": now_ms()})
    store.until_status(job, "dead")
    answer = payload(store, job)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_payload_of_a_job_told_in_part(store):
    job = uuid7()
    store.stream.started(job, type="noop", submitted_at=now_ms())
    store.until_status(job, "running")
    answer = payload(store, job)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:warren:problem:payload-unknown")


def test_payload_through_the_gateway(warren):
    job = warren.api.submit("echo", {"a": 1})["id"]
    warren.api.wait(job)
    answer = warren.api.request("GET", f"/jobs/{job}/payload")
    assert answer.status_code == 200 and json.loads(answer.content) == {"a": 1}
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{job}.json"'
    missing = warren.api.request("GET", f"/jobs/{uuid7(1)}/payload")
    assert missing.status_code == 404 and "Content-Disposition" not in missing.headers
    names = [one["event"] for one in warren.api.request("GET", f"/jobs/{job}/events").json()["events"]]
    assert names == ["submitted", "started", "completed"]
    assert warren.api.request("GET", f"/lookup?q={job[:30]}").json()["matches"][0]["job"]["id"] == job
