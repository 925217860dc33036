# SPDX-License-Identifier: Apache-2.0
"""Processes: a program under test, its children, and processes left behind."""
import ctypes
import os
import pathlib
import re
import signal
import subprocess

import requests

from harness.metrics import Metrics
from harness.until import until

PR_SET_CHILD_SUBREAPER = 36
# A process that was killed while it looked for leaks: one of its threads had ended.
CUT_OFF = re.compile(r"(==\d+==Unable to get registers from thread \d+\.\n)+")


def become_subreaper():
    """From now on orphans of our programs become our own children, so none is overlooked."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _stat(pid):
    """(state, parent) of a process, or None."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, parent = text.rpartition(")")[2].split()[:2]
    return state, int(parent)


def is_alive(pid):
    found = _stat(pid)
    return found is not None and found[0] not in "ZX"


def command_line(pid):
    try:
        raw = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return "?"
    return raw.replace(b"\0", b" ").decode("utf-8", "replace").strip()


def descendants(pid):
    """Every living process below pid."""
    children = {}
    for name in os.listdir("/proc"):
        found = _stat(name) if name.isdigit() else None
        if found and found[0] not in "ZX":
            children.setdefault(found[1], []).append(int(name))
    below, todo = [], [pid]
    while todo:
        more = children.get(todo.pop(), [])
        below += more
        todo += more
    return below


def reap(pid):
    """Collects an orphan that became our child and has ended."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


class Program:
    """One of Warren's programs, with its settings in a file of its own."""

    def __init__(self, name, folder, binary, settings):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.binary = pathlib.Path(binary)
        self.settings = dict(settings)
        self.stderr_path = self.folder / f"{name}.log"
        self.process = None
        self.ended_by_test = False
        self.prefix = []  # a command that becomes the program: ["prlimit", "--nofile=64"]
        self.asan_options = ""  # additional options: "quarantine_size_mb=8"

    @property
    def port(self):
        return int(self.settings["port"])

    @property
    def health_port(self):
        return int(self.settings["health_port"])

    @property
    def pid(self):
        return self.process.pid

    def start(self, ready=True):
        """Starts it; waits for /readyz unless told not to."""
        config = self.folder / f"{self.name}.conf"
        config.write_text("".join(f"{key} = {value}\n" for key, value in self.settings.items()),
                          encoding="utf-8")
        with open(self.stderr_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, self.binary, "--config", config],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self._environment())
        self.ended_by_test = False
        if ready:
            self.wait_ready()
        return self

    def _environment(self):
        reports = self.folder / f"sanitizer.{self.name}"
        env = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TZ") if key in os.environ}
        env["ASAN_OPTIONS"] = f"log_path={reports}:detect_leaks=1:exitcode=99:{self.asan_options}"
        env["UBSAN_OPTIONS"] = f"log_path={reports}:print_stacktrace=1:exitcode=99"
        env["TSAN_OPTIONS"] = f"log_path={reports}:exitcode=99"
        return env

    def is_ready(self):
        assert self.process.poll() is None, f"{self.name} ended:\n{self.log()[-3000:]}"
        try:
            return requests.get(self.health_url("/readyz"), timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def wait_ready(self, timeout=30):
        try:
            until(self.is_ready, timeout, f"{self.name} ready")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.log()[-3000:]}") from None

    def health_url(self, path):
        return f"http://127.0.0.1:{self.health_port}{path}"

    def metrics(self):
        """What /metrics says now: metrics()["warren_workers_active"], .sum("name", type="echo")."""
        answer = requests.get(self.health_url("/metrics"), timeout=10)
        assert answer.status_code == 200
        return Metrics(answer.text)

    def peak_memory(self):
        """The most bytes that were ever resident."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M).group(1)) * 1024

    def log(self):
        return self.stderr_path.read_text(encoding="utf-8", errors="replace")

    def children(self):
        return descendants(self.pid)

    def signal(self, number):
        self.process.send_signal(number)

    def hang(self):
        """Suspends the program (SIGSTOP); go_on() resumes it."""
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)

    def kill(self, timeout=20):
        """kill -9; fails unless its children end too."""
        below = self.children()
        self.ended_by_test = True
        self.process.kill()
        self.process.wait(timeout)
        self._await_gone(below)

    def stop(self, timeout=60):
        """Sends SIGTERM, also to a suspended program; returns the exit status once it and its children
        are gone."""
        below = self.children()
        self.ended_by_test = True
        self.process.terminate()
        self.go_on()
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(timeout)
            raise AssertionError(
                f"{self.name} did not end on SIGTERM:\n{self.log()[-3000:]}") from None
        self._await_gone(below)
        return status

    def restart(self):
        """SIGTERM, unless it was killed before; then a start with the same settings."""
        if self.is_running():
            assert self.stop() == 0, self.log()[-3000:]
        return self.start()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def _await_gone(self, pids):
        def left():
            for pid in pids:
                reap(pid)
            return [pid for pid in pids if is_alive(pid)]

        until(lambda: not left(), 10, f"children of {self.name} gone: "
              f"{[(pid, command_line(pid)) for pid in pids]}")

    def end(self):
        """For teardown: returns None when all is well, else what is wrong."""
        problems = []
        if self.is_running():
            try:
                status = self.stop()
                if status != 0:
                    problems.append(f"exit status {status} on SIGTERM")
            except AssertionError as wrong:
                problems.append(str(wrong))
        elif self.process is not None and not self.ended_by_test:
            problems.append(f"had ended by itself with {self.process.returncode}")
        reports = [report.read_text(encoding="utf-8", errors="replace")
                   for report in sorted(self.folder.glob(f"sanitizer.{self.name}.*"))]
        problems += [report[:6000] for report in reports if not CUT_OFF.fullmatch(report)]
        if not problems:
            return None
        return f"{self.name}: " + "\n".join(problems) + f"\nlog:\n{self.log()[-3000:]}"
