# SPDX-License-Identifier: Apache-2.0
"""The `warren` command against a whole Warren: jobs, tenants, dead letters, exit codes."""
import json
import pathlib
import re
import signal
import subprocess
import time
import uuid

import pika
import pytest

from cli_rig import EXIT, dead_job
from harness.broker import BIN
from harness.until import until


def letter_of(cli, job):
    """Waits for the job's letter: the archive is a moment behind the status."""
    return until(lambda: cli.json("dlq", "list", "--job", job["id"])["letters"], 30,
                 "the dead letter")[0]


def test_submit_and_wait(cli):
    job = cli.json("submit", "echo", '{"n":0.10,  "big":123456789012345678901}', "--wait")
    assert job["status"] == "completed"
    # That it completed may be known before its submission is.
    until(lambda: '"payload":{"n":0.10,  "big":123456789012345678901}' in
          cli("get", job["id"], "--json").stdout, 10, "the payload")
    shown = cli("get", job["id"])
    assert shown.returncode == 0
    assert "completed" in shown.stdout and '{"n":0.10,' in shown.stdout
    assert "OUTCOME" in shown.stdout and "WORKER" in shown.stdout


def test_a_refusal_is_said_once(cli):
    said = cli("submit", "echo", "1", "--max-retries", "1000").stderr
    assert said.count("must be") == 1 and "line" not in said and "column" not in said
    assert len(said.splitlines()) == 1


def test_a_wait_that_is_interrupted_tells_the_job(cli):
    done = cli("submit", "noop", "--wait")
    assert done.stderr == f"submitted: {done.stdout.split()[1]}\n"
    for words in ((), ("--json",)):
        waiting = cli.start("submit", "sleep", '{"ms": 4000}', "--wait", *words)
        told = "" if words else waiting.stderr.readline()
        until(lambda: cli("list", "--status", "running", "--type", "sleep").stdout.count("sleep"),
              30, "the job runs")
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=60)
        assert out == "" and waiting.returncode == -signal.SIGINT
        if words:
            job = json.loads(err)["id"]
        else:
            job = told.split()[1]
            assert told == f"submitted: {job}\n" and "interrupted" in err
            assert f"the job was submitted; 'warren get {job} --wait' waits for it again" in err
        assert cli("get", job, "--wait").returncode == EXIT["done"]


def test_a_wait_that_loses_the_gateway_tells_the_job(warren, cli):
    for words in ((), ("--json",)):
        waiting = cli.start("submit", "sleep", '{"ms": 3000}', "--wait", *words)
        until(lambda: cli("list", "--status", "running", "--type", "sleep").stdout.count("sleep"),
              30, "the job runs")
        warren.gateway.stop()
        try:
            _, err = waiting.communicate(timeout=60)
        finally:
            warren.gateway.start()
        assert waiting.returncode == EXIT["unreachable"]
        if words:
            assert cli.json("get", json.loads(err)["id"], "--wait")["status"] == "completed"
        else:
            job = err.splitlines()[0].split()[1]
            assert f"'warren get {job} --wait' waits for it again" in err and "try again" not in err
            assert cli("get", job, "--wait").returncode == EXIT["done"]


def test_submit_prints_the_id_first(cli):
    done = cli("submit", "noop", "--delay", "1h", "--priority", "high")
    assert done.returncode == 0, done.stderr
    uuid.UUID(done.stdout.split()[0])
    assert "scheduled, runs in 1h" in done.stdout or "scheduled, runs in 59m" in done.stdout


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_payload_from_elsewhere(cli, tmp_path, source):
    path = tmp_path / "payload.json"
    path.write_text('{"from": "elsewhere"}\n', encoding="utf-8")
    if source == "file":
        job = cli.json("submit", "echo", f"@{path}", "--wait")
    else:
        job = cli.json("submit", "echo", "-", "--wait", stdin=path.read_text(encoding="utf-8"))
    assert job["result"] == {"from": "elsewhere"}


def test_listed_from_either_end(cli):
    mine = [cli.json("submit", "noop", "--wait")["id"] for _ in range(2)]
    assert [job["id"] for job in cli.json("list", "--limit", "2")["jobs"]] == mine[::-1]
    newest = cli.json("list", "--limit", "2", "--sort", "-created_at")["jobs"]
    assert [job["id"] for job in newest] == mine[::-1]
    oldest = [job["created_at"] for job in cli.json("list", "--sort", "created_at")["jobs"]]
    assert oldest == sorted(oldest) and len(oldest) >= 2


