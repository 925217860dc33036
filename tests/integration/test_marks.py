# SPDX-License-Identifier: Apache-2.0
"""Consumers follow the stream `marks`: a job that was cancelled or moved ends, in whatever state its
message is. The test acts in the place of the primary."""
import json
import time

import pytest

from harness.api import in_ms
from harness.events import Events
from harness.operator_rig import END, Operator, end_of, events_of
from harness.status_rig import now_ms, uuid7
from harness.until import until
from harness.warren import default_handlers

STUBBORN = "trap '' TERM; touch \"$0\"; while :; do sleep 0.1; done"


@pytest.fixture()
def acts(make_warren):
    """make(settings of the consumer…): a Warren with types `gate` (a script), `stubborn` (it ignores
    SIGTERM), `late_retry`, `note` and those of plugin basic; and its operator."""
    def make(store=None, **consumer):
        whole = make_warren(settings={"consumer": {"drain": "1s", **consumer},
                                      "status-store": store or {}}, start=False)
        handlers = default_handlers()
        ran = whole.folder / "ran"
        ran.mkdir()
        handlers["types"].update({
            "gate": {"exec": ["/bin/sh", "-c", f"touch {ran}/$WARREN_JOB_ID; exec sleep 60"], "grace": "2s"},
            "stubborn": {"exec": ["/bin/sh", "-c", STUBBORN, f"{ran}/stubborn"], "grace": "500ms"},
            "note": {"exec": ["/bin/sh", "-c", f"touch {ran}/$WARREN_JOB_ID"]},
            "late_retry": {"exec": ["/bin/sh", "-c", "exit 1"],
                           "retry": {"base": "3s", "factor": 1, "cap": "3s", "jitter": 0}},
        })
        whole.write_handlers(handlers)
        whole.start()
        whole.ran = lambda id: (ran / id).exists()
        return whole, Operator(whole)
    return make


@pytest.fixture()
def whole(acts):
    return acts()


def await_cancelled(warren, id, **wanted):
    """A consumer has told it; returns that event."""
    events = Events(warren)

    def told():
        return [line for line in events.of(id, "cancelled") if "by" not in line]

    line = events.until(told, 30, "a consumer tells that it was cancelled")[0]
    events.close()
    assert {name: line.get(name) for name in wanted} == wanted
    assert warren.api.wait(id, "cancelled")["status"] == "cancelled"
    return line


def fill(warren):
    """Every worker runs one; returns their ids. No more of their lane come here."""
    ids = [warren.api.submit("gate")["id"] for _ in range(warren.consumer.settings["concurrency"])]
    for id in ids:
        warren.api.wait(id, "running")
    return ids


def test_one_that_waits_for_a_worker(whole):
    warren, operator = whole
    busy = fill(warren)
    id = warren.api.submit("note", priority="high")["id"]
    until(lambda: warren.held() == len(busy) + 1, 30, "it waits here")
    operator.cancel(id)
    await_cancelled(warren, id, running=False, attempt=1, type="note")
    operator.cancel(*busy, told=False)
    for other in busy:
        await_cancelled(warren, other, running=True)
    assert not warren.ran(id)
    assert warren.api.run("note")["status"] == "completed"


def test_one_that_is_delayed(whole):
    warren, operator = whole
    id = warren.api.submit("note", delay="2s")["id"]
    operator.cancel(id)
    line = await_cancelled(warren, id, running=False)
    assert line["at"] > now_ms() - 10000
    assert not warren.ran(id)


def test_one_that_waits_for_its_retry(whole):
    warren, operator = whole
    id = warren.api.submit("late_retry")["id"]
    warren.api.wait(id, "failed")
    operator.cancel(id)
    await_cancelled(warren, id, running=False, attempt=2)
    assert len(events_of(warren, id, "started")) == 1


def test_one_that_runs_is_stopped(whole):
    warren, operator = whole
    id = warren.api.submit("gate")["id"]
    warren.api.wait(id, "running")
    began = time.monotonic()
    operator.cancel(id, told=False)
    await_cancelled(warren, id, running=True, attempt=1)
    assert time.monotonic() - began < 20
    assert not events_of(warren, id, "completed", "released")
    assert warren.consumer.metrics().sum("warren_jobs_processed_total", status="cancelled") == 1


