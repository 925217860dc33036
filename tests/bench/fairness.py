# SPDX-License-Identifier: Apache-2.0
"""How long one tenant's jobs wait while another's backlog keeps every worker busy."""
import json
import subprocess
import time

SLEEP = {"ms": 5}


class Fairness:
    def __init__(self, pipeline, options):
        self.pipeline = pipeline
        self.options = options
        warren = pipeline.warren
        self.crowd = warren.tenant("crowd", max_pending="unlimited")
        self.single = warren.tenant("single", max_pending="unlimited")

    def _one_a_second(self, goes_on, seconds=0.0):
        """Submits a job each second while goes_on(), and for at least `seconds`; returns the ids and
        the milliseconds that each answer took."""
        made = []
        started = time.monotonic()
        while time.monotonic() - started < seconds or goes_on():
            sent = time.monotonic()
            job = self.single.api.request("POST", "/jobs", json={"type": "noop"}).json()
            made.append((job["id"], (time.monotonic() - sent) * 1000))
            time.sleep(max(0.0, started + len(made) - time.monotonic()))
        return made

    def _ended(self):
        return self.crowd.api.request("GET", "/stats").json()["completed"]

    def _backlog(self):
        """The jobs that the crowd has submitted, half of them critical."""
        command = self.pipeline.submit_command(
            self.crowd, self.options.backlog, "sleep", json.dumps(SLEEP), "0", "critical,medium")
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    def _read(self, made):
        """The jobs, once each has ended."""
        return [self.single.api.request("GET", f"/jobs/{job}?wait=30s").json() for job, _ in made]

    def measure(self):
        """Lists of (job, milliseconds until 202): of an idle Warren, while the backlog is submitted,
        and while it runs."""
        done = self._ended()
        idle = self._one_a_second(lambda: False, self.options.idle_seconds)
        started = time.monotonic()
        load = self._backlog()
        submitting = self._one_a_second(lambda: load.poll() is None)
        if load.returncode != 0:
            raise SystemExit("the backlog could not be submitted")
        wanted = done + json.loads(load.stdout.read())["status"].get("202", 0)
        running = self._one_a_second(lambda: self._ended() < wanted)
        seconds = time.monotonic() - started
        return seconds, {name: list(zip(self._read(made), (ms for _, ms in made)))
                         for name, made in (("idle", idle), ("submitting", submitting),
                                            ("running", running))}
