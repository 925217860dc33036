# SPDX-License-Identifier: Apache-2.0
"""The commands about limits: what they ask the gateway, which a stand-in answers, and what they show."""
import json
import os
import subprocess

import pytest

from cli_rig import EXIT
from harness.broker import BIN

TENANT = {"name": "acme", "rate": "10/1m", "burst": 10, "max_running": 5, "max_pending": 100000,
          "weight": 1, "paused": False, "amqp_login": False, "created_at": "2026-01-01T00:00:00.000Z"}
MAIL = {"name": "send.mail", "max_running": 50, "max_rate": "10/1s", "slots_version": 2,
        "rate_version": 1}


@pytest.fixture()
def warren(service, tmp_path):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WARREN_URL": service.url,
           "WARREN_ADMIN_KEY": "wk_admin"}
    return lambda *words: subprocess.run([BIN / "warren", *words], env=env, text=True, timeout=60,
                                         capture_output=True, check=False)


@pytest.mark.parametrize("words, method, path, body", [
    (["tenant", "add", "acme", "--rate", "9/1s", "--burst", "3", "--max-running", "7",
      "--max-pending", "unlimited", "--weight", "2"], "POST", "/tenants",
     {"name": "acme", "rate": "9/1s", "burst": 3, "max_running": 7, "max_pending": "unlimited",
      "weight": 2}),
    (["tenant", "set", "acme", "--max-running", "unlimited"], "PATCH", "/tenants/acme",
     {"max_running": "unlimited"}),
    (["tenant", "slots", "acme"], "POST", "/tenants/acme/slots", None),
    (["type", "list"], "GET", "/types", None),
    (["type", "show", "send.mail"], "GET", "/types/send.mail", None),
    (["type", "set", "send.mail", "--max-running", "50", "--max-rate", "10/1s"], "PATCH",
     "/types/send.mail", {"max_running": 50, "max_rate": "10/1s"}),
    (["type", "set", "send.mail", "--max-rate", "unlimited"], "PATCH", "/types/send.mail",
     {"max_rate": "unlimited"}),
    (["type", "slots", "send.mail"], "POST", "/types/send.mail/slots", None),
])
def test_what_is_asked(service, warren, words, method, path, body):
    done = warren(*words)
    assert done.returncode == EXIT["done"], done.stderr
    (asked,) = service.asked
    assert (asked["method"], asked["path"]) == (method, "/api/v1" + path)
    assert asked["headers"]["Authorization"] == "Bearer wk_admin"
    assert (json.loads(asked["body"]) if asked["body"] else None) == body


def test_a_tenant_shows_what_it_uses(service, warren):
    answer = {"tenant": {**TENANT, "slots_version": 3}, "keys": [], "used": {"running": 3, "pending": 17}}
    service.answers["GET", "/api/v1/tenants/acme"] = (200, answer)
    lines = warren("tenant", "show", "acme").stdout.splitlines()
    assert "max running     5" in lines
    assert lines[-3:] == ["running now     3 of 5", "pending now     17 of 100000",
                          "slots queue     slots.acme.3"]
    assert json.loads(warren("tenant", "show", "acme", "--json").stdout) == answer


def test_types_are_shown(service, warren):
    service.answers["GET", "/api/v1/types"] = (
        200, {"types": [MAIL, {"name": "b", "max_running": "unlimited", "max_rate": "1/1d", "workers": 3, "paused": True,
                               "counts": {"pending": 4, "running": 2},
                               "last_hour": {"failed_attempts": 1, "duration_ms": {"p95": 41}}}]})
    service.answers["GET", "/api/v1/types/send.mail"] = (200, {"type": MAIL})
    listed = warren("type", "list")
    assert [line.split() for line in listed.stdout.splitlines()] == [
        ["TYPE", "WORKERS", "PENDING", "RUNNING", "RUN", "P95", "FAILED", "MAX", "RUNNING", "MAX", "RATE",
         "PAUSED", "PAUSED", "FOR"],
        ["send.mail", "50", "10/1s"], ["b", "3", "4", "2", "41ms", "1", "unlimited", "1/1d", "yes"]]
    assert listed.stderr == "next: warren type show send.mail\n"
    service.answers["GET", "/api/v1/types"] = (200, {"types": []})
    assert warren("type", "list").stderr == (
        "no job type is known: no consumer handles one, and there are no jobs\n")
    shown = warren("type", "show", "send.mail").stdout
    assert [line.rsplit(None, 1) for line in shown.splitlines()] == [
        ["type", "send.mail"], ["max running", "50"], ["max rate", "10/1s"],
        ["slots queue", "slots-type.send.mail.2"], ["rate queue", "rates-type.send.mail.1"]]


