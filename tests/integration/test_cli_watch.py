# SPDX-License-Identifier: Apache-2.0
"""`warren watch`, and what the command writes on a terminal."""
import json
import signal

from cli_rig import EXIT, dead_job
from harness.until import until


def test_watch_tells_each_change(cli):
    job = cli.json("submit", "sleep", '{"ms": 1500}')
    watched = cli("watch", job["id"])
    assert watched.returncode == EXIT["done"], watched.stderr
    lines = watched.stdout.splitlines()
    assert all(job["id"] in line for line in lines)
    assert "running" in watched.stdout and "completed" in lines[-1]
    assert cli("watch", dead_job(cli)["id"]).returncode == EXIT["failed"]


def test_watch_all_until_interrupted(cli):
    ended = cli.json("submit", "noop", "--wait")
    waits = cli.json("submit", "noop", "--delay", "1h")
    until(lambda: cli("get", waits["id"]).returncode == EXIT["done"], 30, "the job that waits")
    watching = cli.start("watch", "--json")
    try:
        begun = [json.loads(watching.stdout.readline())]
        while begun[-1]["id"] != waits["id"]:
            begun.append(json.loads(watching.stdout.readline()))
        assert ended["id"] not in {job["id"] for job in begun}
        assert not {"completed", "dead"} & {job["status"] for job in begun}
        job = cli.json("submit", "echo", '"watched"')
        until(lambda: json.loads(watching.stdout.readline())["id"] == job["id"], 30,
              "the job among the changes", every=0)
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=60)
    assert watching.returncode == -signal.SIGINT


def test_watch_outlives_a_gateway_that_is_away(warren, cli):
    job = cli.json("submit", "sleep", '{"ms": 2500}')
    watching = cli.start("watch", job["id"])
    watching.stdout.readline()
    warren.gateway.restart()
    told, _ = watching.communicate(timeout=60)
    assert watching.returncode == EXIT["done"] and "completed" in told


def test_colours_only_on_a_terminal(cli):
    job = cli.json("submit", "noop", "--wait")
    assert "\x1b" not in cli("get", job["id"]).stdout
    code, shown = cli.on_terminal("get", job["id"], TERM="xterm")
    assert code == 0 and "\x1b[32mcompleted\x1b[0m" in shown
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        code, shown = cli.on_terminal("get", job["id"], **variables)
        assert code == 0 and "completed" in shown and "\x1b" not in shown


def test_watch_redraws_on_a_terminal(cli):
    job = cli.json("submit", "sleep", '{"ms": 1200}')
    code, shown = cli.on_terminal("watch", job["id"], TERM="xterm")
    assert code == 0
    assert shown.count("\x1b[H\x1b[2J") >= 2


def test_watch_keeps_to_its_terminal(cli):
    for _ in range(8):
        cli.json("submit", "noop", "--delay", "1h")
    until(lambda: len(cli.json("list", "--limit", "8")["jobs"]) == 8, 30, "jobs to show")
    clear = "\x1b[H\x1b[2J"
    code, shown = cli.on_terminal("watch", size=(8, 60), NO_COLOR="1",
                                  enough=lambda text: text.count(clear) > 1)
    assert code == -signal.SIGINT
    picture = shown.split(clear)[1]
    assert picture.startswith("\x1b[?7l") and picture.endswith("\x1b[?7h")
    assert picture.count("\n") == 7 and "ERROR" in picture


def test_hostile_text_does_not_reach_the_terminal(cli):
    job = cli.json("submit", "echo", json.dumps({"a": "\x1b]0;owned\x07"}), "--wait")
    code, shown = cli.on_terminal("get", job["id"], NO_COLOR="1")
    assert code == 0 and "\x1b" not in shown
    text = cli.json("submit", "echo", json.dumps("\x1b[31m\u202e\x9b"), "--wait")
    code, shown = cli.on_terminal("get", text["id"], NO_COLOR="1")
    assert code == 0 and "\ufffd[31m\ufffd\ufffd" in shown
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
