# SPDX-License-Identifier: Apache-2.0
"""The commands why, workers and queues: what they ask the gateway, which a stand-in answers, and what they
show."""
import json
import os
import subprocess

import pytest

from cli_rig import EXIT
from harness.broker import BIN

ID = "0190a000-0000-7000-8000-000000000001"
WHY = {"id": ID, "status": "pending", "code": "no_slot", "since": "2026-01-01T00:00:00.000Z", "next": None,
       "text": "all 5 slots of tenant acme are in use", "also": ["behind"],
       "evidence": {"limit": 5, "free": None, "running": 5, "ahead": 0, "version": 3,
                    "ahead_is_capped": False, "holders_left_out": 0, "lanes": {"high": 3, "low": 1},
                    "holders": [{"id": ID[:-1] + "2", "tenant": "acme", "type": "export",
                                 "worker": "host-a/4711", "started_at": "2026-01-01T00:00:00.000Z",
                                 "timeout_ms": 600000}]}}
RUN = {"id": ID, "tenant": "acme", "type": "mail", "attempt": 2, "since": "2026-01-01T00:00:00.000Z",
       "timeout_ms": None, "elapsed_ms": 5, "ended": True}
WORKERS = {"unhandled_types": ["export"], "next_cursor": None, "workers": [
    {"worker": "host-a/1", "status": "up", "last_seen": "2026-01-01T00:00:00.000Z", "concurrency": 4,
     "busy": 3, "types": ["mail", "noop"], "running": [], "others_running": 2},
    {"worker": "host-b/2", "status": "lost", "last_seen": "2026-01-01T00:00:00.000Z", "concurrency": 4,
     "busy": 1, "types": ["mail"], "running": [RUN], "others_running": 0}]}
LANE = {"lane": "high", "ready": 40, "running": 5, "waiting": 41, "oldest_at": None}
QUEUES = {"next_cursor": "acme", "queues": [
    {"tenant": "acme", "paused": True, "lanes": [LANE, dict(LANE, lane="low", ready=0, running=0, waiting=0)],
     "slots": {"limit": 5, "used": 5, "free": 0}, "rate": {"limit": "10/1m", "left": 3}, "drain_seconds": 19, "parked": 7},
    {"tenant": "idle", "paused": False, "lanes": [dict(LANE, ready=None, running=0, waiting=0)],
     "slots": None, "rate": None, "drain_seconds": 0}]}

TIMES = {"p50": 30, "p95": 61, "p99": 120}
BUCKET = {"at": "2026-01-01T00:00:00.000Z", "submitted": 12, "completed": 11, "failed_attempts": 1, "retried": 1,
          "dead": 0, "latency_ms": TIMES, "wait_ms": {"p50": None, "p95": None, "p99": None}, "duration_ms": TIMES}
SERIES = {"step_seconds": 60, "buckets": [BUCKET, {**BUCKET, "partial": True}]}


@pytest.fixture()
def warren(service, tmp_path):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WARREN_URL": service.url}

    def run(*words, keys=("API",)):
        given = {f"WARREN_{name}_KEY": f"wk_{name}" for name in keys}
        return subprocess.run([BIN / "warren", *words], env=env | given, text=True, timeout=60,
                              capture_output=True, check=False)
    return run


def cells(done):
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize("words, path, answer", [
    (["why", ID], f"/jobs/{ID}/why", WHY),
    (["workers", "--running"], "/workers", WORKERS),
    (["workers", "--limit", "3", "--cursor", "host-a/1"], "/workers?limit=3&cursor=host-a%2F1", WORKERS),
    (["queues"], "/queues", QUEUES),
    (["stats", "--minutes", "10", "--step", "5"], "/stats/timeseries?minutes=10&step=5", SERIES),
    (["queues", "--tenant", "acme"], "/queues?tenant=acme", QUEUES),
])
def test_what_is_asked(service, warren, words, path, answer):
    service.answers["GET", "/api/v1" + path.split("?")[0]] = (200, answer)
    done = warren(*words, "--json")
    assert done.returncode == EXIT["done"], done.stderr
    assert json.loads(done.stdout) == answer
    (asked,) = service.asked
    assert (asked["method"], asked["path"]) == ("GET", "/api/v1" + path.split("?")[0])
    assert asked["headers"]["Authorization"] == "Bearer wk_API"


@pytest.mark.parametrize("words, path", [
    (["list"], "/jobs"), (["get", ID, "--events"], f"/jobs/{ID}/events"), (["why", ID], f"/jobs/{ID}/why"),
    (["find", ID], "/lookup"), (["queues"], "/queues"), (["stats"], "/stats"), (["audit"], "/audit"),
    (["type", "list"], "/types"), (["type", "show", "mail"], "/types/mail"), (["operations"], "/operations"),
    (["pause", "--list"], "/pauses"), (["dlq", "list"], "/dlq"), (["dlq", "show", ID], f"/dlq/{ID}"),
    (["dlq", "requeue", ID], f"/dlq/{ID}/requeue"), (["cancel", ID], f"/jobs/{ID}/cancel"),
])
def test_which_key_is_taken(service, warren, words, path):
    """With --tenant the admin's, else the user's; the other one when that is not given."""
    for tenant, keys, want in [([], ["API", "ADMIN"], "API"), (["--tenant", "acme"], ["API", "ADMIN"], "ADMIN"),
                               ([], ["ADMIN"], "ADMIN"), (["--tenant", "acme"], ["API"], "API")]:
        service.asked.clear()
        warren(*words, *tenant, "--json", keys=keys)
        (asked,) = service.asked
        assert (asked["path"], asked["headers"]["Authorization"]) == ("/api/v1" + path, f"Bearer wk_{want}")
        assert ("tenant=acme" in asked["query"]) == bool(tenant)


