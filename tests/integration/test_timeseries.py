# SPDX-License-Identifier: Apache-2.0
"""GET /stats/timeseries, and that what was counted outlives the projection's database. The test stands in
for gateway and consumers, with events of the past."""
import calendar
import time

import pytest

from harness.status_rig import StatusStore, event, now_ms, uuid7
from harness.until import until

MINUTE = 60_000


@pytest.fixture(name="store")
def store_(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenants=("acme", "other"), rewind_silence="1s")
    made.start()
    yield made
    made.end()


def ended(store, ago, ms=5, tenant="acme"):
    """A job that was submitted, ran and ended some minutes ago."""
    job, at = uuid7(), now_ms() - ago * MINUTE
    store.stream.job(job, tenant, x_submitted_at=at)
    store.stream.events(event("started", job, tenant=tenant, worker="host/1", at=at),
                        event("completed", job, tenant=tenant, ms=ms, at=at))


def series(store, tenant="*", **params):
    return store.get("/stats/timeseries", tenant=tenant, **params)


def completed(store, **params):
    return sum(bucket["completed"] for bucket in series(store, minutes=1440, **params)["buckets"])


def start_of(bucket):
    return calendar.timegm(time.strptime(bucket["at"][:19], "%Y-%m-%dT%H:%M:%S"))


def totals(store):
    stats = store.get("/stats")
    return {name: stats[name] for name in stats if name.endswith("_total")}


def test_1440_minutes(store):
    for ago in (0, 1, 59, 61, 1439, 1500):
        ended(store, ago)
    ended(store, 1, ms=700, tenant="other")
    store.until_current()
    day = series(store, minutes=1440)
    assert day["step_seconds"] == 60 and len(day["buckets"]) == 1441
    starts = [start_of(bucket) for bucket in day["buckets"]]
    assert starts == list(range(starts[0], starts[0] + 1441 * 60, 60))
    assert [bucket.get("partial") for bucket in day["buckets"]] == [None] * 1440 + [True]
    assert sum(bucket["completed"] for bucket in day["buckets"]) == 6
    assert completed(store, tenant="acme") == 5 and completed(store, tenant="nobody") == 0
    hour = series(store)["buckets"]
    assert len(hour) == 61 and sum(bucket["completed"] for bucket in hour) in (3, 4)
    empty = day["buckets"][700]
    assert (empty["submitted"], empty["failed_attempts"], empty["retried"], empty["dead"]) == (0, 0, 0, 0)
    for times in ("latency_ms", "wait_ms", "duration_ms"):
        assert empty[times] == {"p50": None, "p95": None, "p99": None}
    for refused in ({"minutes": 1441}, {"minutes": 0}, {"step": 7}, {"step": "x"}, {"from": 1}):
        assert store.request("GET", "/stats/timeseries", params={"tenant": "*", **refused}).status_code == 400, refused


def test_steps_merge_percentiles(store):
    for ago, ms in ((70, 10), (71, 10), (72, 10), (73, 5000)):
        ended(store, ago, ms)
    store.until_current()
    for step in (2, 5, 10, 15, 30, 60):
        answer = series(store, minutes=240, step=step)
        assert answer["step_seconds"] == step * 60 and len(answer["buckets"]) == 240 // step + 1
        assert all(start_of(bucket) % (step * 60) == 0 for bucket in answer["buckets"])
        full = [bucket for bucket in answer["buckets"] if bucket["completed"]]
        assert sum(bucket["completed"] for bucket in full) == 4
        for bucket in full:
            if bucket["completed"] == 4:
                assert bucket["duration_ms"]["p50"] <= 11 and 4700 <= bucket["duration_ms"]["p95"] <= 5300


def drop_database(store, damage=False):
    path = store.folder / "status-store.db"
    if damage:
        path.write_bytes(b"not a database" * 1000)
        return
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def remake_stream(store):
    """As after it lost its past: empty."""
    store.broker.management("DELETE", f"/api/queues/{store.vhost}/events")
    store.broker.topology(store.vhost, "apply")
    for tenant in ("acme", "other"):
        store.broker.topology(store.vhost, "tenant", tenant)


def test_kept_when_status_db_is_deleted(store):
    """It is deleted while the stream has all, then damaged: nothing is lost, and nothing counts twice."""
    for ago in (0, 10, 600):
        ended(store, ago)
    store.until_current()
    before = totals(store)
    for damage in (False, True):
        store.program.stop()
        drop_database(store, damage)
        store.program.start()
        store.until_current()
        before["submitted_total"] += 1  # the marker, which is a job of acme
        assert totals(store) == before
        assert completed(store, tenant="acme") == completed(store) == 3
    ended(store, 0)
    store.until_current()
    assert totals(store)["completed_total"] == before["completed_total"] + 1
    assert completed(store) == 4


def test_kept_over_a_rewind(store):
    ended(store, 5)
    store.until_current()
    before = totals(store)
    store.program.stop()
    drop_database(store)
    remake_stream(store)
    store.program.start()
    until(lambda: totals(store) == before, 30, "the totals are there")
    assert completed(store) == 1 and store.jobs() == []
    ended(store, 0)
    store.until_current()
    assert totals(store)["completed_total"] == before["completed_total"] + 1
    assert completed(store) == 2