def test_one_that_ignores_the_signal_is_killed(whole):
    warren, operator = whole
    id = warren.api.submit("stubborn")["id"]
    until(lambda: warren.ran("stubborn"), 30, "it ignores SIGTERM from here on")
    operator.cancel(id, told=False)
    await_cancelled(warren, id, running=True)
    until(lambda: warren.consumer.metrics()["warren_workers_active"] == 0, 30, "it is gone")


def test_a_plugin_is_told(whole):
    warren, operator = whole
    id = warren.api.submit("sleep", {"ms": 60000})["id"]
    warren.api.wait(id, "running")
    operator.cancel(id, told=False)
    await_cancelled(warren, id, running=True)


def test_a_drain_does_not_give_back_what_was_cancelled(whole):
    warren, operator = whole
    id = warren.api.submit("stubborn")["id"]
    until(lambda: warren.ran("stubborn"), 30, "it ignores SIGTERM from here on")
    operator.cancel(id, told=False)
    assert warren.consumer.stop() == 0
    await_cancelled(warren, id)
    warren.consumer.start()
    assert not events_of(warren, id, "released")


def test_a_moved_job_runs_once(whole):
    """By its copy; the old message is dropped when it comes due."""
    warren, operator = whole
    job = warren.api.submit("note", delay="3s")
    due = in_ms(3000)
    operator.move(job["id"], "note")
    assert warren.api.wait(job["id"], "completed")["started_at"] < due
    until(lambda: in_ms(-1000) > due, 10, "the old message has come")
    until(lambda: warren.held() == 0, 30, "it is settled")
    assert len(events_of(warren, job["id"], "started")) == 1
    assert not events_of(warren, job["id"], "cancelled")


def test_a_retry_of_the_old_message_goes_on(whole):
    """It was moved while it ran: its retry is above the mark, and the copy is superseded."""
    warren, operator = whole
    id = warren.api.submit("late_retry")["id"]
    warren.api.wait(id, "failed")
    operator.mark({"tenant": "acme", "id": id, "run": 1, "attempt": 1, "copy": now_ms() * 1024,
                   "why": "run_now"})
    events = Events(warren)
    events.until(lambda: len(events.of(id, "started")) >= 2, 30, "its second attempt")
    events.close()


def test_a_copy_is_asked_about_before_it_starts(whole):
    warren, operator = whole
    job = warren.api.run("note")  # it has ended: a message of it was delivered late
    before = warren.consumer.metrics().sum("warren_duplicates_checked_total")
    operator.move(job["id"], "note")
    until(lambda: warren.consumer.metrics().sum("warren_duplicates_checked_total") > before, 30, "asked")
    until(lambda: warren.held() == 0, 30, "dropped")
    assert len(events_of(warren, job["id"], "started")) == 1


def test_a_copy_does_not_join_the_attempt_that_runs_here(whole):
    warren, operator = whole
    id = warren.api.submit("sleep", {"ms": 4000})["id"]
    warren.api.wait(id, "running")
    operator.move(id, "sleep", payload=b'{"ms": 4000}')
    events = Events(warren)
    events.until(lambda: events.hops(id), 30, "the copy hops while the old message runs")
    events.close()
    assert warren.api.wait(id)["status"] == "completed"
    until(lambda: warren.held() == 0, 30, "all is settled")
    assert len(events_of(warren, id, "started")) == 1


def test_a_consumer_reads_the_marks_before_it_takes_jobs(whole):
    warren, operator = whole
    assert warren.consumer.stop() == 0
    ids = [warren.api.submit("note")["id"] for _ in range(20)]
    operator.cancel(*ids, told=False)
    warren.consumer.start()
    for id in ids:
        await_cancelled(warren, id)
        assert not warren.ran(id)


