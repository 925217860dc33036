# SPDX-License-Identifier: Apache-2.0
"""Limits by the command, from setting one to replacing its lost slots."""
import json

import pytest

from cli_rig import EXIT, Cli
from harness.until import until


@pytest.fixture(scope="module")
def cli(warren, tmp_path_factory):
    return Cli(warren, warren.tenant("acme", max_running=3).key, tmp_path_factory.mktemp("home"))


def wrong(cli):
    checks = json.loads(cli("doctor", "--json").stdout)["checks"]
    return [(check["check"], check["problem"], check["remedy"])
            for check in checks if check["state"] == "wrong"]


def version(cli):
    return cli.json("tenant", "show", "acme")["tenant"]["slots_version"]


def test_what_a_tenant_uses(warren, cli):
    ids = [warren.api.submit("sleep", {"ms": 8000})["id"] for _ in range(4)]
    until(lambda: cli.json("tenant", "show", "acme")["used"] == {"running": 3, "pending": 1}, 30,
          "three of them run")
    shown = [line.rsplit(None, 1) for line in cli("tenant", "show", "acme").stdout.splitlines()]
    assert ["max running", "3"] in shown and ["running now", "3"] in shown
    for id in ids:
        assert cli("get", id, "--wait").returncode == EXIT["done"]


@pytest.mark.parametrize("lose, problem", [
    ("/contents", "tenant acme: its slots are lost: jobs wait and none runs"),
    ("", "tenant acme: the queue of its slots is missing"),
], ids=["purged", "deleted"])
def test_lost_slots_are_replaced(warren, cli, lose, problem):
    """The doctor's remedy helps."""
    until(lambda: wrong(cli) == [], 60, "all is well")
    unused = {"running": 0, "pending": 0}
    until(lambda: cli.json("tenant", "show", "acme")["used"] == unused, 30, "no slot is held")
    before = version(cli)
    warren.broker.management("DELETE", f"/api/queues/{warren.vhost}/slots.acme.{before}{lose}")
    job = cli.json("submit", "noop")["id"]
    found = [("limits", problem, "run: warren tenant slots acme")]
    until(lambda: wrong(cli) == found, 90, "the doctor finds it (counts are 5 s late)")
    assert cli("tenant", "slots", "acme").stdout == "the slots of tenant acme are replaced\n"
    assert version(cli) == before + 1
    assert cli("get", job, "--wait").returncode == EXIT["done"]
    until(lambda: wrong(cli) == [], 60, "all is well")


def test_types(warren, cli):
    listed = cli.json("type", "list")["types"]
    assert cli.json("type", "set", "noop", "--max-running", "2", "--max-rate", "50/1s")["type"][
        "max_rate"] == "50/1s"
    assert [made["name"] for made in cli.json("type", "list")["types"]] == (
        sorted([made["name"] for made in listed] + ["noop"]))
    shown = [line.rsplit(None, 1) for line in cli("type", "show", "noop").stdout.splitlines()]
    assert shown[:3] == [["type", "noop"], ["max running", "2"], ["max rate", "50/1s"]]
    assert wrong(cli) == []
    warren.broker.management("DELETE", f"/api/queues/{warren.vhost}/cooling-type.noop.1")
    assert wrong(cli) == [("limits", "type noop: the queue of its rate tokens is missing",
                           "run: warren type slots noop")]
    assert cli("type", "slots", "noop").returncode == EXIT["done"]
    assert wrong(cli) == []
    refused = cli("type", "set", "noop", "--max-running", "0")
    assert refused.returncode == EXIT["refused"]
    assert refused.stderr.startswith("warren: max_running: ") and "unlimited" in refused.stderr
    assert cli("type", "set", "noop", "--max-running", "unlimited", "--max-rate",
               "unlimited").returncode == EXIT["done"]
    gone = cli("type", "show", "noop")
    assert gone.returncode == EXIT["not found"] and "has no limits" in gone.stderr
    without = cli("tenant", "set", "acme", "--max-running", "unlimited")
    assert without.returncode == EXIT["done"]
    none = cli("tenant", "slots", "acme")
    assert none.returncode == EXIT["refused"] and "no running limit" in none.stderr
