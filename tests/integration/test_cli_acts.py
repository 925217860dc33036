# SPDX-License-Identifier: Apache-2.0
"""The commands that act on jobs by their ids, against a whole Warren."""
import datetime
import json

import pytest

from cli_rig import EXIT, Cli, dead_job
from harness.until import until

UNKNOWN = "0190f0f0-0000-7000-8000-000000000000"


def delayed(cli, *options):
    return cli.json("submit", "echo", '{"a": 1}', "--delay", "1h", *options)["id"]


def running(cli, ms):
    """The id of a job that runs."""
    id = cli.json("submit", "sleep", json.dumps({"ms": ms}))["id"]
    until(lambda: cli.json("get", id)["status"] == "running", 30, "the job runs")
    return id


def test_cancel_what_waits(cli):
    id = delayed(cli)
    done = cli("cancel", id)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT["done"], f"{id}  cancelled\n", "")
    again = cli.json("cancel", id)
    assert (again["id"], again["status"], again["workers_behind"]) == (id, "cancelled", [])
    assert cli("cancel", id, "--wait").stdout == f"{id}  cancelled\n" * 2


def test_cancel_what_runs(cli):
    id = running(cli, 60000)
    done = cli("cancel", id, "--wait")
    assert done.returncode == EXIT["done"], done.stderr
    assert done.stdout.splitlines() == [f"{id}  runs, and was told to stop", f"{id}  cancelled"]


def test_several(cli):
    one, two, three = (delayed(cli) for _ in range(3))
    done = cli("cancel", one, UNKNOWN, two)
    assert done.returncode == EXIT["refused"], "it was done for some of them"
    assert done.stdout == f"{one}  cancelled\n{two}  cancelled\n"
    assert done.stderr.startswith(f"warren: {UNKNOWN}: ") and one not in done.stderr
    done = cli("cancel", UNKNOWN, three, "--json")
    assert done.returncode == EXIT["refused"]
    assert json.loads(done.stdout)["id"] == three and json.loads(done.stderr)["about"] == UNKNOWN
    assert cli("cancel", UNKNOWN, UNKNOWN[:-1] + "1").returncode == EXIT["not found"]
    assert cli("cancel", UNKNOWN).returncode == EXIT["not found"]


def test_run_now(cli):
    one, two = delayed(cli), delayed(cli)
    done = cli("run-now", one, two, "--wait")
    assert done.returncode == EXIT["done"], done.stderr
    words = [line.split() for line in done.stdout.splitlines()]
    assert words == [[one, "pending,", "priority", "medium"], [two, "pending,", "priority", "medium"],
                     [one, "completed"], [two, "completed"]]
    done = cli("run-now", one)
    assert done.returncode == EXIT["refused"] and done.stdout == "" and "ended" in done.stderr


def test_run_now_of_one_that_fails(cli):
    """Exit code 1: no act was refused."""
    dies = cli.json("submit", "fail", '{"permanent": true}', "--delay", "1h")["id"]
    done = cli("run-now", dies, delayed(cli), "--wait")
    assert done.returncode == EXIT["failed"], done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[2:]] == ["dead", "completed"]
    done = cli("run-now", UNKNOWN, delayed(cli), "--wait")
    assert done.returncode == EXIT["refused"] and done.stdout.splitlines()[-1].endswith("completed")


def test_reschedule_and_priority(cli):
    id = delayed(cli)
    done = cli("reschedule", id, "--in", "2h")
    assert done.returncode == EXIT["done"], done.stderr
    assert done.stdout.startswith(f"{id}  scheduled, runs in ") and done.stdout.endswith(", priority medium\n")
    due = datetime.datetime.fromisoformat(cli.json("reschedule", id, "--in", "30m")["run_at"])
    assert abs((due - datetime.datetime.now(datetime.timezone.utc)).total_seconds() - 1800) < 60
    at = "2027-01-31T09:00:00.000Z"
    assert cli.json("reschedule", id, "--at", at)["run_at"] == at
    assert cli.json("priority", id, "high")["priority"] == "high"
    assert cli.json("priority", id, "0")["priority"] == "low"
    for words in (("reschedule", id, "--at", "tomorrow"), ("priority", id, "highest"),
                  ("reschedule", id, "--in", "400d")):
        done = cli(*words)
        assert (done.returncode, done.stdout) == (EXIT["usage"], ""), done.stderr
    assert "--at: " in cli("reschedule", id, "--at", "tomorrow").stderr
    assert cli("cancel", id).returncode == EXIT["done"]


