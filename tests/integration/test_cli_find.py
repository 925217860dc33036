# SPDX-License-Identifier: Apache-2.0
"""`warren find`, and what `list` and `get` show of many jobs and of one's history."""
import pytest

from cli_rig import EXIT
from harness.until import until


def test_one_match_is_shown(cli):
    job = cli.json("submit", "echo", '{"a": 1}', "--key", "order-7", "--wait")
    for text in (job["id"], job["id"][:30], job["trace_id"], "order-7"):
        done = cli("find", text)
        assert done.returncode == EXIT["done"], done.stderr
        assert job["id"] in done.stdout and '{"a": 1}' in done.stdout
    found = cli.json("find", "order-7")
    assert [match["by"] for match in found["matches"]] == ["key"]


def test_several_matches_are_listed(cli):
    jobs = [cli.json("submit", "noop", "--wait")["id"] for _ in range(2)]
    done = cli("find", jobs[0][:7])
    assert done.returncode == EXIT["done"]
    assert all(job in done.stdout for job in jobs) and "prefix" in done.stdout


@pytest.mark.parametrize("by, said", [("prefix", "there are more: give more digits of the id\n"),
                                      ("trace", "there are more, older ones\n")])
def test_there_are_more(cli, service, by, said):
    job = {"tenant": "acme", "type": "noop", "status": "dead", "created_at": "2026-01-01T00:00:00.000Z"}
    matches = [{"by": by, "job": {**job, "id": f"0190f0f0-0000-7000-8000-00000000000{n}"}} for n in range(2)]
    service.answers["GET", "/api/v1/lookup"] = (200, {"matches": matches, "more": True, "complete": True})
    done = cli("find", "0190f0f0", "--url", service.url)
    assert done.returncode == EXIT["done"] and done.stderr.endswith("\n" + said), done.stderr


def test_no_match(cli):
    done = cli("find", "no such key")
    assert (done.returncode, done.stdout) == (EXIT["not found"], "")
    assert cli.json("find", "no such key", want="not found")["matches"] == []
    assert "needs 6 digits" in cli("find", "fffff").stderr


def test_list_options(cli):
    ids = {cli.json("submit", "noop", "--delay", "1d", "--priority", word)["id"] for word in ("high", "low")}
    until(lambda: ids <= {job["id"] for job in cli.json(
        "list", "--status", "scheduled,running", "--priority", "high,low")["jobs"]}, 30, "the jobs listed")
    assert cli("list", "--status", "scheduled,lost").returncode == EXIT["usage"]
    done = cli("list", "--fields", "status,id", "--status", "scheduled", "--count")
    assert done.returncode == EXIT["done"], done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["STATUS", "ID"] and lines[1].split()[0] == "scheduled"
    assert "count: " in done.stdout
    assert cli("list", "--fields", "colour").returncode not in (EXIT["done"], EXIT["usage"])


def test_payload(warren, cli):
    """Byte for byte, however JSON is spelled; masked for a key that may only read."""
    text = '{"n": 1.0e2,\t"api_key": "k\u00e9"}'
    done = warren.api.request("POST", "/jobs", data=('{"type": "noop", "payload": ' + text + "}").encode(),
                              headers={"Content-Type": "application/json"})
    id = done.json()["id"]
    done = until(lambda: (got := cli("get", id, "--payload")).returncode == EXIT["done"] and got, 30, "it is known")
    assert (done.stdout, done.stderr) == (text, "")
    code, shown = cli.on_terminal("get", id, "--payload")
    assert (code, shown) == (EXIT["done"], text.replace("\t", " ") + "\r\n")
    key = warren.admin.request("POST", "/tenants/acme/keys", json={"scopes": ["read"]}).json()["key"]
    done = until(lambda: (got := cli("get", id, "--payload", WARREN_API_KEY=key)).returncode == EXIT["done"] and got,
                 30, "the key is known")
    assert done.stdout == text.replace("k\u00e9", "***") and done.stderr.startswith("masked values: 1; ")
    assert cli("get", id, "--payload", "--events").returncode == EXIT["usage"]
    assert cli("get", "0190f0f0-0000-7000-8000-000000000000", "--payload").returncode == EXIT["not found"]


def test_who_cancelled_is_shown(cli):
    job = cli.json("submit", "noop", "--delay", "1d")["id"]
    assert cli("cancel", job).returncode == EXIT["done"]
    shown = until(lambda: (got := cli("get", job).stdout).find("cancelled") >= 0 and got, 20, "it is cancelled")
    assert "cancel asked" in shown and "last act by     key " in shown
    assert "it has ended: cancelled by key " in cli("why", job).stdout


def test_events(cli):
    job = cli.json("submit", "noop", "--wait")
    done = cli("get", job["id"], "--events")
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["submitted", "started", "completed"]
    assert [one["event"] for one in cli.json("get", job["id"], "--events")["events"]][0] == "submitted"
