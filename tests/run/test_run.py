# SPDX-License-Identifier: Apache-2.0
"""./run.sh as a user sees it: it starts with its demo jobs although the usual ports are taken, is used,
stopped, and started again with its data. A second installation tests Ctrl-C."""
import contextlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import stat
import subprocess

import pika
import pytest
import requests

from harness.processes import descendants
from harness.publish import publish
from harness.terminal import need_terminal
from harness.until import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHERE = ["WARREN_URL", "WARREN_API_KEY", "WARREN_ADMIN_KEY", "WARREN_AMQP_URL",
         "WARREN_ADMIN_AMQP_URL", "WARREN_MANAGEMENT_URL", "WARREN_BIN"]
PROGRAMS = ["status-store", "dlx-monitor", "consumer", "gateway"]
TAKEN = {"broker": 5672, "run.sh": 8080}


class Run:
    """./run.sh with a folder of its own instead of var/."""

    def __init__(self, var):
        self.var = var
        self.env = dict(os.environ, WARREN_VAR=str(var), WARREN_PRESET="plain")

    def __call__(self, *arguments, **env):
        return subprocess.run([ROOT / "run.sh", *arguments], env=self.env | env, text=True,
                              timeout=280, umask=0o022, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)

    def begin(self, *arguments):
        """Starts ./run.sh without waiting for it; its standard error is a pipe."""
        return subprocess.Popen([ROOT / "run.sh", *arguments], env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def environment(self):
        """What `. var/env` gives to a shell's children."""
        shown = subprocess.run(["bash", "-c", '. "$1/env" && env', "-", self.var], check=True,
                               stdout=subprocess.PIPE, text=True, timeout=30).stdout
        every = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        return {name: every[name] for name in WHERE}

    def request(self, method, want, path="/jobs", key="WARREN_API_KEY", **options):
        """A request as tenant demo, unless another key is named."""
        env = self.environment()
        answer = requests.request(method, env["WARREN_URL"] + "/api/v1" + path, timeout=60,
                                  headers={"Authorization": "Bearer " + env[key]}, **options)
        assert answer.status_code == want, answer.text
        return answer.json()

    def jobs(self):
        return {job["id"]: job for job in self.request("GET", 200)["jobs"]}

    def ended(self, id):
        """Waits for the job's end. A job published over AMQP is known a moment later."""
        until(lambda: id in self.jobs(), 30, "it is listed")
        return self.request("GET", 200, f"/jobs/{id}?wait=30s")

    def runs_a_job(self):
        until(lambda: self.answers("/tenants"), 60, "the gateway answers")
        job = self.request("POST", 202, json={"type": "echo", "payload": 1})
        return self.ended(job["id"])["status"] == "completed"

    def answers(self, path):
        """True once the gateway knows the keys."""
        env = self.environment()
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{env['WARREN_URL']}/api/v1{path}", timeout=10, headers={
                "Authorization": "Bearer " + env["WARREN_ADMIN_KEY"]}).status_code == 200
        return False

    def processes(self):
        """The process ids of the programs and the broker, by name."""
        files = {name: self.var / f"run/{name}.pid" for name in PROGRAMS}
        files["broker"] = self.var / "broker/pid"
        return {name: int(file.read_text(encoding="utf-8")) for name, file in files.items()}

    def kill_unsupervised(self, *names):
        """Kills these programs for good: first the supervisor, which would start them again."""
        os.kill(int((self.var / "run/supervisor.pid").read_text(encoding="utf-8")), signal.SIGKILL)
        for name in names:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.processes()[name], signal.SIGKILL)
        until(lambda: self("status").stdout.count("not running") == len(names), 30, "they are gone")

    def every_process(self):
        """All processes of this installation, with their children."""
        mark, found = str(self.var).encode(), set()
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
                if mark in text and int(folder.name) != os.getpid():
                    found |= {int(folder.name), *descendants(int(folder.name))}
        return found

    def secrets(self):
        """Every secret that was generated for this installation, by a name."""
        files = [path for path in (self.var / "secrets").iterdir() if path.name != "demo.json"]
        files += [self.var / "broker/warren-admin.password", self.var / "broker/.erlang.cookie"]
        drawn = {path.name: path.read_text(encoding="utf-8").strip() for path in files}
        demo = json.loads((self.var / "secrets/demo.json").read_text(encoding="utf-8"))
        return drawn | {"key of demo": demo["key"], "login of demo": demo["amqp"]["password"]}


