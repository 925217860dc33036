# SPDX-License-Identifier: Apache-2.0
"""Operations on the jobs of a filter: preview, start by token, progress, abort, crashes."""
import concurrent.futures
import time
import uuid

import pytest

from acts_rig import Marks, Reader, database, kind_of
from harness.publish import publish
from harness.until import until

OPEN = "scheduled,pending,running,failed"


@pytest.fixture(scope="module")
def acme(warren):
    return warren.tenant("acme", amqp_login=True).api


@pytest.fixture(scope="module")
def globex(warren):
    return warren.tenant("globex").api


@pytest.fixture
def kind():
    """A type that no other test has. Nothing runs it here: its jobs are delayed, or wait."""
    return f"t{uuid.uuid4().hex[:12]}"


def call(api, method, path, want, **options):
    answer = api.request(method, path, **options)
    assert answer.status_code == want, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json()


def preview(api, act="cancel", **filters):
    return call(api, "POST", f"/jobs/{act}", 200, params=filters)["preview"]


def start(api, token, act="cancel", want=202):
    return call(api, "POST", f"/jobs/{act}", want, json={"token": token})


def show(api, id):
    return call(api, "GET", f"/operations/{id}", 200)["operation"]


def ended(api, id, state="done", timeout=60):
    shown = until(lambda: (lambda o: o if o["state"] != "running" else None)(show(api, id)), timeout,
                  f"operation {id} has ended")
    assert shown["state"] == state, shown
    return shown


def submit(api, count, type, payload=None, **members):
    """Ids of `count` jobs, which are known."""
    ids = []
    for begin in range(0, count, 500):
        jobs = [{"type": type, "payload": payload, **members} for _ in range(begin, min(count, begin + 500))]
        answer = call(api, "POST", "/jobs/batch", 202, json=jobs)
        assert answer["accepted"] == len(jobs), answer["jobs"][-1]
        ids += [job["id"] for job in answer["jobs"]]
    api.wait(ids[-1], {"scheduled", "pending", "running", "completed"})
    return ids


def statuses(api, type):
    """How many jobs of the type have each status."""
    return {status: n for status in (*OPEN.split(","), "completed", "cancelled", "dead")
            if (n := call(api, "GET", "/jobs", 200, params={
                "type": type, "status": status, "limit": 1, "count": "true"})["count"])}


def test_preview_is_what_is_acted_on(acme, kind):
    ids = submit(acme, 12, kind, delay="1h")
    submit(acme, 3, kind, delay="1h", priority="high")
    seen = preview(acme, type=kind, priority="medium,low,critical")
    assert (seen["count"], seen["more"], seen["by_status"]) == (12, False, {"scheduled": 12}), seen
    assert seen["by_tenant"] == {"acme": 12} and seen["sample"] == ids[:5] and not seen["one_mark"]
    assert seen["filter"] == {"status": OPEN, "type": kind, "priority": "low,medium,critical"}
    assert statuses(acme, kind) == {"scheduled": 15}, "a preview changes nothing"
    later = submit(acme, 4, kind, delay="1h")
    started = start(acme, seen["token"])["operation"]
    assert (started["id"], started["kind"], started["total"]) == (seen["token"], "cancel", 12)
    done = ended(acme, started["id"])
    assert (done["done"], done["skipped"], done["failed"], done["error"]) == (12, 0, 0, None), done
    assert statuses(acme, kind) == {"scheduled": 7, "cancelled": 12}
    job = acme.get(ids[3])
    assert job["act_by"] == f"operation {started['id']}" and done["by"].startswith("key ")
    assert {acme.get(id)["status"] for id in later} == {"scheduled"}


def test_run_now(acme):
    ids = submit(acme, 8, "echo", {"a": 1}, delay="1h")
    seen = preview(acme, "run-now", type="echo", status="scheduled")
    assert seen["count"] == 8
    id = start(acme, seen["token"], "run-now")["operation"]["id"]
    assert ended(acme, id)["done"] == 8
    for job in ids:
        assert acme.wait(job)["result"] == {"a": 1}
        assert len(acme.attempts(job)["attempts"]) == 1


def test_two_starts_are_one_operation(acme, kind):
    submit(acme, 5, kind, delay="1h")
    token = preview(acme, type=kind)["token"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: acme.session.post(f"{acme.url}/api/v1/jobs/cancel", json={"token": token},
                                                          timeout=60).status_code, range(8)))
    assert sorted(codes) == [200] * 7 + [202]
    assert ended(acme, token)["done"] == 5
    assert start(acme, token, want=200)["operation"]["state"] == "done"
    assert [o["id"] for o in call(acme, "GET", "/operations", 200)["operations"]].count(token) == 1


