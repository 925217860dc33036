# SPDX-License-Identifier: Apache-2.0
"""No job is lost with a lost worker: every view of the API shows the worker's jobs as pending again. The
events of a worker that was only cut off count again when it is back."""
import json
import uuid

import pika

from harness.behind import behind
from harness.events import Events
from harness.status_rig import now_ms
from harness.until import until
from harness.warren import default_handlers

ALIVE_MS = 15000  # a worker without a record for so long is lost


def start_gated(make_warren):
    """A Warren with a running job of type `gated`, which ends when the file `open` is there; and its id."""
    warren = make_warren(start=False)
    handlers = default_handlers()
    handlers["types"]["gated"] = {
        "exec": ["/bin/sh", "-c", f"touch {warren.folder}/started; until test -e "
                 f"{warren.folder}/open; do sleep 0.1; done; echo 1"], "timeout": "1h"}
    warren.write_handlers(handlers)
    warren.start()
    id = warren.api.submit("gated")["id"]
    until((warren.folder / "started").exists, 30, "the program runs")
    warren.api.wait(id, "running")
    return warren, id


def open_gate(warren):
    (warren.folder / "open").touch()


def tell(warren, *lines):
    """Publishes events as a worker that does not exist here."""
    with warren.pika("warren-consumer") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("events", "", "\n".join(map(json.dumps, lines)).encode(),
                              pika.BasicProperties(content_type="application/x-ndjson",
                                                   delivery_mode=2, user_id="warren-consumer"))


def event(name, id, at, worker="elsewhere/1", **more):
    return {"event": name, "id": id, "tenant": "acme", "run": 1, "attempt": 1, "at": at,
            "worker": worker, **more}


def record(at, state="up", worker="elsewhere/1"):
    return {"event": "worker", "worker": worker, "at": at, "started": 1, "version": "1",
            "concurrency": 1, "state": state, "running": [], "types": []}


def told(warren, id, name="released"):
    """The job's events of that name, once the stream has been read up to now."""
    marker = warren.api.run("noop")["id"]
    events = Events(warren)
    events.until(lambda: events.of(marker, "completed"), what="the marker")
    events.close()
    return events.of(id, name)


def is_pending_everywhere(warren, id):
    job = warren.api.wait(id, "pending")
    assert (job["attempt"], job["worker"], job["started_at"]) == (1, None, None)
    assert [found["id"] for found in warren.api.list_all(status="pending")] == [id]
    assert warren.api.list_all(status="running") == []
    stats = warren.api.stats()
    assert (stats["pending"], stats["running"]) == (1, 0)
    [attempt] = warren.api.attempts(id)["attempts"]
    assert attempt["outcome"] == "lost" and attempt["finished_at"]


def test_what_a_killed_worker_ran_is_pending_again(make_warren):
    warren, id = start_gated(make_warren)
    warren.consumer.kill()
    is_pending_everywhere(warren, id)
    open_gate(warren)
    warren.consumer.start()
    job = warren.api.wait(id)
    assert (job["status"], job["result"], job["attempt"]) == ("completed", 1, 1)
    [attempt] = warren.api.attempts(id)["attempts"]
    assert (attempt["outcome"], attempt["redelivered"]) == ("completed", True)


def test_one_that_was_only_stopped_goes_on(make_warren):
    warren, id = start_gated(make_warren)
    warren.consumer.hang()
    is_pending_everywhere(warren, id)
    warren.consumer.go_on()
    job = warren.api.wait(id, "running")
    assert job["worker"] and job["started_at"]
    [attempt] = warren.api.attempts(id)["attempts"]
    assert (attempt["outcome"], attempt["finished_at"]) == ("running", None)
    open_gate(warren)
    assert warren.api.wait(id)["status"] == "completed"
    [attempt] = warren.api.attempts(id)["attempts"]
    assert attempt["outcome"] == "completed"
    assert len(told(warren, id, "started")) == 1


def test_it_is_told_once_and_by_the_primary(fresh_warren):
    warren = fresh_warren
    warren.tenant("acme")
    warren.add_status_store()
    id = str(uuid.uuid4())
    at = now_ms() - 4 * ALIVE_MS
    tell(warren, record(at), event("started", id, at, redelivered=False))
    warren.api.wait(id, "pending")
    [line] = told(warren, id)
    assert (line["lost"], line["after"], line["worker"]) == (True, at, "elsewhere/1")
    tell(warren, event("completed", id, at + 1, ms=1))  # the worker was not lost after all
    assert warren.api.wait(id)["status"] == "completed"
    assert len(told(warren, id)) == 1


def test_a_worker_without_any_record_is_lost_too(fresh_warren):
    """A worker's records may be gone: they are kept for an hour."""
    fresh_warren.tenant("acme")
    id = str(uuid.uuid4())
    tell(fresh_warren, event("started", id, now_ms() - 4 * ALIVE_MS, redelivered=False))
    fresh_warren.api.wait(id, "pending")


def test_one_that_is_gone_runs_nothing(fresh_warren):
    fresh_warren.tenant("acme")
    id = str(uuid.uuid4())
    at = now_ms()
    tell(fresh_warren, record(at), event("started", id, at, redelivered=False))
    fresh_warren.api.wait(id, "running")
    tell(fresh_warren, record(at + 1, "gone"))
    fresh_warren.api.wait(id, "pending", timeout=10)


def test_a_living_worker_is_not_lost_because_the_store_is_behind(fresh_warren):
    warren = fresh_warren
    warren.tenant("acme")
    id = str(uuid.uuid4())
    at = now_ms() - ALIVE_MS + 3000
    tell(warren, record(at), event("started", id, at, redelivered=False))
    warren.api.wait(id, "running")
    with behind(warren.status_store):
        tell(warren, record(now_ms()))
        until(lambda: now_ms() > at + ALIVE_MS + 2000, 60, "the record it knows has grown old")
        tell(warren, record(now_ms()))
    assert told(warren, id) == []
    assert warren.api.get(id)["status"] == "running"