@contextlib.contextmanager
def taken(ports):
    """Listens on those ports that are not in use already."""
    with contextlib.ExitStack() as held:
        for port in ports:
            other = held.enter_context(socket.socket())
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                other.bind(("127.0.0.1", port))
                other.listen(128)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    whole = Run(tmp_path_factory.mktemp("run") / "var")
    yield whole
    whole("stop")


@pytest.fixture(scope="module")
def up(run):
    with taken(TAKEN.values()):
        done = run("--detach")
    assert done.returncode == 0, done.stderr
    run.output, run.told = done.stdout, done.stderr
    return run


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A second installation, which has the type `gated` beside the samples."""
    whole = Run(tmp_path_factory.mktemp("other") / "var")
    whole.folder = whole.var.parent
    handlers, samples = whole.var / "handlers", ROOT / "build/plain/handlers"
    handlers.mkdir(parents=True)
    shutil.copy(samples / "word_count.py", handlers)
    mine = json.loads((samples / "handlers.json").read_text(encoding="utf-8"))
    mine["types"]["gated"] = gated(whole.folder)
    (handlers / "handlers.json").write_text(json.dumps(mine), encoding="utf-8")
    yield whole
    (whole.folder / "open").touch()
    whole("stop")


def gated(folder):
    """The type `gated`: its jobs create the file `runs`, start a child that would outlive them, and end
    once the file `open` is there."""
    script = f"sleep 1000 & touch {folder}/runs; until test -e {folder}/open; do sleep 0.1; done; echo 1"
    return {"exec": ["/bin/sh", "-c", script], "grace": "1m"}


def test_free_ports_when_the_usual_ones_are_taken(up):
    """The demo jobs have run with the free ports."""
    env = up.environment()
    for name, url in (("broker", env["WARREN_AMQP_URL"]), ("run.sh", env["WARREN_URL"])):
        used = int(re.search(r":(\d+)(/|$)", url)[1])
        assert used != TAKEN[name]
        assert f"{name}: port {TAKEN[name]} is taken, using {used}\n" in up.told
    assert f":{TAKEN['broker']}/" not in env["WARREN_ADMIN_AMQP_URL"]


def test_demo_jobs_end_as_they_should(up):
    jobs = list(up.jobs().values())
    assert sorted(job["status"] for job in jobs) == ["completed"] * 5 + ["dead"]
    retried = [job for job in jobs if job["attempt"] == 3]
    assert [job["type"] for job in retried] == ["fail"]
    for job in jobs:
        assert job["id"] in up.output


def test_it_says_where_everything_is(up):
    """It also says how to log in: the console opens with the login printed."""
    api = re.search(r"^ +API +(http://\S+) ", up.output, re.M)[1]
    assert api == up.environment()["WARREN_URL"] + "/api/v1"
    url, login, password = re.search(
        r"^ +RabbitMQ +(http://\S+) +login (\S+), password in var/(\S+)$", up.output, re.M).groups()
    secret = (up.var / password).read_text(encoding="utf-8").strip()
    assert "RabbitMQ Management" in requests.get(url, timeout=30).text
    who = requests.get(url + "/api/whoami", auth=(login, secret), timeout=30)
    assert who.json()["name"] == login == "warren-admin"
    assert requests.get(url + "/api/whoami", auth=(login, "guess"), timeout=30).status_code == 401
    logs = re.search(r"^ +logs +var/(\S+), var/(\S+)$", up.output, re.M).groups()
    assert logs == ("log/", "broker/log/")
    for folder in logs:
        assert any(path.stat().st_size for path in (up.var / folder).iterdir())


def test_demo_is_for_trying_out(up):
    """Tenant demo has no rate limit and no limit of running jobs."""
    demo = up.request("GET", 200, "/tenants/demo", key="WARREN_ADMIN_KEY")["tenant"]
    assert (demo["rate"], demo["max_running"]) == ("unlimited", "unlimited")


def test_a_job_by_the_amqp_login_of_demo(up):
    """WARREN_AMQP_URL has demo's own login: it may publish to demo's exchange only."""
    url = up.environment()["WARREN_AMQP_URL"]
    parameters = pika.URLParameters(url)
    login = parameters.credentials.username
    assert login == "tenant-demo"
    with contextlib.closing(pika.BlockingConnection(parameters)) as connection:
        channel = connection.channel()
        id = publish(channel, "demo", "echo", {"from": "pika"}, lane="high", user_id=login,
                     headers={"x-max-retries": 3})
        job = up.ended(id)
        assert (job["status"], job["result"]) == ("completed", {"from": "pika"})
        for exchange in ("", "dead", "amq.direct"):
            channel = connection.channel()
            channel.confirm_delivery()
            with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
                channel.basic_publish(exchange, "jobs.demo.high", b"{}",
                                      pika.BasicProperties(user_id=login))
            assert refused.value.reply_code == 403


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


def test_nobody_else_reads_what_it_made(up, tmp_path):
    """Everything under var/, whatever the umask of the user who started it; and a backup."""
    copy = up.var / "backup.db"
    for program in ("status-store", "dlx-monitor"):
        subprocess.run([pathlib.Path(up.environment()["WARREN_BIN"]) / f"warren-{program}", "--config",
                        up.var / f"etc/{program}.conf", "--backup", copy], check=True, timeout=60,
                       stderr=subprocess.DEVNULL, umask=0)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        copy.unlink()
    open_to_all = [f"{path} {stat.S_IMODE(path.lstat().st_mode):o}" for path in up.var.rglob("*")
                   if not path.is_symlink() and path.lstat().st_mode & 0o077]
    assert not open_to_all, open_to_all


def test_every_program_keeps_its_files_to_itself(up):
    for pid in (up.var / "run").glob("*.pid"):
        status = pathlib.Path(f"/proc/{pid.read_text(encoding='utf-8').strip()}/status")
        assert "\nUmask:\t0077\n" in status.read_text(encoding="utf-8"), pid.name


def umasks_of_handlers(up):
    """The umasks of the consumer's plugin hosts. One that is being started still has the consumer's."""
    consumer = (up.var / "run/consumer.pid").read_text(encoding="utf-8").strip()
    hosts = pathlib.Path(f"/proc/{consumer}/task/{consumer}/children").read_text(encoding="ascii")
    return {re.search(r"^Umask:\t(\d+)$", pathlib.Path(f"/proc/{pid}/status").read_text(
        encoding="utf-8"), re.M).group(1) for pid in hosts.split()}


def test_handlers_have_the_umask_of_who_started_it(up):
    until(lambda: umasks_of_handlers(up) == {"0022"}, 30, "the umask of whoever started it")


def test_the_doctor_is_content(up):
    env = dict(os.environ, **up.environment())
    done = subprocess.run([pathlib.Path(env["WARREN_BIN"]) / "warren", "doctor"], env=env, timeout=60,
                          stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_ends_by_itself_comes_back(up):
    """The broker comes back too; the status and a log say so."""
    before = up.processes()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: up("status").returncode == 0, 120, "all are back", every=0.5)
    until(lambda: umasks_of_handlers(up) == {"0022"}, 30, "the umask of whoever started it")
    after, status = up.processes(), up("status").stdout
    log = (up.var / "log/run.log").read_text(encoding="utf-8")
    for name, pid in before.items():
        assert after[name] != pid
        assert re.search(rf"^{name} +running, .*, restarts 1, last at 20\d\d-\S+Z$", status, re.M)
        assert re.search(rf"^20\d\d-\S+Z {name} has ended by itself, .*{up.var}", log, re.M)
        assert re.search(rf"^20\d\d-\S+Z {name} is started again, restart 1$", log, re.M)
    assert up.runs_a_job()


def test_what_is_missing_is_started_and_said(up):
    """Also when no supervisor is left that would start it again."""
    before = up.processes()
    up.kill_unsupervised("broker", "consumer", "gateway")
    status = up("status")
    assert status.returncode == 3 and re.search("^supervision +none", status.stdout, re.M)
    broken = up("--detach", WARREN_CONSUMER_CONCURRENCY="nonsense")
    assert broken.returncode == 1 and "what was running before goes on" in broken.stderr
    up.kill_unsupervised("broker", "consumer", "gateway")
    done = up("--detach", **up.environment())
    assert done.returncode == 0, done.stderr
    assert ("running already: status-store dlx-monitor; "
            "missing, and started now: broker consumer gateway supervision\n") in done.stderr
    assert "submitted" not in done.stderr, "no demo jobs among somebody's own"
    after = up.processes()
    assert [name for name in before if after[name] != before[name]] == ["consumer", "gateway", "broker"]
    assert up("status").returncode == 0
    assert up.runs_a_job()
    os.kill(after["gateway"], signal.SIGKILL)
    until(lambda: up("status").returncode == 0, 60, "the gateway is back", every=0.5)


def test_no_secret_is_in_an_environment_or_an_argument(up):
    """Neither of the programs that the test above started in a shell with var/env, nor of any others."""
    secrets, env = up.secrets(), up.environment()
    looked_at = set()
    for pid in up.every_process():
        for name in ("environ", "cmdline"):
            try:
                text = pathlib.Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            found = [which for which, secret in secrets.items() if secret in text]
            assert not found, f"{name} of {pid}"
            assert name == "cmdline" or not [key for key in env if f"{key}=" in text]
            looked_at.add(pid)
    assert looked_at >= set(up.processes().values())


@pytest.mark.parametrize("lives, want", [
    ("false", [0, 1, 3, 7, 15, 31, 61, 91]),  # it never stays
    ("((SECONDS % 70 > 0))", [0, 70]),  # at once, when it has stayed a minute
])
def test_pauses_before_it_is_started_again(tmp_path, lives, want):
    (tmp_path / "log").mkdir()
    (tmp_path / "run").mkdir()
    script = f"""set -euo pipefail
        root=none var=$1 programs=(one)
        . "$2"
        is_alive() {{ {lives}; }}
        say() {{ :; }}
        start_program() {{ echo "$at"; }}
        for ((at = 0; at < 120; at++)); do
                SECONDS=$at
                revive one
        done"""
    done = subprocess.run(["bash", "-c", script, "-", tmp_path, ROOT / "scripts/supervise.sh"],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert [int(line) for line in done.stdout.split()] == want
    assert (tmp_path / "run/one.restarts").read_text(encoding="utf-8").split()[0] == str(len(want))


def test_stop_leaves_nothing_and_a_start_keeps_the_data(up):
    before, where = up.jobs(), up.environment()
    done = up("stop")
    assert done.returncode == 0, done.stderr
    assert "kill" not in done.stderr
    assert up("status").returncode == 3
    assert str(up.var) not in subprocess.run(["ps", "-eo", "stat,args"], stdout=subprocess.PIPE,
                                             text=True, check=True, timeout=30).stdout
    assert up("--detach").returncode == 0
    assert up.environment() == where
    after = up.jobs()
    assert len(after) == len(before) + 6
    assert {id: after[id]["status"] for id in before} == {
        id: job["status"] for id, job in before.items()}
    assert up("stop").returncode == 0


def test_no_demo_is_run_when_unwanted_or_when_its_types_are_gone(up):
    """The user may change the handlers, so a start goes on without those that the demo needs."""
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
    """It waits as long as `drain` says, and prints what it waits for and what Ctrl-C would do."""
    handlers = up.var / "handlers/handlers.json"
    whole = json.loads(handlers.read_text(encoding="utf-8"))
    handlers.write_text(json.dumps(dict(whole, types={"gated": gated(tmp_path)})), encoding="utf-8")
    done = up("--detach", "--no-demo", WARREN_CONSUMER_DRAIN="10m")
    assert done.returncode == 0, done.stderr
    id = up.request("POST", 202, json={"type": "gated"})["id"]
    until((tmp_path / "runs").exists, 30, "it runs")
    stopping, seen = up.begin("stop"), []
    lines = (seen.append(line) or line for line in iter(stopping.stderr.readline, ""))
    assert any("consumer waits for running jobs" in line for line in lines), seen
    assert "; Ctrl-C kills it, jobs that run stay in the broker" in seen[-1]
    (tmp_path / "open").touch()
    assert not any("killing" in line for line in lines), seen
    assert stopping.wait(120) == 0
    handlers.write_text(json.dumps(whole), encoding="utf-8")
    assert up("--detach", "--no-demo").returncode == 0
    assert (up.jobs()[id]["status"], up.jobs()[id]["attempt"]) == ("completed", 1)
    assert up("stop").returncode == 0


class Terminal:
    """./run.sh on a terminal, as a context manager: leaving it waits for the end of ./run.sh."""

    def __init__(self, run, *arguments, **env):
        need_terminal()
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # A background job of a shell may start with SIGINT ignored, which bash cannot undo.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(ROOT / "run.sh", ["run.sh", *arguments], run.env | env)

    def read(self):
        """Returns "" once the other end is closed."""
        try:
            more = os.read(self.fd, 4096).decode(errors="replace")
        except OSError:
            more = ""
        self.seen += more
        return more

    def see(self, text):
        while text not in self.seen:
            assert self.read(), self.seen[-2000:]

    def ctrl_c(self):
        os.write(self.fd, b"\x03")

    def end(self):
        while self.read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def runs_gated(other):
    """Starts a job that would delay a stop for ten minutes; its id, and the processes of its consumer."""
    for name in "runs", "open":
        (other.folder / name).unlink(missing_ok=True)
    id = other.request("POST", 202, json={"type": "gated"})["id"]
    until((other.folder / "runs").exists, 30, "it runs")
    consumer = other.processes()["consumer"]
    return id, {consumer, *descendants(consumer)}


def is_stopped_with_all(other, processes):
    assert other("status").returncode == 3
    until(lambda: not [pid for pid in processes if is_alive(pid)], 30, "handlers are gone")


def is_alive(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # a zombie has none
    return False


def test_a_second_ctrl_c_kills_what_is_left(other):
    """The job is not lost, and runs again."""
    terminal = Terminal(other, "--no-demo", WARREN_CONSUMER_DRAIN="10m")
    terminal.see("stop       Ctrl-C")
    id, processes = runs_gated(other)
    assert len(processes) > 3
    terminal.ctrl_c()
    terminal.see("; Ctrl-C kills it, jobs that run stay in the broker")
    assert "consumer waits for running jobs" in terminal.seen
    terminal.ctrl_c()
    terminal.see("killing the programs; jobs that run stay in the broker")
    terminal.ctrl_c()  # this no longer affects the broker, which stops in order
    assert terminal.end() == 0, terminal.seen[-2000:]
    assert "broker: stopped" in terminal.seen
    is_stopped_with_all(other, processes)
    (other.folder / "open").touch()
    terminal = Terminal(other)
    terminal.see("stop       Ctrl-C")
    assert other("status").returncode == 0
    os.kill(other.processes()["gateway"], signal.SIGKILL)
    terminal.see("gateway has ended by itself, starting it again")
    until(lambda: other.answers("/tenants"), 60, "the gateway is back")
    job = other.ended(id)
    assert (job["status"], job["attempt"]) == ("completed", 1)  # no failure was charged
    terminal.ctrl_c()
    assert terminal.end() == 0, terminal.seen[-2000:]
    assert "kill" not in terminal.seen.partition("stop       Ctrl-C")[2]
    assert other("status").returncode == 3


def test_a_signal_to_a_stop_kills_what_is_left(other):
    """Also when a run.sh on a terminal does the stop."""
    terminal = Terminal(other, "--no-demo", WARREN_CONSUMER_DRAIN="10m")
    terminal.see("stop       Ctrl-C")
    _, processes = runs_gated(other)
    stopping = other.begin("stop")
    terminal.see("; Ctrl-C kills it")
    stopping.terminate()
    assert stopping.wait(60) == 0
    assert "killing the programs" in stopping.stderr.read()
    assert terminal.end() == -signal.SIGKILL
    is_stopped_with_all(other, processes)


def test_secrets_are_those_of_one_installation(up, other):
    """A secret that is not random would be the same in both, or occur twice in one."""
    mine, others = up.secrets(), other.secrets()
    assert mine.keys() == others.keys() and len(mine) >= 10
    assert len(set(mine.values()) | set(others.values())) == len(mine) + len(others)
    assert min(map(len, [*mine.values(), *others.values()])) >= 20


@pytest.mark.soak
def test_a_demo_job_that_does_not_end_is_a_failure(other):
    """The test suspends the consumer as soon as it is there."""
    process, seen = other.begin("--detach"), []
    lines = (seen.append(line) or line for line in iter(process.stderr.readline, ""))
    assert any("ready: " in line for line in lines), seen
    consumer = int((other.var / "run/consumer.pid").read_text(encoding="utf-8"))
    os.kill(consumer, signal.SIGSTOP)
    assert any("not where it should be" in line for line in lines), seen
    os.kill(consumer, signal.SIGCONT)
    process.communicate(timeout=120)
    assert process.returncode == 1
    until(lambda: not [pid for pid in descendants(os.getpid()) if pid == consumer], 30, "it ended")
    assert other("status").returncode == 3


@pytest.mark.parametrize("arguments, want", [(["--help"], 0), (["--nonsense"], 2),
                                             (["--detach", "--nonsense"], 2)])
def test_usage(run, arguments, want):
    done = run(*arguments)
    assert done.returncode == want
    assert "usage: ./run.sh" in done.stdout + done.stderr
