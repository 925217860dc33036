# SPDX-License-Identifier: Apache-2.0
"""Warren's programs on a broker, and jobs submitted to them over HTTP."""
import json
import os
import pathlib
import subprocess
import time

from bench import find

PROGRAMS = ("gateway", "consumer", "status_store", "dlx_monitor")
TICK = os.sysconf("SC_CLK_TCK")


def add_options(parse):
    """The options of those who load a pipeline."""
    parse.add_argument("--bin", default="build/release/bin", help="the programs of a release build")
    parse.add_argument("--payload", type=int, default=300, help="bytes of a job's payload")
    parse.add_argument("--connections", type=int, default=64)
    parse.add_argument("--concurrency", type=int, default=8, help="jobs a consumer runs at once")
    parse.add_argument("--json", help="file for the figures")


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def cpu_seconds(pid):
    """User and system time of a process and its ended children."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(n) for n in fields[11:15]) / TICK


def broker_pid(broker):
    return int((broker.folder / "pid").read_text())


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Pipeline:
    """WARREN_BIN names the programs: set it before."""

    def __init__(self, broker, folder, options):
        from harness.broker import BIN
        from harness.warren import Warren
        self.bin = BIN
        self.broker = broker
        self.options = options
        quiet = {"log_level": "info"}
        folder.mkdir(parents=True, exist_ok=True)
        self.warren = Warren(broker, folder, start=False, settings={
            "gateway": {**quiet, "threads": min(1024, max(128, options.connections + 16)),
                        "live_max": 2 * getattr(options, "clients", 32)},
            "status-store": {**quiet, "tenants_max": 10000},
            "dlx-monitor": quiet,
            "consumer": {**quiet, "concurrency": options.concurrency}},
            handlers=self._handlers())
        self.tenant = None

    def start(self):
        self.warren.start()
        self.tenant = self.warren.tenant("bench", max_pending="unlimited")

    def _handlers(self):
        more = getattr(self.options, "only", None) or ""
        return {"plugins": {"basic": {"file": str(self.bin.parent / "handlers/basic.so"),
                                      "processes": self.options.concurrency}},
                "types": {**(find.types() if "find" in more else {}),
                          **{name: {"plugin": "basic", "handler": name} for name in ("noop", "sleep")}}}

    def pids(self):
        """Processes by name, those of the broker too."""
        found = {name: [getattr(self.warren, name).pid] for name in PROGRAMS}
        found["handlers"] = self.warren.consumer.children()
        found["broker"] = [broker_pid(self.broker)]
        return found

    def completed(self):
        return self.tenant.api.request("GET", "/stats").json()["completed"]

    def wait_completed(self, wanted, seconds):
        deadline = time.monotonic() + seconds
        while (done := self.completed()) < wanted:
            if time.monotonic() > deadline:
                raise SystemExit(f"only {done} of {wanted} completed after {seconds} s")
            time.sleep(0.1)

    def submit_command(self, tenant, jobs, job_type, payload, *more, flags=(), connections=None):
        """For what `more` and `flags` are, see submit_load.c."""
        return [self.bin / "warren-bench-submit", *flags, str(self.warren.gateway.port), tenant.key,
                str(jobs), str(connections or self.options.connections), job_type, str(payload),
                *more]

    def submit(self, jobs, *delays):
        """What submit_load.c found."""
        command = self.submit_command(self.tenant, jobs, "noop", self.options.payload, *delays)
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    def submit_and_run(self, jobs):
        """(seconds until all that were accepted have completed, what submit_load.c found)"""
        before = self.completed()
        started = time.monotonic()
        submitted = self.submit(jobs)
        self.wait_completed(before + submitted["status"].get("202", 0), 600)
        return time.monotonic() - started, submitted

    def spent(self):
        """CPU seconds by name of pids()."""
        return {name: sum(map(cpu_seconds, group)) for name, group in self.pids().items()}

    def noops(self, jobs, **options):
        """Submits jobs of `noop`. (what submit_load.c found, µs of CPU a job until it ended)"""
        before = self.spent()
        command = self.submit_command(self.tenant, jobs, "noop", self.options.payload, **options)
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        after = self.spent()
        return found, {name: (after[name] - before[name]) * 1e6 / jobs for name in after}

    def end(self):
        self.warren.end()
