# SPDX-License-Identifier: Apache-2.0
"""Idempotency keys in batches, against a whole Warren: each job's own, or one for the whole."""
import secrets

import pytest

from batch_rig import FORMS, refused
from gateway_rig import LANES, check_problem
from harness.batches import accepted, check
from harness.until import until
from keyed_rig import IN_FLIGHT, REUSED, Moment, send as submit


def send(api, jobs, key=None, form="array", query=""):
    write, media = FORMS[form]
    headers = {"Content-Type": media, **({"Idempotency-Key": key} if key else {})}
    return api.request("POST", "/jobs/batch" + query, data=write(jobs), headers=headers)


def first_of(jobs):
    """What each entry said first."""
    return [{name: value for name, value in job.items() if name not in ("replayed", "told")} for job in jobs]


def jobs_of(key, count):
    return [{"type": "noop", "payload": i, "idempotency_key": f"{key}-{i}"} for i in range(count)]


@pytest.mark.parametrize("count", [1, 64, 300])
@pytest.mark.parametrize("form", FORMS)
def test_one_key_for_the_whole(api, key, form, count):
    jobs = [{"type": "noop", "payload": i} for i in range(count)]
    answer = send(api, jobs, key, form)
    first, cut = check(answer)
    assert cut is None and len(accepted(first)) == count
    assert "Idempotent-Replayed" not in answer.headers
    again = send(api, jobs, f'"{key}"', form)
    assert again.headers["Idempotent-Replayed"] == "true"
    entries, _ = check(again)
    assert all(job["replayed"] for job in entries) and first_of(entries) == first_of(first)
    alone = submit(api, f"{key}/0", payload=0)
    assert alone.status_code == 202 and alone.json()["id"] == first[0]["id"]


def test_each_with_its_own(api, key):
    jobs = jobs_of(key, 100)
    first, _ = check(send(api, jobs[:50]))
    second = send(api, [{"type": "noop"}, *jobs], form="lines")
    assert "Idempotent-Replayed" not in second.headers
    entries, _ = check(second)
    assert "replayed" not in entries[0] and first_of(entries[1:51]) == first_of(first)
    assert [job.get("replayed", False) for job in entries] == [False] + [True] * 50 + [False] * 50
    assert api.wait(entries[100]["id"])["status"] == "completed"
    until(lambda: api.get(entries[100]["id"])["idempotency_key"] == f"{key}-99", what="its submission is read")


def test_each_is_judged_on_its_own(api, key):
    known, _ = check(send(api, [{"type": "noop", "idempotency_key": key}]))
    jobs, _ = check(send(api, [
        {"type": "noop", "idempotency_key": f"{key}+"},
        {"type": "noop", "payload": 1, "idempotency_key": key},
        {"type": "noop", "idempotency_key": ""},
        {"type": "noop", "idempotency_key": key}]))
    assert "replayed" not in jobs[0]
    assert refused(jobs[1], 422, "/1/idempotency_key")["type"] == REUSED
    refused(jobs[2], 422, "/2/idempotency_key")
    assert jobs[3]["replayed"] and jobs[3]["id"] == known[0]["id"]


def test_the_same_key_twice(api, key):
    """The second is in flight, or replays when the first was confirmed before it was read."""
    jobs, _ = check(send(api, [{"type": "noop", "idempotency_key": key}] * 3))
    for job in jobs[1:]:
        assert job.get("id") == jobs[0]["id"] or refused(job, 409)["type"] == IN_FLIGHT
    assert refused(jobs[1], 409)["retry_after"] >= 1  # asked for in the same call


def test_a_key_of_its_own_beside_one_for_the_whole(api, key):
    jobs, _ = check(send(api, [{"type": "noop"}, {"type": "noop", "idempotency_key": "x"}], key))
    assert len(accepted(jobs)) == 1
    refused(jobs[1], 422, "/1/idempotency_key", "differs")


@pytest.mark.parametrize("bad", ["", '"a', "a" * 251])
def test_a_key_for_the_whole_that_is_none(api, bad):
    headers = {"Content-Type": "application/json", "Idempotency-Key": bad}
    check_problem(api.request("POST", "/jobs/batch", data=b'[{"type":"noop"}]', headers=headers), 400)