def test_a_limit_that_is_not_in_force_says_so(service, warren):
    answer = {"tenant": {**TENANT, "slots_version": None}, "keys": [], "used": {"running": 0, "pending": 0}}
    service.answers["GET", "/api/v1/tenants/acme"] = (200, answer)
    assert warren("tenant", "show", "acme").stdout.splitlines()[-1] == (
        "slots queue     not made yet: the limit is not in force")
    service.answers["GET", "/api/v1/tenants/acme"] = (200, {"tenant": {
        **TENANT, "max_running": "unlimited", "slots_version": None}, "used": {"running": 2, "pending": 0}})
    assert warren("tenant", "show", "acme").stdout.splitlines()[-2:] == [
        "running now     2", "pending now     0 of 100000"]


@pytest.mark.parametrize("of", ["tenant", "type"])
def test_tokens_are_replaced(service, warren, of):
    service.answers["POST", f"/api/v1/{of}s/acme/slots"] = (202, {of: {"name": "acme"}})
    assert warren(of, "slots", "acme").stdout == f"{of} acme: new tokens are in force\n"
    assert json.loads(warren(of, "slots", "acme", "--json").stdout) == {of: {"name": "acme"}}


@pytest.mark.parametrize("of, member", [("tenant", "slots"), ("type", "slots"), ("type", "rate")])
def test_tokens_that_take_long(service, warren, of, member):
    service.answers["POST", f"/api/v1/{of}s/acme/slots"] = (202, {of: {
        "name": "acme", {"slots": "max_running", "rate": "max_rate"}[member]: 5, f"{member}_version": None}})
    assert warren(of, "slots", "acme").stdout == (
        f"{of} acme: new tokens are being made; see 'warren {of} show acme'\n")


@pytest.mark.parametrize("words, status, problem, want, says", [
    (["type", "set", "x"], 0, {}, "usage", "nothing to set; see 'warren type set --help'"),
    (["type", "set", "x", "--max-running", "0"], 422,
     {"detail": "bad", "errors": [{"pointer": "/max_running", "detail": "1 to 10000, or unlimited"}]},
     "refused", "warren: --max-running: 1 to 10000, or unlimited"),
    (["type", "show", "x"], 404, {"detail": "type x has no limits"}, "not found", "has no limits"),
    (["tenant", "slots", "x"], 404, {"detail": "no such tenant"}, "not found", "no such tenant"),
    (["type", "list"], 403, {"detail": "this API key does not have the scope for that"},
     "not allowed", "set WARREN_ADMIN_KEY to a key that has it"),
    (["type", "slots", "x"], 503, {"detail": "the broker is away"}, "unreachable",
     "the broker is away\n  try again in 7 s"),
])
def test_refusals(service, warren, words, status, problem, want, says):
    for method in ("GET", "PATCH"):
        service.answers[method, "/api/v1/types/x"] = (status, problem)
    service.answers["GET", "/api/v1/types"] = (status, problem)
    for of in ("types", "tenants"):
        service.answers["POST", f"/api/v1/{of}/x/slots"] = (status, problem)
    done = warren(*words)
    assert done.returncode == EXIT[want] and done.stdout == "" and says in done.stderr
