# SPDX-License-Identifier: Apache-2.0
"""The status-store on a real stream: what it folds, how it is read, and that it can be rebuilt."""
import base64
import concurrent.futures
import datetime
import json
import pathlib
import random
import threading
import uuid

import pytest

from harness.status_rig import StatusStore, event, now_ms, random_life, uuid7
from harness.until import until


@pytest.fixture()
def store(broker, tmp_path):
    made = StatusStore(broker, tmp_path)
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def shared(broker, tmp_path_factory):
    """A store shared by all tests that look only at their own jobs: making a vhost takes seconds."""
    made = StatusStore(broker, tmp_path_factory.mktemp("shared"))
    made.start()
    yield made
    made.end()


def without_clock(job):
    return {name: value for name, value in job.items() if name not in ("as_of", "lag_ms")}


def time_text(at):
    """As the API writes a time in ms."""
    moment = datetime.datetime.fromtimestamp(at / 1000, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole(store, program=None):
    """Everything the projection says of every job."""
    jobs = store.jobs(program)
    attempts = {job["id"]: store.get(f"/jobs/{job['id']}/attempts", program)["attempts"]
                for job in jobs}
    return jobs, attempts


def counts(store, program=None):
    stats = store.get("/stats", program)
    return {name: value for name, value in stats.items()
            if name not in ("as_of", "lag_ms", "last_minute", "last_hour", "history")}


def test_life_of_a_job(shared):
    job = uuid7()
    shared.stream.job(job, kind="send_email", payload=b'{"big": 12345678901234567890, "x":  1.50}',
                     traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    pending = shared.until_status(job, "pending")
    assert (pending["type"], pending["priority"], pending["tenant"]) == ("send_email", "medium", "acme")
    assert pending["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (pending["run"], pending["attempt"], pending["max_retries"]) == (1, 1, 3)
    raw = shared.request("GET", f"/jobs/{job}", params={"tenant": "acme"}).text
    assert '"payload":{"big": 12345678901234567890, "x":  1.50}' in raw

    shared.stream.started(job)
    running = shared.until_status(job, "running")
    assert running["worker"] == "host-a/1" and running["started_at"] is not None
    shared.stream.events(event("progress", job, progress=0.4, message="page 4"))
    until(lambda: shared.job(job)["progress"] == {"value": 0.4, "message": "page 4"}, 10, "progress")

    shared.stream.failed(job, error="no \"route\"")
    failed = shared.until_status(job, "failed")
    assert failed["error"] == 'no "route"' and failed["run_at"] is not None
    shared.stream.started(job, attempt=2)
    shared.stream.completed(job, attempt=2, result={"bytes": 5120})
    done = shared.until_status(job, "completed")
    assert done["result"] == {"bytes": 5120} and done["error"] is None
    assert done["duration_ms"] == 5 and done["finished_at"] is not None
    attempts = shared.get(f"/jobs/{job}/attempts")["attempts"]
    assert [(a["attempt"], a["outcome"], a["error"]) for a in attempts] == [
        (1, "failed", 'no "route"'), (2, "completed", None)]


def test_scheduled_dead_and_replayed(shared):
    job = uuid7()
    shared.stream.job(job, exchange="delay.30s", x_run_at=now_ms() + 30000, x_due_at=now_ms() + 30000)
    assert shared.until_status(job, "scheduled")["run_at"] is not None
    shared.stream.job(job, exchange="due", x_run_at=now_ms(), x_due_at=now_ms())
    shared.until_status(job, "pending")
    shared.stream.started(job)
    shared.stream.buried(job, reason="permanent", error="never")
    dead = shared.until_status(job, "dead")
    assert (dead["reason"], dead["error"]) == ("permanent", "never")
    shared.stream.job(job, x_run=2)
    again = shared.until_status(job, "pending")
    assert (again["run"], again["reason"], again["finished_at"]) == (2, None, None)


def test_a_job_due_too_soon_for_a_delay_exchange_is_pending(shared):
    job, due = uuid7(), now_ms() + 50
    shared.stream.job(job, x_run_at=due)
    found = shared.until_status(job, "pending")
    assert found["run_at"].endswith(f".{due % 1000:03}Z")
    shared.stream.started(job)
    assert shared.until_status(job, "running")["run_at"] == found["run_at"]


def hint(at):
    """What a consumer's `started` says of its job."""
    return {"type": "send_email", "priority": 2, "max_retries": 5, "submitted_at": at,
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


def test_a_start_comes_before_the_submission(shared):
    job, at = uuid7(), now_ms()
    ask = {"tenant": "acme", "id": job, "run": 1, "attempt": 1, "copy": 0}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shared.job, job, wait="50s")
        shared.stream.started(job, **hint(at))
        running = shared.until_status(job, "running")
        assert (running["type"], running["priority"], running["max_retries"]) == ("send_email", "high", 5)
        assert (running["payload"], running["run_at"], running["idempotency_key"]) == (None, None, None)
        assert running["created_at"] == time_text(at)
        assert running["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
        assert check(shared, ask)[0]["state"] == "running"
        assert job in [found["id"] for found in shared.jobs(type="send_email", priority="high")]
        shared.stream.completed(job, type="send_email", result=7)
        done = waiting.result(45)
    assert (done["status"], done["result"], done["payload"]) == ("completed", 7, None)
    assert check(shared, ask)[0]["state"] == "closed"
    shared.stream.job(job, kind="send_email", lane="high", x_submitted_at=at, x_max_retries=5)
    until(lambda: shared.job(job)["payload"] == {"n": 1}, 10, "the submission is known")
    assert (shared.job(job)["status"], shared.job(job)["duplicates"]) == ("completed", 0)


def test_a_job_in_doubt_is_not_shown_until_it_starts(shared):
    job, other = uuid7(now_ms() - 10000), uuid7(now_ms() - 10000)
    before = shared.get("/stats")["submitted_total"]
    shared.stream.job(job, x_doubt=1)
    shared.stream.job(other, exchange="delay.30s", x_doubt=1, x_run_at=now_ms() + 30000,
                      x_due_at=now_ms() + 30000)
    shared.until_current()
    assert shared.job(job) is None and shared.job(other) is None
    assert shared.get("/stats")["submitted_total"] == before + 1, "the marker alone"
    shared.stream.started(job)
    shared.stream.job(other, exchange="due", x_run_at=now_ms(), x_due_at=now_ms())
    assert shared.until_status(job, "running")["payload"] == {"n": 1}
    assert shared.until_status(other, "pending")["payload"] == {"n": 1}
    assert shared.get("/stats")["submitted_total"] == before + 3


def test_other_tenants_jobs_do_not_exist(shared):
    job = uuid7()
    shared.stream.job(job)
    shared.until_status(job, "pending")
    assert shared.request("GET", f"/jobs/{job}", params={"tenant": "other"}).status_code == 404
    assert shared.get("/jobs", tenant="other")["jobs"] == []
    assert shared.request("GET", f"/jobs/{job}").status_code == 400
    assert shared.request("GET", f"/jobs/{job}", token="wrong",
                         params={"tenant": "*"}).status_code == 401


def test_malformed_burial_shows_its_bytes(shared):
    job = uuid7()
    body = b"\xff\xfenot json"
    shared.stream.publish("dead", "acme.medium", body, message_id=job, type="noop",
                         content_type="application/json", user_id="warren-admin",
                         headers={"x-reason": "malformed", "x-error": "not JSON",
                                  "x-burial": uuid7(), "x-attempt": 0,
                                  "x-queued-at": now_ms()})
    dead = shared.until_status(job, "dead")
    assert dead["payload"] is None and base64.b64decode(dead["payload_base64"]) == body
    assert dead["reason"] == "malformed"


def test_wait_ends_with_the_job(shared):
    job = uuid7()
    shared.stream.job(job)
    shared.until_status(job, "pending")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shared.job, job, wait="50s")
        assert not waiting.done()
        shared.stream.started(job)
        shared.stream.completed(job)
        assert waiting.result(45)["status"] == "completed"
    assert shared.request("GET", f"/jobs/{job}", params={"tenant": "*", "wait": "61s"}).status_code == 400


def test_a_young_id_is_waited_for(shared):
    job = uuid7()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = threading.Event()

        def ask():
            asked.set()
            return shared.job(job)

        answer = pool.submit(ask)
        asked.wait(10)
        shared.stream.job(job)
        assert answer.result(30) is not None
    assert shared.job(uuid7(now_ms() - 10000)) is None


def test_a_young_id_with_no_room_to_wait_is_not_said_to_be_unknown(broker, tmp_path):
    made = StatusStore(broker, tmp_path, waiting=1).start()
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda job: made.request(
                "GET", f"/jobs/{job}", params={"tenant": "*"}), [uuid7() for _ in range(8)]))
        assert {answer.status_code for answer in answers} <= {404, 503}
        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused and all("Retry-After" in answer.headers for answer in refused)
    finally:
        made.end()


def test_filters_and_order(store):
    made = []
    for n in range(30):
        job = uuid7()
        store.stream.job(job, kind="mail" if n % 3 == 0 else "noop",
                         lane="high" if n % 2 == 0 else "low",
                         payload=json.dumps({"needle": n}).encode(),
                         x_submitted_at=1_700_000_000_000 + n * 1000)
        made.append(job)
    store.until_status(made[-1], "pending")
    assert [j["id"] for j in store.jobs(limit=7)] == made[::-1]
    assert [j["id"] for j in store.jobs(limit=7, sort="created_at")] == made
    assert [j["id"] for j in store.jobs(type="mail", sort="created_at")] == made[::3]
    assert [j["id"] for j in store.jobs(priority="high", sort="created_at")] == made[::2]
    assert [j["id"] for j in store.jobs(q='"needle": 17')] == [made[17]]
    assert store.jobs(status="dead") == []
    between = store.jobs(created_after="2023-11-14T22:13:25Z", created_before="2023-11-14T22:13:30Z",
                         sort="created_at")
    assert [j["id"] for j in between] == made[6:10]


@pytest.mark.parametrize("query", [
    {"status": "lost"}, {"priority": "4"}, {"limit": "0"}, {"limit": "501"}, {"limit": "x"},
    {"cursor": "nonsense"}, {"cursor": "d" + "0" * 40}, {"sort": "id"}, {"created_after": "today"},
    {"type": "No Type"}, {"colour": "red"}])
def test_bad_queries_are_refused(shared, query):
    answer = shared.request("GET", "/jobs", params={"tenant": "*", **query})
    assert answer.status_code == 400, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_pages_under_concurrent_inserts_give_each_row_once(store):
    old = store.stream.jobs(300)
    store.until_status(old[-1], "pending")
    stop = threading.Event()
    inserted = []

    def insert():
        from harness.status_rig import Stream
        stream = Stream(store.broker, store.vhost)
        while not stop.is_set():
            job = uuid7()
            stream.job(job)
            inserted.append(job)
            stream.started(old[len(inserted) % 300])
        stream.close()

    thread = threading.Thread(target=insert)
    thread.start()
    try:
        until(lambda: inserted, 20, "the first insert")
        for order in ("-created_at", "created_at"):
            seen = [job["id"] for job in store.jobs(limit=10, sort=order)]
            assert len(seen) == len(set(seen))
            assert set(old) <= set(seen)
    finally:
        stop.set()
        thread.join()


def from_outside(store):
    """Publishes jobs without a time, or with a wrong one."""
    for headers in (None, {"x-submitted-at": 2**62}, {"x-submitted-at": 1}):
        store.stream.publish("jobs.acme", "medium", b"1", message_id=str(uuid.uuid4()), type="noop",
                             content_type="application/json", headers=headers)


def test_rebuild_equals_the_live_one(store):
    from_outside(store)  # before any service has published a time
    random_life(store.stream, random.Random(7), 120)
    from_outside(store)
    store.until_current()
    replica = store.add("replica").start()
    store.until_current(replica)
    until(lambda: counts(store) == counts(store, replica), 20, "both current")
    live = whole(store)
    assert whole(store, replica) == live
    assert len(live[0]) == 128
    assert all(job["created_at"] for job in live[0])
    assert store.program.stop() == 0
    for suffix in ("", "-wal", "-shm"):
        pathlib.Path(str(store.program.settings["database"]) + suffix).unlink(missing_ok=True)
    store.program.start()
    until(lambda: counts(store) == counts(store, replica), 30, "rebuilt")
    assert whole(store) == live


def test_a_damaged_database_is_folded_again(store):
    ids = random_life(store.stream, random.Random(8), 20)
    store.until_current()
    live = whole(store)
    assert store.program.stop() == 0
    pathlib.Path(store.program.settings["database"]).write_bytes(b"this is no database" * 1000)
    store.program.start()
    until(lambda: len(store.jobs()) == len(ids) + 1, 30, "folded again")
    assert whole(store) == live


def test_stats(store):
    before = store.get("/stats")
    assert before["total"] == 0 and before["submitted_total"] == 0
    ids = [uuid7() for _ in range(4)]
    for job in ids:
        store.stream.job(job, kind="mail")
        store.stream.job(job, kind="mail", x_again=1)
        store.stream.started(job)
    store.stream.completed(ids[0])
    store.stream.completed(ids[0])
    store.stream.buried(ids[1], kind="mail")
    store.stream.failed(ids[2], kind="mail")
    until(lambda: store.get("/stats")["failed"] == 1, 20, "folded")
    stats = store.get("/stats")
    assert {s: stats[s] for s in ("total", "pending", "running", "failed", "completed", "dead")} == {
        "total": 4, "pending": 0, "running": 1, "failed": 1, "completed": 1, "dead": 1}
    assert (stats["submitted_total"], stats["completed_total"], stats["failed_attempts_total"],
            stats["retried_total"]) == (4, 1, 2, 1)
    assert stats["types"] == {"mail": {"running": 1, "failed": 1, "completed": 1, "dead": 1}}
    assert stats["tenants"]["acme"]["dead"] == 1
    assert stats["last_minute"]["completed"] == 1
    assert stats["last_minute"]["duration_ms"]["p50"] == 5
    until(lambda: store.get("/stats")["lag_ms"] == 0, 10, "drained")
    assert store.get("/stats", tenant="other")["total"] == 0


def check(store, *asked):
    answer = store.request("POST", "/deliveries/check", json={"deliveries": list(asked)})
    assert answer.status_code == 200, answer.text
    return answer.json()["deliveries"]


def test_deliveries_check(store):
    job, done = uuid7(), uuid7()
    ask = {"tenant": "acme", "id": job, "run": 1, "attempt": 1, "copy": 0}
    assert check(store, ask)[0]["state"] == "unknown"
    store.stream.job(job)
    store.until_status(job, "pending")
    assert check(store, ask)[0] == {"state": "open", "worker": None, "worker_alive": False, "starts": 0}
    worker = {"event": "worker", "worker": "host-a/1", "at": now_ms(), "started": now_ms(),
              "version": "1", "concurrency": 1, "state": "up", "running": [], "types": ["noop"]}
    store.stream.events(worker)
    store.stream.started(job)
    store.until_status(job, "running")
    assert check(store, ask)[0] == {"state": "running", "worker": "host-a/1", "worker_alive": True,
                                    "starts": 0}
    store.stream.started(job, worker="host-x/9", redelivered=True)
    store.stream.started(job, worker="host-x/10", redelivered=True)
    until(lambda: check(store, ask)[0]["starts"] == 2, 10, "starts by workers nobody knows")
    store.stream.events(dict(worker, state="gone", at=now_ms() + 1))
    until(lambda: not store.get("/workers")["workers"][0]["alive"], 10, "gone")
    assert check(store, ask)[0]["starts"] == 2
    store.stream.failed(job, bucket="1h")
    store.until_status(job, "failed")
    assert [answer["state"] for answer in check(store, ask, dict(ask, attempt=2))] == [
        "retrying", "open"]
    store.stream.started(job, attempt=2)
    until(lambda: check(store, ask)[0]["state"] == "superseded", 10, "the retry has started")
    store.stream.job(done)
    store.stream.started(done)
    store.stream.completed(done)
    store.until_status(done, "completed")
    assert check(store, dict(ask, id=done))[0]["state"] == "closed"
    assert check(store, dict(ask, id=done, run=2))[0]["state"] == "open"
    bad = store.request("POST", "/deliveries/check", json={"deliveries": [{"tenant": "acme"}]})
    assert bad.status_code == 422
    many = store.request("POST", "/deliveries/check", json={"deliveries": [ask] * 257})
    assert many.status_code == 422


def bury(store, **burial):
    """Buries a job; returns the question about its delivery."""
    job = uuid7()
    store.stream.job(job)
    store.stream.buried(job, **burial)
    store.until_status(job, "dead")
    return {"tenant": "acme", "id": job, "run": 1, "attempt": 1, "copy": 0}


def test_a_buried_delivery_is_told_with_its_reason(store):
    """Queue `dead` may have missed the burial: a consumer that still has the delivery can bury it again."""
    told = {"state": "buried", "worker": None, "worker_alive": False, "starts": 0,
            "error_kind": "error", "error": 'it "broke"\n\x00'}
    for reason, before in (("exhausted", 1), ("permanent", 1), ("poison", 1), ("no_handler", 0)):
        ask = bury(store, reason=reason, attempt=before, error=told["error"])
        assert check(store, ask) == [{**told, "reason": reason}]
        assert [answer["state"] for answer in check(store, dict(ask, attempt=2), dict(ask, run=2))] \
            == ["closed", "open"], "another delivery"
    store.stream.job(ask["id"], x_run=2)
    until(lambda: check(store, ask)[0]["state"] == "closed", 10, "replayed")


def test_what_the_broker_buried_is_closed(store):
    """The broker's dead-lettering removes the message only when the queue has the letter."""
    job = uuid7()
    store.stream.job(job)
    store.stream.job(job, exchange="dead")
    assert store.until_status(job, "dead")["reason"] == "delivery_limit"
    ask = {"tenant": "acme", "id": job, "run": 1, "attempt": 1, "copy": 0}
    assert check(store, ask)[0]["state"] == "closed"
    ask = bury(store)
    store.stream.completed(ask["id"])
    until(lambda: check(store, ask)[0]["state"] == "closed", 10, "completed after all")


def test_workers(store):
    job = {"id": uuid7(), "tenant": "acme", "type": "noop", "since": now_ms()}
    store.stream.events({"event": "worker", "worker": "host-b/7", "at": now_ms(),
                         "started": now_ms(), "version": "1", "concurrency": 8, "state": "up",
                         "running": [job, dict(job, tenant="other")], "types": ["noop"]})
    until(lambda: store.get("/workers")["workers"], 10, "the worker")
    worker = store.get("/workers")["workers"][0]
    assert (worker["worker"], worker["alive"], worker["concurrency"]) == ("host-b/7", True, 8)
    assert len(worker["running"]) == 2
    worker = store.get("/workers", tenant="acme")["workers"][0]
    assert [run["id"] for run in worker["running"]] == [job["id"]]


def test_unknown_events_are_counted_not_fatal(store):
    store.stream.events({"event": "from_the_future", "id": uuid7()}, {"no": "event"})
    store.stream.publish("events", "", b"not json\n", content_type="application/x-ndjson")
    store.until_current()
    assert store.get("/stats")["history"]["skipped_events"] == 3


def test_no_row_goes_before_its_time_for_want_of_one(broker, tmp_path):
    """One job is buried by the broker, with no time from its publisher, before any service published one.
    Another has a time in the far future: it is deleted like all others."""
    made = StatusStore(broker, tmp_path, keep_ended="1s", keep_dead="10d")
    made.start()
    try:
        plain, future, old = str(uuid.uuid4()), str(uuid.uuid4()), uuid7()
        outside = {"type": "noop", "content_type": "application/json"}
        for exchange, key in (("jobs.acme", "medium"), ("dead", "acme.medium")):
            made.stream.publish(exchange, key, b"1", message_id=plain, **outside)
        made.stream.publish("jobs.acme", "medium", b"1", message_id=future,
                            headers={"x-submitted-at": 2**62}, **outside)
        assert made.until_status(plain, "dead")["finished_at"] is None
        long_ago = now_ms() - 60000
        made.stream.job(old, x_submitted_at=long_ago, x_queued_at=long_ago)
        made.stream.completed(future, at=long_ago)
        made.stream.completed(old, at=long_ago)
        made.program.restart()
        until(lambda: made.job(old) is None and made.job(future) is None, 90, "the old ones gone")
        job = made.job(plain)
        assert job["status"] == "dead"
        assert job["created_at"] == job["finished_at"] == time_text(long_ago)
    finally:
        made.end()


def test_retention_deletes_what_ended_long_ago(broker, tmp_path):
    made = StatusStore(broker, tmp_path, keep_ended="1s", keep_dead="10d")
    made.start()
    try:
        old = now_ms() - 60000
        done, dead = uuid7(old), uuid7(old)
        for job in (done, dead):
            made.stream.job(job, x_submitted_at=old, x_queued_at=old)
        made.stream.events(event("started", done, at=old, worker="w"),
                           event("completed", done, at=old + 5, ms=5))
        made.stream.buried(dead, x_submitted_at=old, x_queued_at=old)
        made.until_status(dead, "dead")
        made.program.restart()
        until(lambda: made.job(done) is None, 90, "the ended one deleted")
        assert made.job(dead)["status"] == "dead"
        assert made.get("/stats")["completed"] == 0
    finally:
        made.end()