def test_one_that_stood_still_asks(whole):
    """What was cancelled meanwhile is known to the status-store before its mark is read."""
    warren, operator = whole
    busy = [warren.api.submit("sleep", {"ms": 3000})["id"] for _ in range(4)]
    for id in busy:
        warren.api.wait(id, "running")
    ids = [warren.api.submit("note", priority="high")["id"] for _ in range(4)]
    until(lambda: warren.held() == 8, 30, "they wait here")
    warren.consumer.hang()
    operator.cancel(*ids)
    time.sleep(3)  # longer than its runs, shorter than its links live
    warren.consumer.go_on()
    for id in ids:
        warren.api.wait(id, "cancelled")
    for id in busy:
        warren.api.wait(id)
    until(lambda: warren.held() == 0, 30, "all is settled")
    assert not [id for id in ids if warren.ran(id)]


def test_a_bulk_mark_covers_what_was_submitted_before(whole):
    warren, operator = whole
    busy = fill(warren)
    ids = [warren.api.submit("note", priority="high")["id"] for _ in range(5)]
    other = warren.api.submit("noop")["id"]
    before = now_ms() + 1
    until(lambda: now_ms() > before, 5, "the next ms")
    later = warren.api.submit("note")["id"]
    operator.mark({"tenant": "acme", "type": "note", "before": before, "copy": now_ms() * 1024,
                   "why": "cancel"})
    for id in ids:
        await_cancelled(warren, id, running=False)
    operator.cancel(*busy, told=False)
    assert warren.api.wait(later)["status"] == "completed"
    assert warren.api.wait(other)["status"] == "completed"
    assert not [id for id in ids if warren.ran(id)]


def test_nothing_starts_after_it_was_seen(whole):
    """Two consumers, and jobs that start all the time."""
    warren, operator = whole
    second = warren.add_consumer()
    ids = [warren.api.submit("noop")["id"] for _ in range(300)]
    mark = operator.mark({"tenant": "acme", "before": now_ms(), "copy": now_ms() * 1024, "why": "cancel"})
    operator.await_seen(mark, warren.consumer, second)
    seen_at = now_ms()
    for id in ids:
        warren.api.wait(id)
    events = Events(warren)
    events.until(lambda: len({line["id"] for line in events.lines if line["event"] in
                              ("completed", "cancelled") and line["id"] in ids}) == len(ids))
    events.close()
    assert not [line for line in events.lines if line["event"] == "started" and line["id"] in ids and
                line["at"] > seen_at]


def test_beyond_the_bound_a_store_is_asked(acts):
    """The mark of the first is dropped; the status-store knows that it was cancelled."""
    warren, operator = acts(marks_max_bytes="64KiB")
    id = warren.api.submit("note", delay="4s")["id"]
    stays = warren.api.submit("note", delay="4s")["id"]
    operator.cancel(id)
    for _ in range(5):
        mark = operator.mark(*(end_of(uuid7()) for _ in range(200)))
    operator.await_seen(mark, warren.consumer)
    assert warren.api.wait(stays)["status"] == "completed"
    assert warren.consumer.metrics().sum("warren_duplicates_checked_total") >= 2
    until(lambda: warren.held() == 0, 30, "all is settled")
    assert not warren.ran(id)


def test_a_leg_that_is_longer_than_marks_live_is_asked_about(acts):
    """Its mark is gone when it comes; it is asked about before it goes on its next leg."""
    warren, operator = acts(marks_keep="2s")
    id = warren.api.submit("note", delay="6900ms")["id"]
    stays = warren.api.submit("note", delay="6900ms")["id"]
    operator.cancel(id)
    assert warren.api.wait(stays)["status"] == "completed"
    until(lambda: warren.held() == 0, 30, "all is settled")
    assert not warren.ran(id)
    assert [line.get("by") for line in events_of(warren, id, "cancelled")] == ["key k1"]
    assert warren.consumer.metrics().sum("warren_duplicates_checked_total", verdict="dropped") == 1


@pytest.mark.parametrize("login,body", [("warren-admin", None), ("warren-operator", b"no mark\n")])
def test_what_is_no_mark_is_skipped(whole, login, body):
    warren, operator = whole
    id = warren.api.submit("note", delay="1500ms")["id"]
    if body is None:
        operator.mark(end_of(id), login=login)
    else:
        operator.mark({"tenant": "acme", "id": id, "run": 1, "attempt": END, "why": "cancel"})
    assert warren.api.wait(id)["status"] == "completed"
    assert json.dumps("it has lines that are no marks" if body else
                      "it is not of the operator login, or no mark") in warren.consumer.log()
