# SPDX-License-Identifier: Apache-2.0
"""`warren tail` on a real gateway: transitions, a cut connection, a restart, counts, keys."""
import json
import signal

import pytest

from cli_rig import EXIT
from feed_rig import Tail
from harness.proxy import Proxy
from harness.until import until


@pytest.fixture()
def tail(cli):
    made = []

    def start(*words, **variables):
        made.append(Tail(variables.pop("url", cli.env["WARREN_URL"]), *words, **{**cli.env, **variables}))
        return made[-1]

    yield start
    for one in made:
        one.kill()


def events(tailing):
    return [json.loads(line) for line in tailing.lines if '"kind"' in line]


def test_transitions(cli, tail):
    everything, wrong, admin = tail(), tail("--kind", "dlq", "--json"), tail("--tenant", "*", "--type", "echo")
    for tailing in (everything, wrong, admin):
        tailing.note("following jobs of")
    job = cli.json("submit", "echo", '"told"', "--wait")
    dead = json.loads(cli("submit", "fail", '{"permanent": true}', "--wait", "--json").stdout)
    for kind in ("submitted", "started", "completed"):
        until(lambda: [line for line in everything.lines if job["id"] in line and kind in line], what=kind)  # noqa: B023
    assert f"  echo  {job['id']}" in everything.line("completed")
    assert "  permanent  " in everything.line("dlq") and dead["id"] in everything.line("dlq")
    wrong.line(dead["id"])
    assert [event["kind"] for event in events(wrong)] == ["job_dlq"] and events(wrong)[0]["offset"] > 0
    assert f"  acme  echo  {job['id']}" in admin.line("completed")
    assert not [line for line in admin.lines if dead["id"] in line]
    for tailing in (everything, wrong, admin):
        assert tailing.interrupt() == 0 and len(tailing.notes) == 1


def test_a_cut_connection_and_a_restart(warren, cli, tail):
    proxy = Proxy(int(cli.env["WARREN_URL"].rsplit(":", 1)[1]))
    tailing = tail("--json", url=f"http://127.0.0.1:{proxy.port}")
    tailing.note("following jobs of acme")
    before = cli.json("submit", "noop", "--wait")
    tailing.line(before["id"])
    proxy.reset_all()
    tailing.note("connection lost")
    between = cli.json("submit", "noop", "--wait")
    tailing.note("reconnected; nothing was missed")
    tailing.line(between["id"])
    warren.gateway.restart()
    gap = json.loads(tailing.line('"gap"', 60))["gap"]
    assert gap["from"] >= events(tailing)[-1]["offset"] and gap["why"] == "restarted"
    after = cli.json("submit", "noop", "--wait")
    until(lambda: [event for event in events(tailing) if (event["id"], event["status"]) == (after["id"], "completed")],
          what="what comes after the restart")
    told = [(event["id"], event["kind"]) for event in events(tailing)]
    assert len(told) == len(set(told)) == 9  # submitted, started, completed
    assert tailing.interrupt() == 0
    # What the gateway holds can be read again.
    tailing = tail("--json", "--since-offset", str(gap["to"] or events(tailing)[-4]["offset"]))
    tailing.line(after["id"])
    assert tailing.interrupt() == 0 and not [line for line in tailing.lines if "gap" in line]
    proxy.stop()


def test_counts(cli, tail):
    job = cli.json("submit", "noop", "--delay", "1h")
    lines, programs = tail("--counts"), tail("--counts", "--json")
    assert "  scheduled " in lines.line("scheduled")
    until(lambda: [line for line in programs.lines if json.loads(line)["counts"]["statuses"].get("scheduled", 0) >= 1],
          what="the job is counted")
    assert list(json.loads(programs.lines[-1])["counts"]["tenants"]) == ["acme"]
    cli.json("cancel", job["id"])
    programs.process.send_signal(signal.SIGTERM)
    assert programs.end(5) == 0 and lines.interrupt() == 0


def test_keys(cli, tail):
    wrong = tail(WARREN_API_KEY="wk_none_none")
    assert wrong.end() == EXIT["not allowed"]
    narrow = cli.json("key", "add", "acme", "--scopes", "submit")
    refused = tail(WARREN_API_KEY=narrow["key"])
    assert refused.end() == EXIT["not allowed"] and "the scope 'read'" in refused.told
    short = cli.json("key", "add", "acme", "--scopes", "read")
    until(lambda: cli("list", WARREN_API_KEY=short["key"]).returncode == 0, what="the key is known")
    tailing = tail(WARREN_API_KEY=short["key"])
    tailing.note("following jobs of acme")
    assert cli("key", "rm", "acme", short["id"]).returncode == 0
    assert tailing.end(30) == EXIT["not allowed"] and "its key is no longer valid" in tailing.told
    assert tail("--status", "dead", "--job", "x").end() == EXIT["refused"]
