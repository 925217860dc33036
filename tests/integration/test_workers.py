# SPDX-License-Identifier: Apache-2.0
"""GET /workers: who is live, draining, lost, gone, and what each runs. The test stands in for the
consumers."""
import pytest

from harness.status_rig import StatusStore, event, now_ms, uuid7
from harness.until import until


@pytest.fixture(name="store")
def store_(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenants=("acme", "other"))
    made.start()
    yield made
    made.end()


def tell(store, worker="host-b/7", ago=0, state="up", **members):
    """The record of a worker, some ms ago."""
    record = {"event": "worker", "worker": worker, "at": now_ms() - ago, "started": now_ms() - 60000,
              "version": "1", "concurrency": 8, "state": state, "running": [], "busy": 0, "waiting": 0,
              "types": ["noop"], "all_types": True, "limits": {}, "no_handler_wait": 1000}
    record.update(members)
    store.stream.events(record)
    store.until_current()


def run(job, tenant="acme", ago=2000):
    return {"id": job, "tenant": tenant, "type": "noop", "attempt": 2, "priority": 3,
            "since": now_ms() - ago, "timeout": 30000}


def workers(store, **params):
    return {worker["worker"]: worker for worker in store.get("/workers", **params)["workers"]}


def test_draining(store):
    tell(store, state="draining", busy=3, waiting=2, limits={"noop": 2})
    worker = workers(store)["host-b/7"]
    assert (worker["status"], worker["alive"]) == ("draining", True)
    assert (worker["concurrency"], worker["busy"], worker["waiting"]) == (8, 3, 2)
    assert (worker["types"], worker["all_types"], worker["limits"]) == (["noop"], True, {"noop": 2})
    assert worker["version"] == "1" and worker["started_at"] < worker["last_seen"]


def test_lost_shows_what_it_ran(store):
    ended, alive = uuid7(), uuid7()
    for job in (ended, alive):
        store.stream.job(job)
        store.stream.started(job, worker="host-b/7", attempt=1)
    store.stream.completed(ended)
    tell(store, running=[run(ended), run(alive)], busy=2)
    until(lambda: workers(store)["host-b/7"]["status"] == "lost", 30, "lost")
    runs = {one["id"]: one for one in workers(store)["host-b/7"]["running"]}
    assert runs[ended]["ended"] is True and "ended" not in runs[alive]
    assert (runs[alive]["attempt"], runs[alive]["priority"]) == (2, "critical")
    assert runs[alive]["timeout_ms"] == 30000 and runs[alive]["elapsed_ms"] >= 15000
    tell(store, state="up")
    assert workers(store)["host-b/7"]["status"] == "up"


def test_gone(store):
    tell(store, state="gone")
    worker = workers(store)["host-b/7"]
    assert (worker["status"], worker["alive"]) == ("gone", False)


def test_leaves_after_ten_minutes(store):
    tell(store, "host-a/1", ago=590_000)
    tell(store, "host-b/2", ago=610_000)
    tell(store, "host-c/3", ago=610_000, state="gone")
    assert {name: worker["status"] for name, worker in workers(store).items()} == {"host-a/1": "lost"}


def test_a_tenant_sees_only_its_jobs(store):
    mine, others = uuid7(), uuid7()
    tell(store, running=[run(mine), run(others, "other")], busy=2)
    seen = workers(store, tenant="acme")["host-b/7"]
    assert [one["id"] for one in seen["running"]] == [mine]
    assert (seen["others_running"], seen["busy"]) == (1, 2)
    assert others not in str(store.get("/workers", tenant="acme"))
    everything = workers(store)["host-b/7"]
    assert len(everything["running"]) == 2 and everything["others_running"] == 0


def test_record_of_the_version_before(store):
    job = uuid7()
    store.stream.events({"event": "worker", "worker": "host-b/7", "at": now_ms(), "started": now_ms(),
                         "version": "0", "concurrency": 8, "state": "up", "types": ["noop"],
                         "running": [{"id": job, "tenant": "acme", "type": "noop", "since": now_ms()}]})
    until(lambda: workers(store), 30, "the worker")
    worker = workers(store)["host-b/7"]
    assert (worker["status"], worker["busy"], worker["waiting"]) == ("up", 1, 0)
    (one,) = worker["running"]
    assert one["id"] == job and one["timeout_ms"] is None and "attempt" not in one


def test_pages_and_unhandled_types(store):
    for number in range(5):
        tell(store, f"host-{number}/1")
    store.stream.job(uuid7(), kind="nobody")
    store.until_current()
    first = store.get("/workers", limit=3)
    assert "nobody" in first["unhandled_types"]
    assert [one["worker"] for one in first["workers"]] == ["host-0/1", "host-1/1", "host-2/1"]
    second = store.get("/workers", limit=3, cursor=first["next_cursor"])
    assert [one["worker"] for one in second["workers"]] == ["host-3/1", "host-4/1"]
    assert second["next_cursor"] is None
    for limit in ("0", "501", "x"):
        assert store.request("GET", "/workers", params={"tenant": "*", "limit": limit}).status_code == 400


def test_resumed_runs_are_not_ended(store):
    """A worker that was taken for lost and goes on."""
    job = uuid7()
    store.stream.job(job)
    store.stream.events(event("started", job, worker="host-b/7"))
    tell(store, running=[run(job)], busy=1)
    assert "ended" not in workers(store)["host-b/7"]["running"][0]
