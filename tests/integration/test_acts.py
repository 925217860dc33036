# SPDX-License-Identifier: Apache-2.0
"""Acts on one job: what each status allows, what is published, and what the row shows."""
import threading
import time
import uuid

import pytest

from acts_rig import Marks, Reader, act, ask, at_once, internal, kind_of
from harness.api import in_ms
from harness.events import Events
from harness.operator_rig import END
from harness.until import until
from harness.warren import default_handlers

UNKNOWN = "0190f0f0-0000-7000-8000-000000000000"


@pytest.fixture
def delayed(warren):
    """The id of a job that is due in an hour."""
    return warren.api.submit("echo", {"a": 1}, delay="1h")["id"]


def test_cancel_of_what_is_scheduled(warren, delayed, marks):
    answer = act(warren.api, "POST", f"{delayed}/cancel")
    assert answer == {"id": delayed, "tenant": "acme", "run": 1, "status": "cancelled",
                      "cancelling": False, "workers_behind": []}
    job = warren.api.get(delayed)
    assert (job["status"], job["reason"], job["attempt"]) == ("cancelled", None, 0), job
    assert job["act_by"].startswith("key ") and job["cancel_requested_at"] is not None
    mark, = marks.of(delayed)
    assert (mark["run"], mark["attempt"], mark["copy"], mark["why"]) == (1, END, END, "cancel")
    assert warren.api.attempts(delayed)["attempts"] == []


def test_cancel_again_is_the_same(warren, delayed, marks):
    first = act(warren.api, "POST", f"{delayed}/cancel")
    assert act(warren.api, "POST", f"{delayed}/cancel") == first
    act(warren.api, "POST", f"{delayed}/run-now", 409)
    assert [mark["why"] for mark in marks.of(delayed, 2)] == ["cancel"] * 2


def test_run_now(warren, delayed, marks):
    answer = act(warren.api, "POST", f"{delayed}/run-now")
    assert (answer["run"], answer["attempt"], answer["status"]) == (1, 1, "pending")
    job = warren.api.wait(delayed)
    assert (job["status"], job["result"], job["attempt"]) == ("completed", {"a": 1}, 1)
    mark, = marks.of(delayed)
    assert (mark["attempt"], mark["copy"], mark["why"]) == (1, answer["copy"], "run_now")


def test_reschedule_and_again(warren, delayed, marks):
    later, sooner = in_ms(7_200_000), in_ms(1_800_000)
    one = act(warren.api, "PATCH", delayed, json={"run_at": later})
    assert (one["run_at"], one["status"]) == (later, "scheduled")
    two = act(warren.api, "PATCH", delayed, json={"run_at": sooner, "priority": "high"})
    assert two["copy"] > one["copy"]
    until(lambda: warren.api.get(delayed)["run_at"] == sooner, 10, "the new time")
    job = warren.api.get(delayed)
    assert (job["status"], job["priority"]) == ("scheduled", "high")
    assert [mark["copy"] for mark in marks.of(delayed, 2)] == [one["copy"], two["copy"]]


def test_many_reschedule_at_once(warren, delayed, marks):
    """In turn: the last act is the one that counts."""
    answers = at_once(*[lambda n=n: ask(warren, "PATCH", delayed, json={"run_at": in_ms(4_000_000 + 1000 * n)})
                        for n in range(6)])
    assert [answer.status_code for answer in answers] == [202] * 6
    moved = sorted((answer.json() for answer in answers), key=lambda answer: answer["copy"])
    assert len({answer["copy"] for answer in moved}) == 6
    assert [mark["copy"] for mark in marks.of(delayed, 6)] == [answer["copy"] for answer in moved]
    until(lambda: warren.api.get(delayed)["run_at"] == moved[-1]["run_at"], 10, "the time of the last act")


def test_cancel_and_reschedule_at_once(warren):
    """Whichever is second sees the first: it ends cancelled."""
    for _ in range(5):
        id = warren.api.submit("echo", 1, delay="1h")["id"]
        cancel, move = at_once(lambda id=id: ask(warren, "POST", f"{id}/cancel"), lambda id=id: ask(
            warren, "PATCH", id, json={"run_at": in_ms(7_200_000)}))
        assert cancel.status_code == 202 and move.status_code in (202, 409), (cancel.text, move.text)
        assert warren.api.get(id)["status"] == "cancelled"