def test_tenants_see_their_own(warren, acme, globex, kind):
    mine, theirs = submit(acme, 2, kind, delay="1h"), submit(globex, 3, kind, delay="1h")
    token = preview(acme, type=kind)["token"]
    start(globex, token, want=404)
    call(globex, "GET", f"/operations/{token}", 404)
    call(acme, "GET", f"/operations/{token}", 404)  # a preview is no operation yet
    call(globex, "POST", f"/operations/{token}/abort", 404)
    ended(acme, start(acme, token)["operation"]["id"])
    call(globex, "GET", f"/operations/{token}", 404)
    call(globex, "POST", f"/operations/{token}/abort", 404)
    assert token not in str(call(globex, "GET", "/operations", 200))
    assert {acme.get(id)["status"] for id in mine} == {"cancelled"}
    assert {globex.get(id)["status"] for id in theirs} == {"scheduled"}
    submit(acme, 2, kind, delay="1h")
    seen = preview(warren.admin, type=kind)
    assert seen["by_tenant"] == {"acme": 2, "globex": 3} and seen["tenant"] is None
    start(acme, seen["token"], want=404)
    assert ended(warren.admin, start(warren.admin, seen["token"])["operation"]["id"])["done"] == 5
    assert statuses(globex, kind) == {"cancelled": 3}
    shown = call(warren.admin, "GET", "/operations", 200, params={"tenant": "acme", "limit": 1})
    assert shown["operations"][0]["tenant"] == "acme" and shown["next_cursor"] is not None


@pytest.mark.parametrize("act, filters, body, want", [
    ("cancel", {}, None, 422), ("run-now", {}, None, 422), ("cancel", {"status": "completed"}, None, 422),
    ("run-now", {"status": "pending"}, None, 422), ("cancel", {"status": "odd"}, None, 400),
    ("cancel", {"colour": "red"}, None, 400), ("cancel", {"type": "a b"}, None, 400),
    ("cancel", {"q": ""}, None, 422), ("cancel", {}, {"token": "x"}, 422), ("cancel", {}, {"id": "x"}, 422),
    ("cancel", {"type": "echo"}, {"token": str(uuid.uuid4())}, 400), ("cancel", {}, {"token": str(uuid.uuid4())}, 404),
    ("cancel", {"limit": "3"}, None, 400), ("cancel", {"mask": "a", "type": "echo"}, None, 400)])
def test_what_is_refused(acme, act, filters, body, want):
    call(acme, "POST", f"/jobs/{act}", want, params=filters, **({"json": body} if body else {}))


def test_who_may(warren, acme, kind):
    """A reader may look, and does not see the text of a filter."""
    reader = acme.with_key(call(warren.admin, "POST", "/tenants/acme/keys", 201, json={"scopes": ["read"]})["key"])
    until(lambda: reader.request("GET", "/jobs").status_code == 200, 30, "the key is known")
    submit(acme, 2, kind, {"password": "hunter2"}, delay="1h")
    call(reader, "POST", "/jobs/cancel", 403, params={"type": kind})
    seen = preview(acme, type=kind, q="hunter2")
    assert seen["count"] == 2 and seen["filter"]["q"] == "hunter2"
    assert seen["search"]["jobs"] == 2 and seen["search"]["complete"] and seen["search"]["bytes"] > 0
    start(acme, preview(acme, type=kind)["token"], "run-now", 404)  # the token of a cancel
    call(reader, "POST", "/jobs/cancel", 403, json={"token": seen["token"]})
    id = start(acme, seen["token"])["operation"]["id"]
    done = ended(acme, id)
    assert done["done"] == 2 and done["filter"]["q"] == "hunter2"
    assert done["search"]["complete"] and done["search"]["jobs"] >= 2 and done["search"]["until"]
    assert show(reader, id)["filter"] == {**done["filter"], "q": "***"}
    assert "hunter2" not in reader.request("GET", "/operations").text
    call(reader, "POST", f"/operations/{id}/abort", 403)


def test_an_old_token(warren, acme, kind):
    submit(acme, 1, kind, delay="1h")
    token = preview(acme, type=kind)["token"]
    with database(warren) as db:
        db.execute("UPDATE operations SET at = at - 600000 WHERE id = ?", (uuid.UUID(token).bytes,))
        db.commit()
    start(acme, token, want=404)
    assert statuses(acme, kind) == {"scheduled": 1}