def test_retry_and_forget(cli):
    id = cli.json("submit", "noop", "--wait")["id"]
    done = cli("retry", id)
    assert (done.returncode, done.stdout) == (EXIT["done"], f"{id}  pending, run 2\n"), done.stderr
    until(lambda: (job := cli.json("get", id))["run"] == 2 and job["status"] == "completed", 30, "run 2")
    dead = dead_job(cli)["id"]
    until(lambda: cli("retry", dead).returncode == EXIT["done"], 30, "the letter is retried")
    until(lambda: (job := cli.json("get", dead))["run"] == 2 and job["status"] == "dead", 30, "dead again")
    done = cli("forget", id)
    assert (done.returncode, done.stdout) == (EXIT["done"], f"{id}  forgotten\n"), done.stderr
    until(lambda: cli("get", id).returncode == EXIT["not found"], 10, "the job is forgotten")
    assert cli.json("forget", dead) == {"forgotten": dead}


def test_what_is_not_allowed(warren, cli):
    id = running(cli, 4000)
    for verb in ("run-now", "retry", "forget"):
        done = cli(verb, id)
        assert done.returncode == EXIT["refused"], done.stderr
    assert cli("priority", id, "high").returncode == EXIT["refused"]
    reader = warren.admin.request("POST", "/tenants/acme/keys", json={"scopes": ["read"]}).json()["key"]
    done = until(lambda: (tried := cli("cancel", id, WARREN_API_KEY=reader)).returncode != EXIT["done"] and
                 "scope" in tried.stderr and tried, 30, "the key is known")
    assert done.returncode == EXIT["not allowed"] and "'operate'" in done.stderr
    assert cli("cancel", id).returncode == EXIT["done"]


def test_of_another_tenant(warren, cli):
    """--tenant and the lack of WARREN_API_KEY choose the admin key."""
    other = Cli(warren, warren.tenant("other").key, cli.env["HOME"])
    one, two = delayed(other), delayed(other)
    assert cli("cancel", one).returncode == EXIT["not found"]
    assert cli("cancel", one, "--tenant", "other").returncode == EXIT["done"]
    assert cli("reschedule", two, "--in", "2h", "--tenant", "other").returncode == EXIT["done"]
    assert cli("cancel", two, WARREN_API_KEY=None).returncode == EXIT["done"]


@pytest.mark.parametrize("words", [
    ("get",), ("get", "--events"), ("get", "--attempts", "--json"), ("why",), ("find",)])
def test_reading_of_another_tenant(warren, cli, words):
    """What may be acted on with --tenant may be read with it, and without WARREN_API_KEY."""
    id = delayed(Cli(warren, warren.tenant("other").key, cli.env["HOME"]))
    until(lambda: cli("get", id, "--tenant", "other").returncode == EXIT["done"], 30, "the job is known")
    verb, *options = words
    assert cli(verb, id, *options).returncode == EXIT["not found"]
    assert cli(verb, id, *options, "--tenant", "acme").returncode == EXIT["not found"], "it is not acme's"
    for done in cli(verb, id, *options, "--tenant", "other"), cli(verb, id, *options, WARREN_API_KEY=None):
        assert done.returncode == EXIT["done"] and done.stdout, done.stderr
    done = cli(verb, id, *options, "--tenant", "other", WARREN_ADMIN_KEY=None)
    assert done.returncode == EXIT["not allowed"]
    assert "--json" in words or "WARREN_ADMIN_KEY is not set" in done.stderr


def test_what_is_suggested_of_a_tenant(warren, cli):
    """The next command needs the same --tenant."""
    id = delayed(Cli(warren, warren.tenant("other").key, cli.env["HOME"]))
    done = until(lambda: (listed := cli("list", "--tenant", "other")) and id in listed.stdout and listed, 30, "listed")
    assert done.stderr == f"next: warren get {id} --tenant other\n"
    assert cli("list", "--tenant", "*").stderr == f"next: warren get {id} --tenant '*'\n"
