# SPDX-License-Identifier: Apache-2.0
"""Limits by the command, from setting one to replacing its lost slots."""
import json

import pytest

from cli_rig import EXIT, Cli
from harness.until import until


@pytest.fixture(scope="module")
def cli(warren, tmp_path_factory):
    return Cli(warren, warren.tenant("acme", max_running=3).key, tmp_path_factory.mktemp("home"))


def limits_of(done):
    """[(state, problem, remedy)] of the doctor's check of limits."""
    return sorted((check["state"], check["problem"], check["remedy"])
                  for check in json.loads(done.stdout)["checks"] if check["check"] == "limits")


OK = [("ok", None, None)]


def versions(cli):
    """{"acme": 3, "noop": (1, 2)}"""
    tenants = cli.json("tenant", "list")["tenants"]
    types = cli.json("type", "list", WARREN_API_KEY=None)["types"]
    return ({made["name"]: made["slots_version"] for made in tenants} |
            {made["name"]: (made["slots_version"], made["rate_version"]) for made in types})


def take_away(warren, queue, count):
    with warren.pika() as connection:
        channel = connection.channel()
        for _ in range(count):
            assert channel.basic_get(queue, auto_ack=True)[0], f"a free token in {queue}"


def test_what_a_tenant_uses(warren, cli):
    ids = [warren.api.submit("sleep", {"ms": 12000})["id"] for _ in range(4)]
    until(lambda: cli.json("tenant", "show", "acme")["used"] == {"running": 3, "pending": 1}, 30,
          "three of them run")
    shown = cli("tenant", "show", "acme").stdout.splitlines()
    assert "max running     3" in shown and "running now     3 of 3" in shown
    queue = f"/api/queues/{warren.vhost}/{shown[-1].split()[-1]}"

    def counts():
        told = warren.broker.management("GET", queue)
        return told.get("messages_ready"), told.get("messages_unacknowledged")

    until(lambda: counts() == (0, 3), 20, "the console says: none free, three used")
    for id in ids:
        assert cli("get", id, "--wait").returncode == EXIT["done"]
    until(lambda: counts() == (3, 0), 20, "three free, none used")


LOST = [
    ("tenant acme, max running: tokens are lost: 0 of 3 are left", "tenant slots acme"),
    ("tenant half, max running: tokens are lost: 2 of 4 are left", "tenant slots half"),
    ("type echo, max running: tokens are lost: their queue is missing",
     "type slots echo"),
    ("type fail, max rate: tokens are lost: their queue is missing",
     "type slots fail"),
    ("type noop, max rate: tokens are lost: 5 of 10 are left", "type slots noop"),
    ("type noop, max running: tokens are lost: 0 of 2 are left", "type slots noop"),
]


@pytest.mark.soak
def test_lost_tokens_are_replaced(warren, cli):
    """One queue is purged, one deleted, others lose half. `doctor` finds it, `doctor --fix` mends it."""
    half = warren.tenant("half", max_running=4)
    warren.tenant("well", max_running=2)
    for words in (("echo", "--max-running", "5"), ("fail", "--max-rate", "10/1s"),
                  ("noop", "--max-running", "2", "--max-rate", "10/1s"), ("sleep", "--max-running", "9")):
        assert cli("type", "set", *words).returncode == EXIT["done"]
    unused = {"running": 0, "pending": 0}
    until(lambda: cli.json("tenant", "show", "acme")["used"] == unused, 30, "no slot is held")
    until(lambda: limits_of(cli("doctor", "--json")) == OK, 60, "all is well")
    before = versions(cli)
    for lose in (f"slots.acme.{before['acme']}/contents", "slots-type.noop.1/contents",
                 "slots-type.echo.1", "cooling-type.fail.1"):
        warren.broker.management("DELETE", f"/api/queues/{warren.vhost}/{lose}")
    take_away(warren, "slots.half.1", 2)
    take_away(warren, "rates-type.noop.1", 5)
    job = cli.json("submit", "noop")["id"]

    found = cli("doctor", "--json")
    assert found.returncode == EXIT["failed"]
    assert limits_of(found) == [
        ("wrong", problem, f"run: warren doctor --fix, or for this one: warren {words}")
        for problem, words in LOST]
    assert versions(cli) == before

    fixed = cli("doctor", "--fix", "--json")
    assert fixed.returncode == EXIT["done"] and json.loads(fixed.stdout)["healthy"]
    after = versions(cli)
    assert limits_of(fixed) == [
        ("fixed", f"{problem}; new ones are in force: version "
         f"{(after['acme'] if 'acme' in problem else 2)}", None) for problem, _ in LOST]
    assert after == before | {"acme": before["acme"] + 1, "half": 2, "echo": (2, None),
                              "fail": (None, 2), "noop": (2, 2)}
    assert cli("get", job, "--wait").returncode == EXIT["done"]
    ids = [half.api.submit("echo", 1)["id"] for _ in range(8)]
    assert all(half.api.wait(id)["status"] == "completed" for id in ids)
    assert limits_of(cli("doctor", "--fix", "--json")) == OK and versions(cli) == after
    for type in ("echo", "fail", "noop", "sleep"):
        assert cli("type", "set", type, "--max-running", "unlimited", "--max-rate",
                   "unlimited").returncode == EXIT["done"]