def test_abort(acme, kind):
    """What was begun ends; nothing is begun after it."""
    submit(acme, 1600, kind, delay="1h")
    token = preview(acme, type=kind, status="scheduled")["token"]
    start(acme, token)
    until(lambda: show(acme, token)["done"] > 0, 30, "a page")
    call(acme, "POST", f"/operations/{token}/abort", 202)
    aborted = ended(acme, token, "aborted")
    done = aborted["done"]
    assert 0 < done < 1600 and done % 200 == 0
    until(lambda: statuses(acme, kind) == {"scheduled": 1600 - done, "cancelled": done}, 20, "its last page")
    assert kind_of(call(acme, "POST", f"/operations/{token}/abort", 409)) == "operation-ended"
    seen = preview(acme, type=kind)
    assert seen["count"] == 1600 - done and seen["one_mark"]
    start(acme, seen["token"])
    refused = call(acme, "POST", f"/operations/{seen['token']}/abort", 409)
    assert kind_of(refused) in ("cannot-be-undone", "operation-ended")
    assert ended(acme, seen["token"])["done"] == 1600 - done, "the aborted one has cancelled no more"
    assert show(acme, token)["done"] == done


def test_ended_meanwhile_is_skipped(warren, acme, kind):
    ids = submit(acme, 6, kind, delay="1h")
    token = preview(acme, type=kind, priority="medium")["token"]
    call(acme, "POST", f"/jobs/{ids[0]}/cancel", 202)
    start(acme, token)
    done = ended(acme, token)
    assert (done["done"], done["skipped"], done["failed"]) == (5, 1, 0)


def test_nothing_is_from_before_1970(acme, kind):
    submit(acme, 2, kind, delay="1h")
    seen = preview(acme, type=kind, created_before="0001-01-01T00:00:00Z")
    assert seen["one_mark"] and seen["count"] == 0
    start(acme, seen["token"])
    assert ended(acme, seen["token"])["done"] == 0
    assert statuses(acme, kind) == {"scheduled": 2}


def test_one_mark(warren, acme, kind):
    """One bulk mark, then that of each job; what comes later runs. The long list has each job."""
    marks = Marks(warren)
    ids = submit(acme, 30, kind, delay="1h")
    seen = preview(acme, type=kind)
    assert seen["one_mark"] and seen["count"] == 30
    begun = acme.request("POST", "/jobs/cancel", json={"token": seen["token"]})
    assert begun.status_code == 202 and begun.json()["workers_behind"] == []
    assert begun.headers["Location"] == f"/api/v1/operations/{seen['token']}"
    later = submit(acme, 2, kind, delay="1h")
    assert ended(acme, seen["token"])["done"] == 30
    call(acme, "POST", f"/jobs/{later[0]}/cancel", 202)
    marks.of(later[0])
    assert all(len(marks.of(id)) == 1 for id in ids)
    mine = [mark for _, mark in marks.marks if mark.get("type") == kind]
    assert [(mark["tenant"], mark["why"]) for mark in mine] == [("acme", "cancel")]
    assert acme.get(later[1])["status"] == "scheduled"
    with database(warren) as db:
        assert db.execute("SELECT count(*) FROM moved WHERE id IN (%s)" % ",".join("?" * 30),
                          [uuid.UUID(id).bytes for id in ids]).fetchone() == (30,)
    marks.close()


def test_a_consumer_that_is_behind_is_named(warren, acme, kind):
    reader = Reader(warren, "slow/1")
    try:
        until(lambda: "slow/1" in warren.admin.request("GET", "/workers").text, 20, "the worker")
        submit(acme, 2, kind, delay="1h")
        assert start(acme, preview(acme, type=kind)["token"])["workers_behind"] == ["slow/1"]
        submit(acme, 2, kind, delay="1h")
        token = preview(acme, type=kind, priority="medium")["token"]
        start(acme, token)
        assert "slow/1" in ended(acme, token)["error"]
    finally:
        reader.end()


def test_nothing_starts_after_the_answer(warren, acme):
    """5 000 jobs that a consumer runs: within a second of the answer the last one has started, and each has
    ended as one of two."""
    ids = submit(acme, 5000, "sleep", {"ms": 20})
    seen = preview(acme, type="sleep")
    assert seen["count"] > 1000 and seen["one_mark"], seen
    answer = start(acme, seen["token"])
    answered = time.time()
    assert answer["workers_behind"] == []
    done = ended(acme, seen["token"], timeout=120)
    until(lambda: sum(n for status, n in statuses(acme, "sleep").items()
                      if status in ("completed", "cancelled")) == len(ids), 60, "all have ended")
    found = acme.list_all(type="sleep", limit=500, fields="id,status,started_at,act_by")
    assert len(found) == len(ids)
    assert done["done"] + done["skipped"] >= seen["count"]
    cancelled = [job for job in found if job["status"] == "cancelled"]
    assert len(cancelled) == done["done"]
    assert {job["act_by"] for job in cancelled} == {f"operation {seen['token']}"}
    limit = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(answered + 1)) + f".{int(answered % 1 * 1000):03}Z"
    assert max(job["started_at"] for job in found if job["started_at"]) <= limit


