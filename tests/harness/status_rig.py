# SPDX-License-Identifier: Apache-2.0
"""A status-store alone on a vhost; the test stands in for all publishers to the stream."""
import json
import pathlib
import random
import time
import uuid

import pika
import requests

from harness.broker import BIN
from harness.processes import Program
from harness.until import until
from harness.warren import free_port, primary_settings

TOKEN = "internal-token-of-the-test"
FINAL = ("completed", "dead")


def now_ms():
    return time.time_ns() // 1_000_000


def uuid7(at=None):
    """A version 7 UUID of that time."""
    milliseconds = now_ms() if at is None else at
    value = (milliseconds << 80) | (7 << 76) | (random.getrandbits(12) << 64)
    return str(uuid.UUID(int=value | (2 << 62) | random.getrandbits(62)))


class Stream:
    """Publishes to the stream as the services do."""

    def __init__(self, broker, vhost):
        self.connection = broker.pika(vhost)
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        self.as_consumer = broker.pika(vhost, "warren-consumer")  # whose records of workers count
        self.consumers_channel = self.as_consumer.channel()
        self.consumers_channel.confirm_delivery()

    def close(self):
        for connection in (self.connection, self.as_consumer):
            if connection.is_open:
                connection.close()

    def publish(self, exchange, key, body, **properties):
        self.channel.basic_publish(exchange, key, body, pika.BasicProperties(
            delivery_mode=2, **properties))

    def job(self, job_id, tenant="acme", kind="noop", payload=b'{"n":1}', exchange=None,
            lane="medium", **headers):
        """A job message of a service: a submission unless another exchange is named."""
        stamps = {"x-submitted-at": now_ms(), "x-queued-at": now_ms(), "x-max-retries": 3}
        stamps.update({name.replace("_", "-"): value for name, value in headers.items()})
        where = exchange or f"jobs.{tenant}"
        key = lane if exchange is None else f"{tenant}.{lane}"
        self.publish(where, key, payload, message_id=job_id, type=kind, user_id="warren-admin",
                     content_type="application/json", headers=stamps)

    def jobs(self, count):
        """Publishes that many new jobs; returns their ids."""
        ids = [uuid7() for _ in range(count)]
        for id in ids:
            self.job(id)
        return ids

    def events(self, *lines):
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.consumers_channel.basic_publish("events", "", body, pika.BasicProperties(
            delivery_mode=2, content_type="application/x-ndjson", user_id="warren-consumer"))

    def started(self, job_id, attempt=1, worker="host-a/1", **more):
        self.events(event("started", job_id, attempt, worker=worker, **more))

    def completed(self, job_id, attempt=1, result=None, **more):
        self.events(event("completed", job_id, attempt, ms=5, result=result, **more))

    def failed(self, job_id, attempt=1, error="it broke", bucket="1s", **job):
        """A retry: the job goes to a delay exchange."""
        self.job(job_id, exchange=f"delay.{bucket}", x_attempt=attempt, x_error=error,
                 x_error_kind="error", x_run_at=now_ms() + 1000, x_due_at=now_ms() + 1000, **job)

    def buried(self, job_id, attempt=1, reason="exhausted", error="it broke", **job):
        self.job(job_id, exchange="dead", x_attempt=attempt, x_reason=reason, x_error=error,
                 x_error_kind="error", x_burial=str(uuid.uuid4()), **job)


def event(name, job_id, attempt=1, tenant="acme", run=1, at=None, **more):
    return {"event": name, "id": job_id, "tenant": tenant, "run": run, "attempt": attempt,
            "at": now_ms() if at is None else at, **more}


class StatusStore:
    """The program, with a database of its own, and the stream it follows."""

    def __init__(self, broker, folder, tenants=("acme",), **settings):
        self.broker = broker
        self.vhost = broker.vhost()
        self.folder = pathlib.Path(folder)
        for tenant in tenants:
            broker.topology(self.vhost, "tenant", tenant)
        self.stream = Stream(broker, self.vhost)
        token = self.folder / "internal.token"
        token.touch(mode=0o600)
        token.write_text(TOKEN + "\n", encoding="utf-8")
        self.settings = settings
        self.programs = []
        self.program = self.add("status-store")

    def add(self, name, **settings):
        """Adds a program with its own database; does not start it."""
        program = Program(name, self.folder, BIN / "warren-status-store", {
            "amqp_urls": self.broker.url(self.vhost),
            "amqp_password_file": self.broker.secrets / "warren-status-store.password",
            "internal_token_file": self.folder / "internal.token",
            "database": self.folder / f"{name}.db",
            "port": free_port(),
            "health_port": free_port(),
            **self.settings, **settings,
        })
        self.programs.append(program)
        return program

    def primary(self):
        """Settings that make it the primary."""
        self.program.settings.update(primary_settings(self.broker, self.folder, self.vhost))
        return self

    def start(self):
        self.program.start()
        return self

    def end(self):
        self.stream.close()
        problems = [problem for problem in (p.end() for p in self.programs) if problem]
        self.broker.management("DELETE", f"/api/vhosts/{self.vhost}")
        assert not problems, "\n".join(problems)

    def request(self, method, path, program=None, token=TOKEN, **options):
        port = (program or self.program).port
        return requests.request(method, f"http://127.0.0.1:{port}/internal/v1{path}", timeout=90,
                                headers={"Authorization": f"Bearer {token}"}, **options)

    def get(self, path, program=None, tenant="*", **params):
        answer = self.request("GET", path, program, params={"tenant": tenant, **params})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def job(self, job_id, program=None, **params):
        """The job, or None."""
        answer = self.request("GET", f"/jobs/{job_id}", program,
                              params={"tenant": "*", **params})
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        return answer.json()

    def jobs(self, program=None, limit=100, **params):
        """Every job of the listing, page by page."""
        found, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self.get("/jobs", program, limit=limit, **params, **more)
            found += page["jobs"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def until_status(self, job_id, status, timeout=30):
        until(lambda: (self.job(job_id) or {}).get("status") == status, timeout,
              f"{job_id} {status}: {self.job(job_id)}")
        return self.job(job_id)

    def until_current(self, program=None, timeout=60):
        """Waits until a marker job published now is known: then all before it is folded."""
        marker = uuid7()
        self.stream.job(marker, kind="marker")
        until(lambda: self.job(marker, program) is not None, timeout, "the marker is folded")
        return marker


def random_life(stream, rng, count, tenant="acme"):
    """Jobs with different fates, their events interleaved; returns the ids."""
    ids = [uuid7() for _ in range(count)]
    steps = []
    for job_id in ids:
        life = [lambda i=job_id: stream.job(i, tenant, kind=rng.choice(["noop", "mail"]),
                                            payload=json.dumps({"n": rng.random()}).encode())]
        for attempt in range(1, rng.randint(1, 3)):
            life.append(lambda i=job_id, a=attempt: stream.started(i, a))
            life.append(lambda i=job_id, a=attempt: stream.failed(i, a))
        last = sum(1 for _ in life) // 2 + 1
        life.append(lambda i=job_id, a=last: stream.started(i, a, worker="host-b/2"))
        fate = rng.choice(["completed", "dead", "running"])
        if fate == "completed":
            life.append(lambda i=job_id, a=last: stream.completed(i, a, {"ok": True}))
        elif fate == "dead":
            life.append(lambda i=job_id, a=last: stream.buried(i, a))
        steps.append(life)
    while steps:
        life = rng.choice(steps)
        life.pop(0)()
        steps = [left for left in steps if left]
    return ids