def test_tokens_in_use_are_not_lost(warren, cli):
    """Jobs start and end all the time: a token is free, used, cooling, or between two of these."""
    assert cli("type", "set", "noop", "--max-running", "2", "--max-rate", "40/1s").returncode == EXIT["done"]
    before = versions(cli)
    ids = [warren.api.submit("noop")["id"] for _ in range(600)]
    looks = 0
    while warren.api.get(ids[-1])["status"] != "completed":
        done = cli("doctor", "--fix", "--json")
        assert limits_of(done) == OK, done.stdout
        looks += 1
    assert looks >= 3 and versions(cli) == before
    assert cli("type", "set", "noop", "--max-running", "unlimited", "--max-rate",
               "unlimited").returncode == EXIT["done"]


def test_a_restarted_broker_has_lost_no_tokens(faulty_warren, tmp_path):
    """Its counts are 0 for some seconds."""
    warren = faulty_warren
    cli = Cli(warren, warren.tenant("acme", max_running=3).key, tmp_path)
    assert cli("type", "set", "noop", "--max-running", "2", "--max-rate", "40/1s").returncode == EXIT["done"]
    before = versions(cli)
    for restart in (warren.broker.restart, lambda: (warren.broker.kill(), warren.broker.start())):
        restart()
        until(lambda: cli("tenant", "list").returncode == EXIT["done"], 60, "the gateway answers")
        found = limits_of(cli("doctor", "--fix", "--json"))
        assert {state for state, _, _ in found} <= {"ok", "unknown"}, found
    until(lambda: limits_of(cli("doctor", "--json")) == OK, 60, "all is well")
    assert versions(cli) == before


def test_types(warren, cli):
    assert cli.json("type", "set", "unheard", "--max-running", "2", "--max-rate", "50/1s")["type"][
        "max_rate"] == "50/1s"
    assert "unheard" in [made["name"] for made in cli.json("type", "list", WARREN_API_KEY=None)["types"]]
    shown = [line.rsplit(None, 1) for line in cli("type", "show", "unheard", WARREN_API_KEY=None).stdout.splitlines()]
    assert shown[0] == ["type", "unheard"] and ["max running", "2"] in shown and ["max rate", "50/1s"] in shown
    assert cli("type", "slots", "unheard").stdout == "type unheard: new tokens are in force\n"
    assert cli("tenant", "slots", "acme").stdout == "tenant acme: new tokens are in force\n"
    refused = cli("type", "set", "unheard", "--max-running", "0")
    assert refused.returncode == EXIT["refused"]
    assert refused.stderr.startswith("warren: --max-running: ") and "unlimited" in refused.stderr
    assert cli("type", "set", "unheard", "--max-running", "unlimited", "--max-rate",
               "unlimited").returncode == EXIT["done"]
    gone = cli("type", "slots", "unheard")
    assert gone.returncode == EXIT["not found"] and "has no limits" in gone.stderr
    without = cli("tenant", "set", "acme", "--max-running", "unlimited")
    assert without.returncode == EXIT["done"]
    none = cli("tenant", "slots", "acme")
    assert none.returncode == EXIT["refused"] and "no running limit" in none.stderr
