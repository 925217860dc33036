# SPDX-License-Identifier: Apache-2.0
"""Runs `warren submit` in a folder, against a stand-in of the gateway that takes batches: keys, problems, a
rate; and it can fail in chosen requests."""
import http.server
import json
import os
import shlex
import subprocess
import threading
import time
import uuid

import pytest

from cli_rig import EXIT
from harness.broker import BIN

BATCH = "/api/v1/jobs/batch"
ENDED = "urn:warren:problem:batch-ended"


class BatchGateway(http.server.ThreadingHTTPServer):
    """`jobs` maps each key to the job that it made. `plan`: what happens to the next requests, one entry
    each: a status to answer with; "cut" (no answer, nothing done), "lose" (no answer, all done), "stop"
    (reads only half of the jobs), ("take", n, s) (a rate: the first n, the others in s seconds), ("leave",
    n, s) (all but the first n, which are over a rate), or an Event, which is waited for. `bucket`: (count a second, burst) of a rate, or None. `dry`: how many dry
    runs were asked for."""

    daemon_threads = True

    def __init__(self):
        self.jobs = {}
        self.made = self.dry = 0
        self.bucket, self.tokens, self.filled = None, None, 0
        self.plan = []
        self.bodies = []  # of each request: (content type, text)
        self.times = []  # when each request came
        self.arrived = threading.Condition()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_requests(self, count):
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.bodies) >= count, 30)

    def has_token(self):
        if self.bucket is None:
            return True
        rate, burst = self.bucket
        now = time.monotonic()
        self.tokens = min(burst, self.tokens + (now - self.filled) * rate) if self.filled else burst
        self.filled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def take(self, index, text, position, dry):
        try:
            job = json.loads(text)
        except ValueError:
            return problem(400, f"/{index}", position, "is no JSON")
        if not isinstance(job, dict) or job.get("type") == "bad":
            return problem(422, f"/{index}/type", (position[0], position[1] + text.find('"bad"')),
                           "no such type")
        key = job.pop("idempotency_key")
        if dry:
            replays = {"replays": self.jobs[key]["id"]} if key in self.jobs else {}
            return {"dry_run": True, "status": "pending", **replays}
        if key in self.jobs:
            return {"id": self.jobs[key]["id"], "status": "pending", "replayed": True}
        self.made += 1
        self.jobs[key] = {"id": str(uuid.uuid4()), "text": text, **job}
        return {"id": self.jobs[key]["id"], "status": "pending"}


def problem(status, pointer, position, detail, **more):
    return {"problem": {"type": "about:blank", "title": "x", "status": status, "detail": detail,
                        "errors": [{"pointer": pointer, "line": position[0], "column": position[1],
                                    "detail": detail}], **more}}


def elements(kind, body):
    """[(text, (line, column))]. An array has each job on lines of its own, as the command sends it."""
    if kind == "application/x-ndjson":
        return [(line, (n, 1)) for n, line in enumerate(body.rstrip("\n").split("\n"), 1)]
    decoder = json.JSONDecoder()
    at, found = body.index("[") + 1, []
    while True:
        while body[at] in " \n,":
            at += 1
        if body[at] == "]":
            return found
        _, end = decoder.raw_decode(body, at)
        line_begins = body.rfind("\n", 0, at) + 1
        found.append((body[at:end], (body.count("\n", 0, at) + 1, at - line_begins + 1)))
        at = end


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802
        gateway = self.server
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert self.path in (BATCH, f"{BATCH}?dry_run=true")
        dry = self.path != BATCH
        gateway.dry += dry
        with gateway.arrived:
            step = gateway.plan.pop(0) if gateway.plan else None
            gateway.times.append(time.monotonic())
            gateway.bodies.append((self.headers["Content-Type"], body))
            gateway.arrived.notify_all()
        if isinstance(step, threading.Event):
            step.wait(60)
        if isinstance(step, int):
            self.reply(step, {"title": "x", "status": step, "detail": f"answered {step} as planned"})
        elif step == "cut":
            self.close_connection = True
        else:
            answer = self.entries(elements(self.headers["Content-Type"], body), step, dry)
            if step == "lose":
                self.close_connection = True
            else:
                self.reply(200 if dry else 202, answer)

    def entries(self, found, step, dry):
        jobs, complete = [], True
        for index, (text, position) in enumerate(found):
            if step == "stop" and index == len(found) // 2:
                complete = False
                jobs.append({"problem": {"type": ENDED, "title": "x", "status": 503,
                                         "detail": "the gateway stops"}})
                break
            over = isinstance(step, tuple) and (index >= step[1]) == (step[0] == "take")
            if over or not self.server.has_token():
                jobs.append({"problem": {"type": "about:blank", "title": "x", "status": 429,
                                         "detail": "too many submissions",
                                         "retry_after": step[2] if step else 1}})
                continue
            jobs.append(self.server.take(index, text, position, dry))
        return {"accepted": 0, "refused": 0, "unknown": 0, "complete": complete, "jobs": jobs}

    def reply(self, status, answer):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except BrokenPipeError:
            pass  # the command was ended

    def log_message(self, *arguments):
        pass


class Submit:
    """Runs `warren submit` in a folder of its own."""

    def __init__(self, url, folder):
        self.folder = folder
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "WARREN_URL": url,
                    "WARREN_API_KEY": "wk_mine"}
        self.jobs = folder / "jobs.ndjson"
        self.state = folder / "jobs.ndjson.warren-batch"
        self.refused = folder / "jobs.ndjson.refused"

    def start(self, *words, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   **options}
        return subprocess.Popen([BIN / "warren", "submit", *words], env=self.env, text=True,
                                cwd=self.folder, **options)

    def __call__(self, *words, text=None):
        process = self.start(*(words or ("--batch", "jobs.ndjson")),
                             stdin=subprocess.DEVNULL if text is None else subprocess.PIPE)
        out, err = process.communicate(text, timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def write(self, count, begin=1):
        """Jobs of the numbers begin to count, a line each."""
        self.jobs.write_text("".join(line(n) for n in range(begin, count + 1)), encoding="utf-8")

    def stored(self, done):
        """The file by which a later run goes on, once it says that `done` jobs are; else None."""
        if not self.state.exists():
            return None
        state = json.loads(self.state.read_text(encoding="utf-8"))
        return state if state["done"] == done else None

    def refusals(self):
        return [json.loads(text) for text in self.refused.read_text(encoding="utf-8").splitlines()]


def line(n):
    return f'{{"type": "noop", "payload": {{"n":{n}.0,  "x":""}}}}\n'


def next_words(text):
    """The words of the command that standard error tells as the next one."""
    return shlex.split(text.rsplit(": warren submit ", 1)[1])


def numbers(gateway):
    return sorted(job["payload"]["n"] for job in gateway.jobs.values())


def stopped(gateway, submit):
    """A run that was stopped after 500 of 600 jobs; its key."""
    submit.write(600)
    gateway.plan = [None, 401]
    assert submit().returncode == EXIT["not allowed"]
    return json.loads(submit.state.read_text(encoding="utf-8"))["key"]


@pytest.fixture()
def gateway():
    made = BatchGateway()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture()
def submit(gateway, tmp_path):
    return Submit(gateway.url, tmp_path)