def test_the_audit_shows_whom_an_act_concerned(service, warren):
    act = {"at": "2026-01-01T00:00:00.000Z", "by": "key k1", "what": "jobs.cancel.preview", "target": "jobs",
           "tenant": "acme", "detail": {"query": "type=mail&status=pending"}, "status": 200, "origin": "10.0.0.7"}
    service.answers["GET", "/api/v1/audit"] = (200, {"acts": [act], "next_cursor": None})
    titles, row = cells(warren("audit"))
    assert titles[-1] == "FILTER" and "TENANT" in titles
    assert "acme" in row and row[-1] == "type=mail&status=pending"
    assert "jobs.cancel.preview" in warren("audit", "--help").stdout


def test_the_audit_needs_operate(service, warren):
    service.answers["GET", "/api/v1/audit"] = (403, {"status": 403, "title": "Forbidden",
                                                     "detail": "this API key does not have the scope for that"})
    refused = warren("audit")
    assert refused.returncode == EXIT["not allowed"] and "needs the scope 'operate'" in refused.stderr


def test_why_is_shown(service, warren):
    service.answers["GET", f"/api/v1/jobs/{ID}/why"] = (200, WHY)
    done = warren("why", ID)
    assert done.stdout.startswith("all 5 slots of tenant acme are in use\n\n")
    lines = [" ".join(line) for line in cells(done)]
    for line in (f"job {ID}", "status pending", "code no_slot", "also behind", "limit 5", "running 5",
                 "ahead 0", "lanes high 3, low 1"):
        assert line in lines, done.stdout
    nothing = ("free", "version", "ahead is capped", "holders left out")
    assert not [line for line in lines if line.startswith(nothing)], "what says nothing is left out"
    assert lines[-2] == "HOLDER TENANT TYPE STARTED TIMEOUT WORKER"
    assert lines[-1].startswith(f"{ID[:-1]}2 acme export") and lines[-1].endswith("host-a/4711")


def test_a_job_that_does_not_wait(service, warren):
    service.answers["GET", f"/api/v1/jobs/{ID}/why"] = (200, {
        "id": ID, "status": "running", "code": None, "since": None, "next": None, "text": "it runs",
        "evidence": {}, "also": []})
    done = warren("why", ID)
    assert done.returncode == EXIT["done"]
    assert done.stdout.startswith("it runs\n\n")
    service.answers["GET", f"/api/v1/jobs/{ID}/why"] = (404, {"detail": "there is no such job"})
    assert warren("why", ID).returncode == EXIT["not found"]


def test_workers_are_shown(service, warren):
    service.answers["GET", "/api/v1/workers"] = (200, WORKERS)
    shown = cells(warren("workers"))
    assert " ".join(shown[0]) == "jobs wait that no live worker handles: export"
    assert shown[2] == ["WORKER", "STATUS", "BUSY", "SEEN", "TYPES"]
    assert shown[3][:5] == ["host-a/1", "up", "3", "of", "4"] and shown[3][-2:] == ["mail,", "noop"]
    assert shown[4][:2] == ["host-b/2", "lost"]
    running = cells(warren("workers", "--running"))
    assert ["host-a/1"] in running and "jobs of other tenants: 2".split() in running
    (row,) = [row for row in running if row[:1] == [ID]]
    assert row[:4] == [ID, "acme", "mail", "2"] and row[-1] == "yes"


def test_queues_are_shown(service, warren):
    service.answers["GET", "/api/v1/queues"] = (200, QUEUES)
    shown = cells(warren("queues"))
    assert shown[0] == ["TENANT", "LANE", "WAITING", "READY", "RUNNING", "OLDEST", "PARKED", "SLOTS", "RATE", "DRAIN"]
    assert " ".join(shown[1]) == "acme (paused) high 41 40 5 - 7 5 of 5 3 left of 10/1m 19s"
    assert " ".join(shown[2]) == "idle - - - - - - - - -"
    assert " ".join(shown[3]) == "more: --cursor acme"
    assert len(shown) == 4


def test_queues_of_no_tenant(service, warren):
    service.answers["GET", "/api/v1/queues"] = (200, {"queues": [], "next_cursor": None})
    done = warren("queues", "--tenant", "nobody")
    assert (done.returncode, done.stdout) == (EXIT["not found"], "")
    assert "there is no tenant nobody" in done.stderr
    assert warren("queues").returncode == EXIT["done"]


def test_a_series_has_a_row_for_each_bucket(service, warren):
    service.answers["GET", "/api/v1/stats/timeseries"] = (200, SERIES)
    done = warren("stats", "--minutes", "2")
    assert cells(done)[0][:3] == ["AT", "SUBMITTED", "COMPLETED"]
    first, last = cells(done)[1:]
    assert first == [BUCKET["at"], "12", "11", "1", "0", "30ms", "61ms", "120ms"]
    assert last == [BUCKET["at"], "(so", "far)", *first[1:]]
    assert warren("stats", "--step", "5").returncode == EXIT["usage"]