def test_replays_are_free_of_the_rate(warren, key):
    tenant = warren.tenant(f"slow-{secrets.token_hex(4)}", rate="5/1h", burst=5).api
    jobs = jobs_of(key, 8)
    first, _ = check(send(tenant, jobs))
    assert len(accepted(first)) == 5
    again, _ = check(send(tenant, jobs))
    assert first_of(again[:5]) == first_of(first[:5])
    for job in again[5:]:
        refused(job, 429, words="faster than its rate")


def test_replays_leave_the_rate_to_the_others(warren, key):
    """The same batch again, until all of it is accepted. Its replays take no tokens from the rest of it."""
    tenant = warren.tenant(f"slow-{secrets.token_hex(4)}", rate="5/1s", burst=5).api
    jobs = jobs_of(key, 20)

    def all_accepted():
        entries, _ = check(send(tenant, jobs))
        return len(accepted(entries)) == 20 and entries

    entries = until(all_accepted, 60, "all are accepted", every=0.3)
    assert len(set(accepted(entries))) == 20


def test_jobs_that_come_too_late_leave_the_rate_to_the_others(warren, key):
    tenant = warren.tenant(f"slow-{secrets.token_hex(4)}", rate="5/1h", burst=5).api
    late = [{"expires": "2000-01-01T00:00:00Z", **job} for job in jobs_of(key + "-late", 3)]
    jobs, _ = check(send(tenant, late + jobs_of(key, 6)))
    for index, job in enumerate(jobs[:3]):
        refused(job, 422, f"/{index}/expires")
    assert len(accepted(jobs)) == 5


def test_replays_after_their_expiry(api, key):
    end = Moment(2.5)
    jobs = [{"expires": end.text, **job} for job in jobs_of(key, 3)]
    first, _ = check(send(api, jobs[:2]))
    end.until_past()
    answer = send(api, jobs, form="lines")
    entries, _ = check(answer)
    assert first_of(entries[:2]) == first_of(first) and [job["replayed"] for job in entries[:2]] == [True] * 2
    problem = refused(entries[2], 422, "/2/expires", "later than now")
    assert problem["errors"][0]["line"] == 3
    dry, _ = check(send(api, jobs, query="?dry_run=true"), 200)
    assert [job["replays"] for job in dry[:2]] == accepted(first)
    refused(dry[2], 422, "/2/expires")


def test_replays_of_a_body_that_is_not_whole(api, key):
    """Only what was read has replayed."""
    def send_half():
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return api.request("POST", "/jobs/batch", data=b'[{"type":"noop"},{"type":"noop"}', headers=headers)

    first, cut = check(send_half())
    assert cut["status"] == 400
    again = send_half()
    entries, cut = check(again)
    assert cut["status"] == 400 and all(job["replayed"] for job in entries)
    assert first_of(entries) == first_of(first) and "Idempotent-Replayed" not in again.headers


def test_the_primary_is_away(fresh_warren, key):
    """Keyed jobs are refused, others go on; later the same again makes them."""
    api = fresh_warren.api
    fresh_warren.status_store.kill()
    jobs = [{"type": "noop"}, *jobs_of(key, 2), {"type": "noop"}]
    entries, _ = check(send(api, jobs))
    assert len(accepted(entries)) == 2
    for job in entries[1:3]:
        assert refused(job, 503)["retry_after"] >= 1
    fresh_warren.status_store.start()

    def all_there():
        entries, _ = check(send(api, jobs[1:3]))
        return len(accepted(entries)) == 2

    until(all_there, 60, "keys are claimed again")


# Dry runs.


def test_dry_run_of_one(warren, api, key):
    dry = api.request("POST", "/jobs?dry_run=true", json={"type": "noop", "delay": "1h", "timeout": "11m"})
    assert dry.status_code == 200 and "Location" not in dry.headers, dry.text
    found = dry.json()
    assert found.pop("run_at").endswith("Z")
    assert found == {"dry_run": True, "status": "scheduled", "type": "noop", "priority": "medium",
                     "tenant": found["tenant"], "lane": "long", "expires_at": None}
    first = submit(api, key).json()
    dry = api.request("POST", "/jobs?dry_run=true", json={"type": "noop"}, headers={"Idempotency-Key": key})
    assert dry.json()["replays"] == first["id"]
    problem = check_problem(api.request("POST", "/jobs?dry_run=true", json={"type": "noop", "payload": 1},
                                        headers={"Idempotency-Key": key}), 422)
    assert problem["type"] == REUSED
    check_problem(api.request("POST", "/jobs?dry_run=true", json={"type": "No"}), 422, "/type")
    check_problem(api.request("POST", "/jobs?dry_run=1", json={"type": "noop"}), 400)