def test_failed_job_shows_its_attempts(cli):
    job = cli.json("submit", "fail", '{"times": 1}', "--wait")
    assert job["status"] == "completed"
    attempts = cli.json("get", job["id"], "--attempts")["attempts"]
    assert [attempt["attempt"] for attempt in attempts] == [1, 2]
    lines = [line.split() for line in cli("get", job["id"]).stdout.splitlines()]
    assert [line[:3] for line in lines if line[:1] == ["1"] and len(line) > 3] == [
        ["1", "1", "failed"], ["1", "2", "completed"]]


def test_waiting_for_a_dead_job_fails(cli):
    job = dead_job(cli)
    assert job["status"] == "dead"
    waited = cli("get", job["id"], "--wait")
    assert waited.returncode == EXIT["failed"]
    assert "permanent" in waited.stdout
    assert waited.stdout.count(f"\nnext: warren dlq list --job {job['id']}\n") == 1
    assert cli("get", job["id"]).returncode == EXIT["done"]
    submitted = cli("submit", "fail", '{"permanent": true}', "--wait")
    assert "\nnext: warren dlq list --job 0" in submitted.stdout


def test_a_timeout_is_told_as_one(cli):
    done = cli("submit", "sleep", '{"ms": 60000}', "--timeout", "1s", "--max-retries", "0", "--wait")
    assert done.returncode == EXIT["failed"]
    assert any(line.split() == ["error", "kind", "timeout"] for line in done.stdout.splitlines())


def test_progress_is_seen_while_it_matters(cli):
    job = cli.json("submit", "sleep", '{"ms": 3000}')
    lines = cli("watch", job["id"]).stdout.splitlines()
    parts = [line.split("  ") for line in lines if " %" in line]
    assert parts and all(part[4] == "running" and part[6].endswith(" %") for part in parts)
    assert " %" not in lines[-1] and "progress" not in cli("get", job["id"]).stdout


def test_a_redelivered_attempt_is_marked(warren, cli):
    plain = cli.json("submit", "noop", "--wait")["id"]
    assert "yes" not in cli("get", plain).stdout
    job = cli.json("submit", "sleep", '{"ms": 2000}')["id"]
    until(lambda: cli.json("get", job)["status"] == "running", 30, "the job runs")
    warren.consumer.kill()
    warren.consumer.start()
    shown = cli("get", job, "--wait")
    assert shown.returncode == EXIT["done"], shown.stderr
    attempts = shown.stdout.split("\n\n")[1].splitlines()
    assert "REDELIVERED" in attempts[0] and "yes" in attempts[-1].split()


def test_an_unroutable_job_is_told_as_one(warren, cli):
    job = str(uuid.UUID(int=(int(time.time() * 1000) << 80) | 7 << 76 | 2 << 62))
    with warren.broker.pika(warren.vhost) as connection:
        connection.channel().basic_publish(
            "jobs.acme", "nowhere", b"{}", pika.BasicProperties(
                message_id=job, type="echo", content_type="application/json", delivery_mode=2))
    until(lambda: cli("get", job).returncode == EXIT["done"], 30, "the job")
    listed = [line for line in cli("list").stdout.splitlines() if job in line]
    assert listed[0].endswith("unroutable")
    told = cli("watch", job)
    assert told.returncode == EXIT["failed"] and told.stdout.rstrip().endswith("unroutable")