def test_one_mark_and_jobs_from_outside(warren, acme):
    """Without a time of submission: one that runs is stopped; one that came back from its delay, published by a
    consumer, does not start."""
    due = time.monotonic() + 5
    with warren.tenant("acme").pika() as connection:
        channel = connection.channel()
        waits = publish(channel, "acme", "sleep", {"ms": 1}, headers={"x-delay": 5000}, timestamp=None)
        runs = publish(channel, "acme", "sleep", {"ms": 25000}, timestamp=None)
    acme.wait(runs, "running")
    acme.wait(waits, "scheduled")
    seen = preview(acme, type="sleep")
    assert seen["one_mark"] and seen["count"] == 2, seen
    start(acme, seen["token"])
    assert ended(acme, seen["token"])["done"] == 2
    acme.wait(runs, "cancelled", timeout=10)
    until(lambda: time.monotonic() > due + 1 and warren.consumer.metrics()["warren_deliveries_held"] == 0, 20,
          "the delayed one has come")
    assert acme.get(waits)["status"] == "cancelled"
    assert acme.attempts(waits)["attempts"] == []


def test_a_crash_amid(warren, acme, kind):
    """SIGKILL of the primary, twice, once with the loss of status.db: each job is cancelled once, by the
    operation, and counted once."""
    count = 1500
    submit(acme, count, kind, delay="1h")
    token = preview(acme, type=kind, status="scheduled")["token"]
    start(acme, token)
    seen = 0
    for n in range(2):
        until(lambda: show(acme, token)["done"] > seen or show(acme, token)["state"] == "done", 30, "a page")
        warren.status_store.kill()
        if n == 1:
            for file in warren.folder.glob("status.db*"):
                file.unlink()
        warren.status_store.start()
        until(lambda: acme.request("GET", f"/operations/{token}").status_code == 200, 30, "the primary")
        seen = show(acme, token)["done"]
    done = ended(acme, token)
    assert (done["done"], done["skipped"], done["failed"]) == (count, 0, 0), done
    assert statuses(acme, kind) == {"cancelled": count}
    with database(warren) as db:
        assert db.execute("SELECT count(*) FROM acts").fetchone() == (0,)
    events = call(acme, "GET", f"/jobs/{acme.list(type=kind, limit=1)['jobs'][0]['id']}/events", 200)["events"]
    assert [event["by"] for event in events if event["event"] == "cancelled"] == [f"operation {token}"]
    metrics = warren.status_store.metrics()
    assert metrics.sum("warren_operations", state="done") >= 1
    assert metrics.sum("warren_operations", state="running") == 0
    until(lambda: warren.status_store.metrics().sum("warren_acts_unfinished") == 0, 20, "no act is left")


def test_a_start_whose_mark_was_not_published(warren, acme, kind):
    """The primary died between the start and the mark."""
    ids = submit(acme, 3, kind, delay="1h")
    token = preview(acme, type=kind)["token"]
    warren.status_store.kill()
    with database(warren) as db:
        db.execute("UPDATE operations SET state = 1, bulk = 2, copy = ?, started = ? WHERE id = ?",
                   (int(time.time() * 1000) * 1024, int(time.time() * 1000), uuid.UUID(token).bytes))
        db.commit()
    marks = Marks(warren)
    warren.status_store.start()
    until(lambda: acme.request("GET", f"/operations/{token}").status_code == 200, 30, "the primary")
    assert ended(acme, token)["done"] == 3
    assert {acme.get(id)["status"] for id in ids} == {"cancelled"}
    call(acme, "POST", f"/jobs/{submit(acme, 1, kind, delay='1h')[0]}/cancel", 202)
    until(lambda: (marks.connection.process_data_events(time_limit=0.02),
                   [mark for _, mark in marks.marks if mark.get("type") == kind])[1], 20, "the mark")
    marks.close()


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("filters", [{}, {"status": "scheduled"}], ids=["one mark", "pages"])
def test_a_hundred_thousand(acme, kind, filters):
    submit(acme, 100_000, kind, delay="1h")
    until(lambda: call(acme, "GET", "/stats", 200)["lag_ms"] < 1000, 120, "the projection")
    seen = preview(acme, type=kind, **filters)
    assert seen["count"] == 100_000 or seen["more"]
    began = time.monotonic()
    start(acme, seen["token"])
    done = ended(acme, seen["token"], timeout=600)
    print(f"{done['done']} jobs in {time.monotonic() - began:.1f} s")
    assert done["done"] == 100_000 and done["failed"] == 0
