# SPDX-License-Identifier: Apache-2.0
"""GET /types: every type that is known, its jobs, who handles it, its last hour. The test stands in for
gateway and consumers."""
import json

import pytest

from harness.status_rig import StatusStore, event, now_ms, uuid7
from harness.until import until


@pytest.fixture(name="store", scope="module")
def store_(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("store"), tenants=("acme", "other")).primary()
    made.start()
    yield made
    made.end()


def work(store, worker, types, **members):
    """The record of a worker that handles these types."""
    record = {"event": "worker", "worker": worker, "at": now_ms(), "started": now_ms() - 60000, "version": "1",
              "concurrency": 8, "state": "up", "running": [], "busy": 0, "types": types, "all_types": True}
    store.stream.events({**record, **members})
    store.until_current()


def ended(store, kind, ms, tenant="acme", ago=0):
    """A job that took so long, and ended some ms ago."""
    job = uuid7()
    store.stream.job(job, tenant, kind=kind)
    store.stream.events(event("started", job, tenant=tenant, worker="host/1", at=now_ms() - ago),
                        event("completed", job, tenant=tenant, ms=ms, at=now_ms() - ago))


def types(store, tenant="*", **params):
    return {one["name"]: one for one in store.get("/types", tenant=tenant, **params)["types"]}


def one(store, name, tenant="*"):
    return store.get(f"/types/{name}", tenant=tenant)["type"]


def is_known(store, name, tenant="*"):
    answer = store.request("GET", f"/types/{name}", params={"tenant": tenant})
    assert answer.status_code in (200, 404), answer.text
    return answer.status_code == 200


def test_handled_by(store):
    assert not is_known(store, "handled")
    work(store, "host-a/1", ["handled", "other"])
    work(store, "host-b/2", ["handled"])
    work(store, "host-c/3", ["handled"], state="draining")  # takes no more jobs
    seen = one(store, "handled")
    assert (seen["handled_by"], seen["workers"]) == (["host-a/1", "host-b/2"], 2)
    assert (seen["paused"], seen["parked"], seen["max_running"]) == (False, 0, "unlimited")
    assert types(store)["other"]["handled_by"] == ["host-a/1"]
    for n in range(20):
        work(store, f"host-m/{n}", ["manifold"])
    work(store, "host-n/1", ["manifold"])
    seen = one(store, "manifold")
    assert (len(seen["handled_by"]), seen["workers"]) == (20, 21)


def test_durations(store):
    for ms in (10, 20, 30, 1000):
        ended(store, "timed", ms)
    ended(store, "timed", 5, ago=30 * 60_000)
    ended(store, "timed", 5, ago=70 * 60_000)  # longer ago than an hour
    job = uuid7()
    store.stream.job(job, kind="timed")
    store.stream.started(job)
    store.stream.failed(job, kind="timed")
    store.stream.started(job, attempt=2)
    store.stream.buried(job, attempt=2, kind="timed")
    store.until_current()
    hour = one(store, "timed")["last_hour"]
    assert (hour["completed"], hour["failed_attempts"], hour["dead"]) == (5, 2, 1)
    times = hour["duration_ms"]
    assert 18 <= times["p50"] <= 22 and 940 <= times["p95"] <= 1060 and times["p99"] == times["p95"]
    counts = one(store, "timed")["counts"]
    assert (counts["completed"], counts["dead"], counts["pending"]) == (6, 1, 0)
    assert types(store)["timed"]["last_hour"] == hour


def test_unhandled_is_there(store):
    store.stream.job(uuid7(), kind="unhandled")
    store.until_current()
    seen = types(store)["unhandled"]
    assert (seen["workers"], seen["handled_by"], seen["counts"]["pending"]) == (0, [], 1)
    assert seen["last_hour"]["duration_ms"] == {"p50": None, "p95": None, "p99": None}


def test_a_pause_and_a_limit_make_a_type_known(store):
    record = {"record": "pause", "key": "type:paused", "v": 1, "paused": True, "paused_at": now_ms(), "by": "key k"}
    publish_control(store, record)
    until(lambda: is_known(store, "paused"), 20, "the pause is seen")
    seen = one(store, "paused")
    assert seen["paused"] is True and seen["parked"] is None  # there is no such queue
    assert types(store)["paused"]["paused"] is True
    assert not is_known(store, "paused", tenant="acme")
    publish_control(store, {**record, "key": "type:other/paused_for_one"})
    until(lambda: is_known(store, "paused_for_one"), 20, "the pause of one tenant is seen")
    seen = one(store, "paused_for_one")
    assert (seen["paused"], seen["paused_for"]) == (False, ["other"])
    assert types(store)["paused_for_one"]["paused_for"] == ["other"]


def publish_control(store, record):
    import pika  # only here
    with store.broker.pika(store.vhost, "warren-provision",
                           (store.broker.secrets / "warren-provision.password").read_text().strip()) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("control", "", json.dumps(record), pika.BasicProperties(
            user_id="warren-provision", content_type="application/json", delivery_mode=2))


def test_tenant_view(store):
    ended(store, "shared", 10)
    ended(store, "shared", 1000, tenant="other")
    ended(store, "private", 5, tenant="other")
    work(store, "host-a/1", ["shared", "private"])
    seen = one(store, "shared", tenant="acme")
    assert "handled_by" not in seen and seen["workers"] == 1
    assert (seen["last_hour"]["completed"], seen["counts"]["completed"]) == (1, 1)
    assert seen["last_hour"]["duration_ms"]["p99"] < 20
    assert one(store, "shared")["last_hour"]["completed"] == 2
    assert "private" not in types(store, tenant="acme") and not is_known(store, "private", tenant="acme")
    assert {"shared", "private"} <= set(types(store, tenant="other"))
    assert types(store, tenant="nobody") == {}


def test_many_types_are_bounded(store):
    names = [f"many.{n:04}" for n in range(1100)]
    for name in names:
        store.stream.job(uuid7(), kind=name)
    store.until_current()
    seen, cursor = [], None
    while True:
        page = store.get("/types", **({"cursor": cursor} if cursor else {}))
        seen += [one["name"] for one in page["types"]]
        assert len(page["types"]) <= 1000
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(set(seen)) and set(names) <= set(seen)
    page = store.get("/types", limit=2, cursor="many.0000")
    assert [one["name"] for one in page["types"]] == names[1:3] and page["next_cursor"] == names[2]
    assert store.request("GET", "/types", params={"tenant": "*", "limit": 1001}).status_code == 400