def test_list_filters_and_pages(cli):
    ids = {cli.json("submit", "noop", "--delay", "1d")["id"] for _ in range(3)}
    listed = until(lambda: (lambda page: page if ids <= {job["id"] for job in page["jobs"]} else None)(
        cli.json("list", "--status", "scheduled", "--type", "noop")), 30, "the jobs listed")
    assert all(job["status"] == "scheduled" for job in listed["jobs"])
    seen, cursor = [], []
    while True:
        page = cli.json("list", "--status", "scheduled", "--limit", "2", *cursor)
        seen += [job["id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            break
        cursor = ["--cursor", page["next_cursor"]]
    assert len(seen) == len(set(seen)) and ids <= set(seen)
    table = cli("list", "--limit", "1").stdout.splitlines()
    assert table[0].split()[:5] == ["ID", "TENANT", "TYPE", "PRIORITY", "STATUS"]
    assert table[2].startswith("more: --cursor ")


def test_json_may_stand_first(cli):
    cli.json("submit", "noop", "--wait")
    done = cli("--json", "stats")
    assert done.returncode == EXIT["done"] and json.loads(done.stdout)["total"] > 0


def test_stats(cli):
    cli.json("submit", "noop", "--wait")
    done = cli("stats")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == [
        "JOBS", "SCHEDULED", "PENDING", "RUNNING", "FAILED", "COMPLETED", "DEAD", "CANCELLED"]
    assert "as of 20" in done.stdout and "TYPE" in done.stdout
    last = [line.split() for line in done.stdout.splitlines() if line.startswith("hour ")][0]
    assert all(re.fullmatch(r"[0-9.]+(ms|s|m|h|d)([0-9]+[sm])?", span) for span in last[5:8])
    assert cli.json("stats")["total"] > 0


def test_dead_letters(cli):
    job = dead_job(cli)
    letter = letter_of(cli, job)
    assert letter["reason"] == "permanent" and letter["state"] == "dead"
    assert letter["id"] in cli("dlq", "list").stdout
    shown = cli("dlq", "show", letter["id"])
    assert shown.returncode == 0 and '{"permanent": true}' in shown.stdout
    requeued = cli("dlq", "requeue", letter["id"], "--payload", '{"times": 0}')
    assert requeued.returncode == 0, requeued.stderr
    assert job["id"] in requeued.stdout
    again = until(lambda: (lambda now: now if now["run"] == 2 and now["finished_at"] else None)(
        cli.json("get", job["id"])), 60, "the second run's end")
    assert again["status"] == "completed"
    assert cli("dlq", "requeue", letter["id"]).returncode == EXIT["refused"]


def test_several_dead_letters_are_requeued(cli):
    letters = [letter_of(cli, dead_job(cli))["id"] for _ in range(2)]
    missing = str(uuid.UUID(int=0x0190 << 112 | 7 << 76 | 2 << 62))
    done = cli("dlq", "requeue", letters[0], missing, letters[1], "--payload", '{"times": 0}')
    assert done.returncode == EXIT["not found"]
    assert done.stdout.count("requeued: job ") == 2
    assert done.stderr.startswith(f"warren: {missing}: ") and len(done.stderr.splitlines()) == 1
    again = cli("dlq", "requeue", *letters)
    assert again.returncode == EXIT["refused"] and again.stdout == ""
    assert [line.split(": ")[1] for line in again.stderr.splitlines()] == letters


def test_keys_are_listed_and_rotated(cli):
    made = cli.json("key", "add", "acme", "--name", "of the shop", "--scopes", "read")
    id, key = made["id"], made["key"]
    until(lambda: cli("list", WARREN_API_KEY=key).returncode == EXIT["done"], 30, "the key works")
    line = next(line for line in cli("key", "list").stdout.splitlines() if id in line)
    assert "acme" in line and "of the shop" in line and "  active  " in line
    assert "  submit,read,operate,admin  " in cli("key", "list").stdout
    until(lambda: cli.json("key", "list", "acme")["keys"][-1]["last_from"] == "127.0.0.1", 30, "its use is told")
    new = cli("key", "rotate", id, "--overlap", "1h").stdout.strip()
    assert new.startswith("wk_") and new != key
    until(lambda: cli("list", WARREN_API_KEY=new).returncode == EXIT["done"], 30, "the new key works")
    assert cli("list", WARREN_API_KEY=key).returncode == EXIT["done"]
    assert cli("key", "rotate", id).returncode == EXIT["refused"]
    assert cli("key", "rotate", "unknown1").returncode == EXIT["not found"]
    assert cli("key", "rotate", id, "--overlap", "soon").returncode != EXIT["done"]
    assert cli("key", "rm", id).stdout == f"key {id} is revoked\n"
    assert cli("list", WARREN_API_KEY=new).returncode == EXIT["done"]
    until(lambda: cli("list", WARREN_API_KEY=key).returncode == EXIT["not allowed"], 30, "the old key revoked")


def test_tenants_and_keys(cli):
    made = cli.json("tenant", "add", "cli-made", "--rate", "unlimited", "--weight", "3", "--reuse")
    assert made["tenant"]["name"] == "cli-made" and made["key"].startswith("wk_")
    assert "cli-made" in cli("tenant", "list").stdout
    assert "has AMQP login  no" in cli("tenant", "show", "cli-made").stdout
    given = cli("tenant", "set", "cli-made", "--amqp-login")
    assert given.returncode == EXIT["done"] and "tenant-cli-made" in given.stdout
    assert given.stdout.endswith("The password is shown only once; it is not stored.\n")
    shown = cli("tenant", "show", "cli-made").stdout
    assert "has AMQP login  yes" in shown and "shown only once" not in shown
    changed = cli("tenant", "set", "cli-made", "--max-pending", "7")
    assert changed.returncode == 0, changed.stderr
    assert "7" in cli("tenant", "show", "cli-made").stdout
    key = cli.json("key", "add", "cli-made", "--scopes", "read")["key"]
    until(lambda: cli("list", WARREN_API_KEY=key).returncode == EXIT["done"], 30, "the key works")
    assert cli("submit", "noop", WARREN_API_KEY=key).returncode == EXIT["not allowed"]
    assert "  read  " in cli("key", "list", "cli-made").stdout
    assert "  submit,read,operate  " in cli("key", "list", "cli-made").stdout
    revoked = key.split("_")[1]
    assert cli("key", "rm", "cli-made", revoked).stdout == f"key {revoked} is revoked\n"
    until(lambda: cli("list", WARREN_API_KEY=key).returncode == EXIT["not allowed"], 30,
          "the key revoked")
    waiting = made["key"]
    assert cli("submit", "noop", "--delay", "1h", WARREN_API_KEY=waiting).returncode == EXIT["done"]
    until(lambda: cli("list", WARREN_API_KEY=waiting).stdout.count("scheduled") == 1, 30, "a job waits")
    refused = cli("tenant", "rm", "cli-made")
    assert refused.returncode == EXIT["refused"] and "force" in refused.stderr
    assert cli("tenant", "rm", "cli-made", "--force").returncode == EXIT["done"]
    until(lambda: cli("tenant", "show", "cli-made").returncode == EXIT["not found"], 30,
          "the tenant gone")


@pytest.mark.parametrize("words, variables, want, says", [
    (["get", str(uuid.UUID(int=0x0190 << 112 | 7 << 76 | 2 << 62))], {}, "not found", ""),
    (["list"], {"WARREN_API_KEY": "wk_aaaaaaaa_" + "x" * 43}, "not allowed", ""),
    (["list"], {"WARREN_API_KEY": None, "WARREN_ADMIN_KEY": None}, "not allowed",
     "WARREN_API_KEY is not set"),
    (["tenant", "list"], {"WARREN_API_KEY": None, "WARREN_ADMIN_KEY": None}, "not allowed",
     "WARREN_ADMIN_KEY is not set"),
    (["tenant", "list"], {"WARREN_ADMIN_KEY": None}, "not allowed",
     "the scope 'admin': set WARREN_ADMIN_KEY"),
    (["list"], {"WARREN_URL": "http://127.0.0.1:1"}, "unreachable", "127.0.0.1:1"),
    (["list"], {"WARREN_URL": "gopher://x"}, "usage", "not an http or https URL"),
    (["list"], {"WARREN_URL": "http://"}, "usage", "WARREN_URL: http://: "),
    (["list"], {"WARREN_URL": "http://127.0.0.1:99999"}, "usage", "WARREN_URL: "),
    (["list", "--url", "http://a\nb"], {}, "usage", "control character"),
    (["submit", "Not A Type"], {}, "refused", "warren: type: "),
    (["submit", "noop", "1", "--run-at", "tomorrow"], {}, "usage", "warren: --run-at: "),
    (["submit", "noop", '{"a":1,"a":2}'], {}, "usage", "line 1, column 8"),
    (["submit", "noop", "@/nonexistent"], {}, "usage", "No such file"),
    (["submit"], {}, "usage", "usage: warren submit"),
    (["submit", "noop", "--priority", "urgent"], {}, "usage", "critical"),
    (["list", "--sort", "size"], {}, "usage", "-created_at created_at"),
    (["frobnicate"], {}, "usage", "frobnicate"),
    (["tenant", "add", "warren-x"], {}, "refused", ""),
    (["tenant", "add", "acme"], {}, "refused", ""),
    (["tenant", "set", "acme"], {}, "usage", "nothing to set"),
    (["dlq", "show", "nonsense"], {}, "not found", ""),
    (["topology", "apply"], {"WARREN_ADMIN_AMQP_URL": None}, "usage", "WARREN_ADMIN_AMQP_URL"),
    (["topology", "apply"], {"WARREN_MANAGEMENT_URL": None}, "usage", "WARREN_MANAGEMENT_URL"),
    (["topology", "check"], {"WARREN_MANAGEMENT_URL": None}, "usage", "WARREN_MANAGEMENT_URL"),
    (["topology", "check"], {"WARREN_MANAGEMENT_URL": "http://127.0.0.1:1"}, "unreachable", ""),
])
def test_exit_codes(cli, words, variables, want, says):
    done = cli(*words, **variables)
    assert done.returncode == EXIT[want], done.stderr
    assert done.stdout == "" and says in done.stderr and done.stderr.startswith("warren: ")
    for secret in (cli.env["WARREN_API_KEY"], cli.env["WARREN_ADMIN_KEY"]):
        assert secret not in done.stderr


def test_both_secrets_are_told_as_such(cli):
    made = cli("tenant", "add", "cli-secrets", "--amqp-login", "--reuse")
    assert made.stdout.endswith("Key and password are shown only once; they are not stored.\n")
    assert cli("tenant", "rm", "cli-secrets", "--force").stdout == "tenant cli-secrets is deleted\n"


def test_limited(warren, cli):
    tenant = warren.tenant("cli-slow", rate="1/1h", burst=1)
    assert cli("submit", "noop", WARREN_API_KEY=tenant.key).returncode == EXIT["done"]
    limited = cli("submit", "noop", WARREN_API_KEY=tenant.key)
    assert limited.returncode == EXIT["limited"]
    assert "try again in" in limited.stderr


def test_problems_as_json(cli):
    done = cli("submit", "Not A Type", "--json")
    assert done.returncode == EXIT["refused"] and done.stdout == ""
    assert json.loads(done.stderr)["status"] == 422
    away = cli("list", "--json", WARREN_URL="http://127.0.0.1:1")
    assert json.loads(away.stderr)["exit"] == EXIT["unreachable"]


def test_settings_file(cli, tmp_path):
    folder = tmp_path / ".config/warren"
    folder.mkdir(parents=True)
    file = folder / "config"
    file.touch(mode=0o600)
    file.write_text(f"# mine\nurl = {cli.env['WARREN_URL']}\napi_key={cli.env['WARREN_API_KEY']}\n",
                    encoding="utf-8")
    bare = {name: None for name in cli.env if name.startswith("WARREN_")}
    assert cli("list", **bare, **{"HOME": str(tmp_path)}).returncode == EXIT["done"]
    away = cli("list", **{**bare, "HOME": str(tmp_path), "WARREN_URL": "http://127.0.0.1:1"})
    assert away.returncode == EXIT["unreachable"], "the environment wins over the file"
    file.chmod(0o604)
    assert "others can read it" in cli("list", **bare, **{"HOME": str(tmp_path)}).stderr
    file.chmod(0o600)
    file.write_text("urls = x\n", encoding="utf-8")
    assert "line 1: there is no setting 'urls'" in cli("list", HOME=str(tmp_path)).stderr


def test_topology(broker, cli, tmp_path):
    vhost = f"{cli.env['WARREN_ADMIN_AMQP_URL'].rsplit('/', 1)[1]}-cli"
    url = cli.env["WARREN_ADMIN_AMQP_URL"] + "-cli"
    broker.management("PUT", f"/api/vhosts/{vhost}")
    broker.management("PUT", f"/api/permissions/{vhost}/warren-admin",
                      {"configure": ".*", "write": ".*", "read": ".*"})
    checked = cli("topology", "check", WARREN_ADMIN_AMQP_URL=url)
    assert checked.returncode == 1 and "events" in checked.stdout
    assert "not checked" not in checked.stdout
    for _ in range(2):  # it is idempotent
        applied = cli("topology", "apply", WARREN_ADMIN_AMQP_URL=url)
        assert applied.returncode == 0, applied.stderr
    checked = cli("topology", "check", WARREN_ADMIN_AMQP_URL=url, WARREN_ADMIN_KEY=None)
    assert checked.returncode == 0, checked.stdout
    assert "The tenants' parts were not checked: " in checked.stdout
    broker.management("DELETE", f"/api/queues/{vhost}/delay.30s")
    found = cli.json("topology", "check", want="failed", WARREN_ADMIN_AMQP_URL=url,
                     WARREN_ADMIN_KEY=None)
    assert (found["whole"], found["tenants_checked"]) == (False, False)
    assert any("delay.30s" in finding["subject"] for finding in found["findings"])
    broker.management("DELETE", f"/api/vhosts/{vhost}")


def test_accounts(private_broker, tmp_path):
    """On a broker of its own: it must not change the passwords of the session's logins."""
    node = private_broker
    login = f"warren-admin:{node.password}"
    folder = tmp_path / "accounts"
    env = {"WARREN_ADMIN_AMQP_URL": f"amqp://{login}@127.0.0.1:{node.port}/warren",
           "WARREN_MANAGEMENT_URL": f"http://{login}@127.0.0.1:{node.management_port}",
           "HOME": str(tmp_path)}

    def apply():
        done = subprocess.run([BIN / "warren", "topology", "apply", "--accounts", folder], env=env,
                              text=True, timeout=120, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    first = apply()
    assert set(first) == {f"warren-{name}.password" for name in (
        "provision", "gateway", "consumer", "status-store", "operator", "dlx-monitor")}
    assert all(pathlib.Path(folder, name).stat().st_mode & 0o777 == 0o600 for name in first)
    assert apply() == first
    with node.pika("warren", "warren-gateway", first["warren-gateway.password"].strip()):
        pass


def test_export_is_the_committed_file():
    root = pathlib.Path(__file__).resolve().parents[2]
    done = subprocess.run([BIN / "warren", "topology", "export"], text=True, capture_output=True,
                          timeout=60, check=True)
    assert done.stdout == (root / "rabbitmq/definitions.json").read_text(encoding="utf-8")


def test_every_command_has_help():
    listing = subprocess.run([BIN / "warren", "--help"], text=True, capture_output=True, timeout=60,
                             check=True).stdout
    commands = [line.split("   ")[0].split() for line in listing.splitlines()
                if line.startswith("  ") and not line.startswith("  --")]
    assert len(commands) >= 20
    for words in commands:
        names = [word for word in words if word.islower()]
        help_text = subprocess.run([BIN / "warren", *names, "--help"], text=True, timeout=60,
                                   capture_output=True, check=True).stdout
        assert f"Usage: warren {' '.join(words)}" in help_text
        assert subprocess.run([BIN / "warren", "help", *names], text=True, capture_output=True, timeout=60,
                              check=True).stdout == help_text


def test_bash_completion():
    script = subprocess.run([BIN / "warren", "completion", "bash"], text=True, timeout=60,
                            capture_output=True, check=True).stdout

    def complete(*words):
        line = " ".join(f'"{word}"' for word in ("warren",) + words)
        asked = (f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}; _warren; "
                 'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-eu", "-c", asked], text=True, timeout=60,
                              capture_output=True, check=True)
        return done.stdout.split()

    assert complete("te") == ["tenant"]
    assert set(complete("tenant", "")) == {"add", "list", "show", "set", "rm", "slots"}
    assert complete("tenant", "add", "x", "--am") == ["--amqp-login"]
    assert set(complete("type", "")) == {"list", "show", "set", "slots"}
    assert complete("type", "set", "x", "--max") == ["--max-running", "--max-rate"]
    assert "running" in complete("list", "--status", "")
    assert complete("list", "--status", "dead,fa") == ["dead,failed"]
    assert set(complete("cancel", "--priority", "high,")) >= {"high,critical", "high,low"}
    assert complete("priority", "0190a3f0-6c1e-7d3a-9b52-3c5e0f6a1b2c", "") == ["critical", "high", "medium", "low"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]
    assert {"--batch", "--refused", "--restart", "--expires"} <= set(complete("submit", "--"))
    assert f"{BIN}/warren" in complete("submit", "--batch", f"{BIN}/warr")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_completions_name_every_command(shell):
    script = subprocess.run([BIN / "warren", "completion", shell], text=True, timeout=60,
                            capture_output=True, check=True).stdout
    assert all(word in script for word in ("submit", "requeue", "apply", "doctor", "max-retries"))
