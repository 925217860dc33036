# SPDX-License-Identifier: Apache-2.0
"""GET /queues: what waits and runs by tenant and lane, slots, rates, and how long it takes to drain."""
import pytest

from harness.until import until
from harness.warren import Warren


@pytest.fixture(name="whole", scope="module")
def whole_(broker, tmp_path_factory):
    made = Warren(broker, tmp_path_factory.mktemp("warren"),
                  settings={"consumer": {"concurrency": 2, "no_handler_wait": "10m"}})
    yield made
    made.end()


def tenant(whole, name, **members):
    """A new tenant's API, once the store has read of it in `control`."""
    api = whole.tenant(name, **members).api
    until(lambda: queues(api)["queues"], 20, "the tenant is known")
    return api


def queues(api, **params):
    answer = api.request("GET", "/queues", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def queue(api, of="acme"):
    (one,) = [one for one in queues(api)["queues"] if one["tenant"] == of]
    return one


def lane(api, name, of="acme"):
    (one,) = [one for one in queue(api, of)["lanes"] if one["lane"] == name]
    return one


def busy(whole):
    """Two jobs that keep the consumer busy for some seconds; then nothing else starts."""
    jobs = [whole.api.submit("sleep", {"ms": 6000}, priority="critical")["id"] for _ in range(2)]
    for job in jobs:
        whole.api.wait(job, "running")
    return jobs


def test_counts_of_lanes(whole):
    jobs = busy(whole)
    waiting = [whole.api.submit("noop", priority=name)["id"] for name in ("high", "low", "low")]
    until(lambda: queue(whole.api)["waiting"] == 3, 20, "three wait")
    assert lane(whole.api, "low")["waiting"] == 2 and lane(whole.api, "high")["waiting"] == 1
    assert lane(whole.api, "critical")["running"] == queue(whole.api)["running"] == 2
    assert [one["lane"] for one in queue(whole.api)["lanes"]] == ["critical", "high", "medium", "low", "long"]
    ready = [one["ready"] for one in queue(whole.api)["lanes"]]
    assert all(count is not None for count in ready) and sum(ready) <= 3
    assert queue(whole.api)["counted_at"]
    for job in [*jobs, *waiting]:
        whole.api.wait(job)
    until(lambda: queue(whole.api)["waiting"] == queue(whole.api)["running"] == 0, 20, "none is left")


def test_oldest(whole):
    first = whole.api.submit("unheard_of", priority="low")["id"]
    second = whole.api.submit("unheard_of", priority="high")["id"]
    until(lambda: queue(whole.api)["waiting"] == 2, 20, "two wait")
    assert queue(whole.api)["oldest_at"] == whole.api.get(first)["created_at"]
    assert lane(whole.api, "high")["oldest_at"] == whole.api.get(second)["created_at"]
    assert lane(whole.api, "medium")["oldest_at"] is None


def test_slots_and_rate(whole):
    api = tenant(whole, "limited", max_running=3, rate="10/1m", burst=10)
    job = api.submit("sleep", {"ms": 4000})["id"]
    api.wait(job, "running")
    seen = until(lambda: queue(api, "limited")["slots"]["used"] == 1 and queue(api, "limited"), 20, "one runs")
    assert (seen["slots"]["limit"], seen["slots"]["version"]) == (3, 1)
    assert seen["rate"]["limit"] == "10/1m" and seen["rate"]["burst"] == 10
    assert seen["rate"]["left"] == 9 and 0 < seen["rate"]["full_in_ms"] <= 6000
    # Ten seconds after its connect the primary uses what it counts.
    until(lambda: queue(api, "limited")["slots"]["free"] is not None, 30, "slots are counted")
    until(lambda: queue(api, "limited")["slots"]["free"] == 3, 30, "all slots are free again")
    assert queue(whole.api)["slots"] is None and queue(whole.api)["rate"] is None


def test_counts_unknown_after_restart(whole):
    """A broker that has just started counts 0 in every queue, so tokens are not counted at first; lanes are."""
    api = tenant(whole, "limited", max_running=3, rate="10/1m", burst=10)
    whole.status_store.restart()
    seen = until(lambda: api.request("GET", "/queues").status_code == 200 and queue(api, "limited"), 30, "an answer")
    assert seen["slots"]["free"] is None
    until(lambda: queue(api, "limited")["slots"]["free"] == 3, 30, "slots are counted")
    assert lane(api, "high", "limited")["ready"] == 0


def test_drain_estimate(whole):
    api = tenant(whole, "drained")
    for _ in range(4):
        api.run("noop")
    for _ in range(6):
        api.submit("unheard_of")
    seen = until(lambda: queue(api, "drained")["waiting"] == 6 and queue(api, "drained"), 20, "six wait")
    assert 0 < seen["starts_per_second"] <= 4
    assert seen["drain_seconds"] is None  # nobody handles these
    for job in [api.submit("sleep", {"ms": 5000}, priority="critical")["id"] for _ in range(2)]:
        api.wait(job, "running")
    for _ in range(3):
        api.submit("noop")
    seen = until(lambda: queue(api, "drained")["waiting"] == 9 and queue(api, "drained"), 20, "nine wait")
    assert abs(seen["drain_seconds"] - 3 / seen["starts_per_second"]) <= 1
    assert whole.admin.request("POST", "/tenants/drained/pause").status_code == 202
    until(lambda: queue(api, "drained")["drain_seconds"] is None, 10, "none of a paused tenant drain")
    assert queue(tenant(whole, "new"), "new")["drain_seconds"] is None


def test_a_tenant_sees_its_own(whole):
    other = tenant(whole, "other")
    assert [one["tenant"] for one in queues(other)["queues"]] == ["other"]
    assert other.request("GET", "/queues", params={"tenant": "acme"}).status_code == 403
    assert "acme" in [one["tenant"] for one in queues(whole.admin)["queues"]]
    assert [one["tenant"] for one in queues(whole.admin, tenant="acme")["queues"]] == ["acme"]


def test_pages(whole):
    for name in ("aa", "ab", "ac"):
        tenant(whole, name)
    found, cursor = [], {}
    while cursor is not None:
        page = queues(whole.admin, limit=2, **cursor)
        assert len(page["queues"]) <= 2
        found += [one["tenant"] for one in page["queues"]]
        cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
    assert found == sorted(found) and {"aa", "ab", "ac"} <= set(found)
    assert whole.admin.request("GET", "/queues?limit=201").status_code == 400
