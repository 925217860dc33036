# SPDX-License-Identifier: Apache-2.0
"""./run.sh as a user meets it: up with its demo jobs, used, stopped, up again with its data; and
Ctrl-C."""
import json
import os
import pathlib
import pty
import signal
import stat
import subprocess

import pytest
import requests

from harness.processes import descendants
from harness.until import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHERE = ["WARREN_URL", "WARREN_API_KEY", "WARREN_ADMIN_KEY", "WARREN_AMQP_URL",
         "WARREN_ADMIN_AMQP_URL", "WARREN_MANAGEMENT_URL", "WARREN_BIN"]


class Run:
    """./run.sh with a folder of its own instead of var/."""

    def __init__(self, var):
        self.var = var
        self.env = dict(os.environ, WARREN_VAR=str(var), WARREN_PRESET="plain")

    def __call__(self, *arguments, **env):
        return subprocess.run([ROOT / "run.sh", *arguments], env=self.env | env, text=True,
                              timeout=280, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)

    def begin(self, *arguments):
        """Goes on beside the test; its standard error is a pipe."""
        return subprocess.Popen([ROOT / "run.sh", *arguments], env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def environment(self):
        """What `. var/env` gives to a shell's children."""
        shown = subprocess.run(["bash", "-c", '. "$1/env" && env', "-", self.var], check=True,
                               stdout=subprocess.PIPE, text=True, timeout=30).stdout
        every = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        return {name: every[name] for name in WHERE}

    def request(self, method, want, **options):
        """/api/v1/jobs as tenant demo."""
        env = self.environment()
        answer = requests.request(method, env["WARREN_URL"] + "/api/v1/jobs", timeout=30,
                                  headers={"Authorization": "Bearer " + env["WARREN_API_KEY"]},
                                  **options)
        assert answer.status_code == want, answer.text
        return answer.json()

    def jobs(self):
        return {job["id"]: job for job in self.request("GET", 200)["jobs"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    whole = Run(tmp_path_factory.mktemp("run") / "var")
    yield whole
    whole("stop")


@pytest.fixture(scope="module")
def up(run):
    done = run("--detach")
    assert done.returncode == 0, done.stderr
    run.output = done.stdout
    return run


def test_demo_jobs_end_as_they_should(up):
    jobs = list(up.jobs().values())
    assert sorted(job["status"] for job in jobs) == ["completed"] * 5 + ["dead"]
    retried = [job for job in jobs if job["attempt"] == 3]
    assert [job["type"] for job in retried] == ["fail"]
    for job in jobs:
        assert job["id"] in up.output
    assert up.environment()["WARREN_URL"] in up.output


def test_status_says_running(up):
    done = up("status")
    assert done.returncode == 0
    assert done.stdout.count("running") == 5


def test_a_second_one_is_refused(up):
    done = up("--detach")
    assert done.returncode == 1
    assert "running already" in done.stderr
    assert up("status").returncode == 0


def test_secrets_are_the_owners_alone(up):
    secrets = [up.var / "env", up.var / "broker/warren-admin.password",
               *(up.var / "secrets").iterdir()]
    assert len(secrets) >= 9
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_doctor_is_content(up):
    env = dict(os.environ, **up.environment())
    done = subprocess.run([pathlib.Path(env["WARREN_BIN"]) / "warren", "doctor"], env=env, timeout=60,
                          stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_stop_leaves_nothing_and_a_start_keeps_the_data(up):
    before, where = up.jobs(), up.environment()
    done = up("stop")
    assert done.returncode == 0, done.stderr
    assert "killing" not in done.stderr
    assert up("status").returncode == 3
    assert str(up.var) not in subprocess.run(["ps", "-eo", "stat,args"], stdout=subprocess.PIPE,
                                             text=True, check=True, timeout=30).stdout
    assert up("--detach").returncode == 0
    assert up.environment() == where
    after = up.jobs()
    assert len(after) == 12
    assert {id: after[id]["status"] for id in before} == {
        id: job["status"] for id, job in before.items()}
    assert up("stop").returncode == 0


def test_no_demo_is_run_when_unwanted_or_when_its_types_are_gone(up):
    """The handlers are the user's own, so a start goes on without those the demo wants."""
    unwanted = up("--detach", "--no-demo")
    assert unwanted.returncode == 0, unwanted.stderr
    assert "submitted" not in unwanted.stderr
    assert up.environment()["WARREN_URL"] in unwanted.stdout
    before = up.jobs()
    assert up("stop").returncode == 0
    handlers = up.var / "handlers/handlers.json"
    whole = handlers.read_text(encoding="utf-8")
    fewer = json.loads(whole)
    del fewer["types"]["fail"], fewer["types"]["sleep"]
    handlers.write_text(json.dumps(fewer), encoding="utf-8")
    lacking = up("--detach")
    handlers.write_text(whole, encoding="utf-8")
    assert lacking.returncode == 0, lacking.stderr
    assert "no demo jobs: var/handlers/handlers.json has no type fail, sleep\n" in lacking.stderr
    assert up.jobs() == before
    assert up("stop").returncode == 0


def test_stop_waits_for_a_job_that_runs(up, tmp_path):
    """As long as `drain` says, telling what it waits for."""
    handlers = up.var / "handlers/handlers.json"
    whole = json.loads(handlers.read_text(encoding="utf-8"))
    script = f"touch {tmp_path}/runs; until test -e {tmp_path}/open; do sleep 0.1; done; echo 1"
    gated = dict(whole, types={"gated": {"exec": ["/bin/sh", "-c", script], "grace": "1m"}})
    handlers.write_text(json.dumps(gated), encoding="utf-8")
    done = up("--detach", "--no-demo", WARREN_CONSUMER_DRAIN="10m")
    assert done.returncode == 0, done.stderr
    id = up.request("POST", 202, json={"type": "gated"})["id"]
    until((tmp_path / "runs").exists, 30, "it runs")
    stopping, seen = up.begin("stop"), []
    lines = (seen.append(line) or line for line in iter(stopping.stderr.readline, ""))
    assert any("consumer waits for running jobs" in line for line in lines), seen
    assert seen[-1].endswith(", at most 690 s\n")
    (tmp_path / "open").touch()
    assert not any("killing" in line for line in lines), seen
    assert stopping.wait(120) == 0
    handlers.write_text(json.dumps(whole), encoding="utf-8")
    assert up("--detach", "--no-demo").returncode == 0
    assert (up.jobs()[id]["status"], up.jobs()[id]["attempt"]) == ("completed", 1)
    assert up("stop").returncode == 0


@pytest.mark.parametrize("name, settings, handlers, want", [
    ("consumer", "drain = 25s", "{}", 30 + 25 + 5),
    ("consumer", "drain = 1.5s", '{"defaults": {"grace":\n "2.5m"}}', 30 + 2 + 180),
    ("consumer", "drain = 1d", '{"a": {"grace": 7}, "b": {"grace": "900ms"}}', 30 + 86400 + 7),
    ("gateway", "body_deadline = 10s\nconfirm_timeout = 250ms\ndrain_limit = 2m", "{}",
     30 + 10 + 1 + 120),
    ("status-store", "port = 8090", "{}", 30),
])
def test_stop_limit(tmp_path, name, settings, handlers, want):
    """What a program's own settings let its end take."""
    (tmp_path / "run").mkdir()
    (tmp_path / "handlers.json").write_text(handlers, encoding="utf-8")
    (tmp_path / f"run/{name}.settings").write_text(
        f"{settings}\nhandlers = {tmp_path}/handlers.json\n", encoding="utf-8")
    script = 'set -euo pipefail; bin=none var=$1; . "$2"; stop_limit "$3"'
    done = subprocess.run(["bash", "-c", script, "-", tmp_path, ROOT / "scripts/programs.sh", name],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=30)
    assert int(done.stdout) == want


def read_terminal(terminal):
    """Nothing once its other end is closed."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_ctrl_c_ends_it_cleanly(run):
    """On a terminal; the last of this module, because it ends what the others share."""
    pid, terminal = pty.fork()
    if pid == 0:
        # In the background of a shell it may have been ignored, which a bash cannot undo.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(ROOT / "run.sh", ["run.sh"], run.env)
    seen = b""
    while b"Ctrl-C" not in seen:
        more = read_terminal(terminal)
        assert more, seen.decode()[-2000:]
        seen += more
    assert run("status").returncode == 0
    os.write(terminal, b"\x03")
    while more := read_terminal(terminal):
        seen += more
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, seen.decode()[-2000:]
    assert run("status").returncode == 3


def test_a_demo_job_that_does_not_end_is_a_failure(run):
    """The consumer is made to stand still as soon as it is there."""
    process, seen = run.begin("--detach"), []
    lines = (seen.append(line) or line for line in iter(process.stderr.readline, ""))
    assert any("ready: " in line for line in lines), seen
    consumer = int((run.var / "run/consumer.pid").read_text(encoding="utf-8"))
    os.kill(consumer, signal.SIGSTOP)
    assert any("not where it should be" in line for line in lines), seen
    os.kill(consumer, signal.SIGCONT)
    process.communicate(timeout=120)
    assert process.returncode == 1
    until(lambda: not [pid for pid in descendants(os.getpid()) if pid == consumer], 30, "it ended")
    assert run("status").returncode == 3


@pytest.mark.parametrize("arguments, want", [(["--help"], 0), (["--nonsense"], 2),
                                             (["--detach", "--nonsense"], 2)])
def test_usage(run, arguments, want):
    done = run(*arguments)
    assert done.returncode == want
    assert "usage: ./run.sh" in done.stdout + done.stderr