def test_priority_alone_keeps_the_time(warren, delayed):
    before = warren.api.get(delayed)["run_at"]
    answer = act(warren.api, "PATCH", delayed, json={"priority": "critical"})
    assert (answer["run_at"], answer["priority"]) == (before, "critical")
    until(lambda: warren.api.get(delayed)["priority"] == "critical", 10, "the new priority")
    assert warren.api.get(delayed)["run_at"] == before


def test_null_is_now(warren, delayed):
    assert act(warren.api, "PATCH", delayed, json={"run_at": None})["status"] == "pending"
    assert warren.api.wait(delayed)["status"] == "completed"


@pytest.mark.parametrize("body, want", [
    ({}, 422), ({"run_at": "tomorrow"}, 422), ({"priority": "urgent"}, 422), ({"run": 2}, 422),
    ({"run_at": "2999-01-01T00:00:00Z"}, 422), ([], 422)])
def test_bodies_that_are_refused(warren, delayed, body, want):
    act(warren.api, "PATCH", delayed, want, json=body)
    assert warren.api.get(delayed)["status"] == "scheduled"


def test_a_time_after_the_expiry_is_refused(warren):
    id = warren.api.submit("echo", 1, delay="1m", expires="1h")["id"]
    answer = act(warren.api, "PATCH", id, 422, json={"run_at": in_ms(7_200_000)})
    assert "expires" in answer["detail"]


def test_what_an_open_job_refuses(warren, delayed):
    assert kind_of(act(warren.api, "DELETE", delayed, 409)) == "job-open"
    assert kind_of(act(warren.api, "POST", f"{delayed}/retry", 409)) == "job-open"


def test_what_a_running_job_refuses(warren):
    id = warren.api.submit("sleep", {"ms": 3000})["id"]
    warren.api.wait(id, "running")
    assert kind_of(act(warren.api, "POST", f"{id}/run-now", 409)) == "job-running"
    assert kind_of(act(warren.api, "PATCH", id, 409, json={"priority": "low"})) == "job-running"
    answer = act(warren.api, "POST", f"{id}/cancel")
    assert (answer["status"], answer["cancelling"]) == ("running", True)
    assert warren.api.get(id)["cancel_requested_at"] is not None
    warren.api.wait(id)


def test_what_an_ended_job_refuses(warren):
    id = warren.api.run("echo", 1)["id"]
    for method, path in ("POST", f"{id}/cancel"), ("POST", f"{id}/run-now"):
        assert kind_of(act(warren.api, method, path, 409)) == "job-ended"
    assert kind_of(act(warren.api, "PATCH", id, 409, json={"priority": "low"})) == "job-ended"


def test_jobs_that_are_not_there(warren, delayed):
    act(warren.api, "POST", f"{UNKNOWN}/cancel", 404)
    act(warren.tenant("other").api, "POST", f"{delayed}/cancel", 404)
    act(warren.api, "POST", "no-id/cancel", 404)
    assert warren.api.get(delayed)["status"] == "scheduled"


def test_the_admin_acts_on_any_tenant(warren, delayed):
    assert act(warren.admin, "POST", f"{delayed}/cancel")["tenant"] == "acme"


@pytest.mark.parametrize("end", ["completed", "cancelled"])
def test_retry(warren, marks, end):
    id = warren.api.submit("echo", {"n": 1}, delay="1h")["id"]
    act(warren.api, "POST", f"{id}/{'run-now' if end == 'completed' else 'cancel'}")
    assert warren.api.wait(id)["status"] == end
    answer = act(warren.api, "POST", f"{id}/retry")
    assert (answer["run"], answer["status"]) == (2, "pending")
    job = until(lambda: (lambda job: job if job["status"] == "completed" and job["run"] == 2 else None)(
        warren.api.get(id)), 20, "the second run")
    assert job["result"] == {"n": 1}
    mark = marks.of(id, 2)[-1]
    assert (mark["run"], mark["attempt"], mark["why"]) == (2, 1, "retry")


def late_retry(script):
    handlers = default_handlers()
    handlers["types"]["late"] = {"exec": ["/bin/sh", "-c", script],
                                 "retry": {"base": "1h", "cap": "1h", "jitter": 0}}
    return handlers