def test_dry_run_takes_nothing(warren, key):
    tenant = warren.tenant(f"dry-{secrets.token_hex(4)}", rate="3/1h", burst=3, max_pending=2).api
    warren.consumer.stop()
    before = warren.gateway.metrics()
    for _ in range(5):
        answer = tenant.request("POST", "/jobs?dry_run=true", json={"type": "noop"},
                                headers={"Idempotency-Key": key})
        assert answer.status_code == 200 and '"tenant";r=3;' in answer.headers["RateLimit"]
    for _ in range(2):
        jobs, _ = check(send(tenant, [{"type": "noop"}] * 5, query="?dry_run=true"), 200)
        assert [job.get("dry_run") for job in jobs] == [True, True, None, None, None]
        refused(jobs[2], 429, words="2 jobs pending")
    assert [warren.depth(f"jobs.{tenant.tenant}.{lane}") for lane in LANES] == [0] * len(LANES)
    after = warren.gateway.metrics()
    assert after.sum("warren_dry_runs_total") - before.sum("warren_dry_runs_total") == 15
    for name in ("warren_jobs_submitted_total", "warren_submissions_refused_total"):
        assert after.sum(name) == before.sum(name)
    entries, _ = check(send(tenant, [{"type": "noop"}] * 5, key))
    assert len(accepted(entries)) == warren.depth(f"jobs.{tenant.tenant}.medium") == 2
    check_problem(tenant.request("POST", "/jobs?dry_run=true", json={"type": "noop"}), 429, words="pending")
    warren.consumer.start()


def test_dry_run_of_a_rate(warren):
    tenant = warren.tenant(f"dry-{secrets.token_hex(4)}", rate="3/1h", burst=3).api
    for _ in range(2):
        jobs, _ = check(send(tenant, [{"type": "noop"}] * 5, query="?dry_run=true"), 200)
        assert "dry_run" in jobs[2]
        assert 1190 <= refused(jobs[3], 429, words="faster")["retry_after"] <= 1200
    assert len(accepted(check(send(tenant, [{"type": "noop"}] * 5))[0])) == 3


def test_dry_run_of_replays_and_a_rate(warren, key):
    """Replays leave the tokens that they looked at to the others."""
    tenant = warren.tenant(f"dry-{secrets.token_hex(4)}", rate="6/1h", burst=6).api
    jobs = jobs_of(key, 8)
    first, _ = check(send(tenant, jobs[:3]))
    for _ in range(2):
        entries, _ = check(send(tenant, jobs, query="?dry_run=true"), 200)
        assert [job["replays"] for job in entries[:3]] == accepted(first)
        assert all(job["dry_run"] for job in entries[3:6])
        for job in entries[6:]:
            refused(job, 429, words="faster")


def test_dry_run_of_keys(api, key):
    old, _ = check(send(api, [{"type": "noop", "idempotency_key": key}]))
    jobs = [{"type": "noop", "idempotency_key": key}, {"type": "noop", "idempotency_key": f"{key}+"},
            {"type": "noop", "idempotency_key": f"{key}+"},
            {"type": "noop", "payload": 1, "idempotency_key": f"{key}+"}]
    for _ in range(2):
        entries, _ = check(send(api, jobs, query="?dry_run=true"), 200)
        assert entries[0]["replays"] == old[0]["id"] and entries[1]["dry_run"]
        assert refused(entries[2], 409)["type"] == IN_FLIGHT
        assert refused(entries[3], 422, "/3/idempotency_key")["type"] == REUSED


def test_dry_run_of_a_key_that_comes_too_late(api, key):
    """It is refused, so that its key is new to the next job."""
    job = {"type": "noop", "idempotency_key": key}
    jobs = [{"expires": "2000-01-01T00:00:00Z", **job}, job]
    entries, _ = check(send(api, jobs, query="?dry_run=true"), 200)
    refused(entries[0], 422, "/0/expires")
    assert entries[1]["dry_run"]