def test_acts_in_backoff(make_warren):
    """A copy of what failed starts the next attempt, and keeps the error until then."""
    warren = make_warren(handlers=late_retry('test "$WARREN_JOB_ATTEMPT" -gt 1 && echo true || exit 7'))
    id = warren.api.submit("late", 1)["id"]
    warren.api.wait(id, "failed")
    moved = act(warren.api, "PATCH", id, json={"run_at": in_ms(3_000_000)})
    assert (moved["attempt"], moved["status"]) == (2, "scheduled")
    until(lambda: warren.api.get(id)["run_at"] == moved["run_at"], 10, "the new time")
    assert warren.api.get(id)["error_kind"] == "error"
    assert act(warren.api, "POST", f"{id}/run-now")["attempt"] == 2
    job = warren.api.wait(id)
    assert (job["status"], job["attempt"], job["result"]) == ("completed", 2, True)
    assert [a["outcome"] for a in warren.api.attempts(id)["attempts"]] == ["failed", "completed"]

    id = warren.api.submit("late", 1)["id"]
    warren.api.wait(id, "failed")
    assert act(warren.api, "POST", f"{id}/cancel")["status"] == "cancelled"
    assert [a["outcome"] for a in warren.api.attempts(id)["attempts"]] == ["failed"]


def test_forget(warren):
    id = warren.api.run("echo", 1)["id"]
    act(warren.api, "DELETE", id, 204)
    until(lambda: warren.api.request("GET", f"/jobs/{id}").status_code == 404, 10, "forgotten")
    act(warren.api, "DELETE", id, 204)
    act(warren.api, "POST", f"{id}/cancel", 404)


def test_the_long_list_answers_the_duplicate_check(warren, delayed):
    def asked(id, **numbers):
        body = {"deliveries": [{"tenant": "acme", "id": id, "run": 1, "attempt": 1, "copy": 0, **numbers}]}
        answer = internal(warren, "POST", "/deliveries/check", json=body).json()
        return answer["deliveries"][0]["state"]
    warren.api.wait(delayed, "scheduled")
    assert asked(delayed) == "open"
    moved = act(warren.api, "PATCH", delayed, json={"run_at": in_ms(7_200_000)})
    assert asked(delayed) == "superseded"
    assert asked(delayed, copy=moved["copy"]) == "open"
    act(warren.api, "POST", f"{delayed}/cancel")
    assert asked(delayed, copy=moved["copy"]) == "closed"
    assert asked(delayed, run=2) == "open"


def test_runs_are_granted_once(warren):
    def grant(holder, after):
        answer = internal(warren, "POST", "/runs",
                          json={"tenant": "acme", "id": UNKNOWN, "after": after, "holder": holder})
        assert answer.status_code == 200, answer.text
        return answer.json()
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    first = grant(one, 2)
    assert first["run"] == 3 and first["copy"] > 0
    assert grant(one, 9) == first
    assert grant(two, 2)["run"] == 4


def test_a_consumer_that_lags_is_named(warren):
    reader = Reader(warren, "host-b/12")
    try:
        until(lambda: "host-b/12" in str(internal(warren, "GET", "/workers?tenant=*").json()), 20,
              "the record of the consumer")
        id = warren.api.submit("echo", 1, delay="1h")["id"]
        began = time.monotonic()
        assert act(warren.api, "POST", f"{id}/cancel")["workers_behind"] == ["host-b/12"]
        assert time.monotonic() - began > 2.5, "it was waited for"
        reader.tells.set()
        id = warren.api.submit("echo", 1, delay="1h")["id"]
        assert act(warren.api, "POST", f"{id}/cancel")["workers_behind"] == []
    finally:
        reader.end()


def test_acts_go_on_after_a_kill(fresh_warren):
    """The primary is killed while it acts: what it began is there afterwards, whole."""
    warren = fresh_warren
    ids = [warren.api.submit("echo", n, delay="1h")["id"] for n in range(20)]
    events = Events(warren)
    threads = [threading.Thread(target=lambda id=id: warren.api_at(warren.gateway).request(
        "POST", f"/jobs/{id}/cancel")) for id in ids]
    for thread in threads:
        thread.start()
    events.until(lambda: any(line["event"] == "cancelled" for line in events.lines), 20, "the first cancel")
    warren.status_store.kill()
    for thread in threads:
        thread.join()
    warren.status_store.start()
    until(lambda: warren.status_store.metrics().sum("warren_acts_unfinished") == 0, 30, "no act is left")
    marks = Marks(warren)
    told = events.until(lambda: events.count("cancelled", ids), 20, "cancelled")
    for id in told:
        warren.api.wait(id, "cancelled")
    for id in ids:
        if warren.api.wait(id, {"cancelled", "scheduled"})["status"] == "cancelled":
            marks.of(id)
    marks.close()
