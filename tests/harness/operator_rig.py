# SPDX-License-Identifier: Apache-2.0
"""Acts on jobs without a primary that makes them: publishes marks, copies and events by the operator's
login."""
import contextlib
import json

import pika

from harness.events import Events
from harness.status_rig import event, now_ms, uuid7

END = 2 ** 53  # attempt and copy of a mark that ends its job


class Operator:
    """Acts on the jobs of one Warren, of tenant acme."""

    def __init__(self, warren):
        self.warren = warren
        self.marked = 0

    @contextlib.contextmanager
    def channel(self, login="warren-operator"):
        with self.warren.pika(login) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel

    def mark(self, *lines, login="warren-operator"):
        """One message of marks; returns its number."""
        self.marked = max(now_ms() * 1024, self.marked + 1)
        body = b"".join(json.dumps({"at": now_ms(), **line}).encode() + b"\n" for line in lines)
        with self.channel(login) as channel:
            channel.basic_publish("marks", "", body, pika.BasicProperties(
                user_id=login, type="mark", delivery_mode=2, message_id=uuid7(),
                content_type="application/x-ndjson", headers={"x-mark": self.marked}))
        return self.marked

    def events(self, *lines):
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        with self.channel() as channel:
            channel.basic_publish("events", "", body, pika.BasicProperties(
                user_id="warren-operator", delivery_mode=2, content_type="application/x-ndjson"))

    def cancel(self, *ids, told=True, run=1):
        """As the primary cancels jobs that do not run: the event first, then the mark."""
        if told:
            self.events(*(event("cancelled", id, run=run, by="key k1", running=False) for id in ids))
        return self.mark(*(end_of(id, run) for id in ids))

    def move(self, id, type, why="run_now", attempt=1, lane="medium", payload=b"null", **headers):
        """As the primary moves a waiting job: the copy, the event, the mark. Returns the copy."""
        copy = now_ms() * 1024 + 1
        told = {"x-submitted-at": now_ms() - 1000, "x-queued-at": now_ms(), "x-max-retries": 3,
                "x-run": 1, "x-attempt": attempt - 1, "x-copy": copy, "x-moved": 1, **headers}
        with self.channel() as channel:
            channel.basic_publish("jobs.acme", lane, payload, pika.BasicProperties(
                user_id="warren-operator", message_id=id, type=type, delivery_mode=2,
                content_type="application/json", headers=told))
        self.events(event("moved", id, attempt, copy=copy, by="key k1", why=why))
        self.mark({"tenant": "acme", "id": id, "run": 1, "attempt": attempt, "copy": copy, "why": why})
        return copy

    def await_seen(self, number, *workers, timeout=30):
        """Until each of the programs has told that it has read up to that mark."""
        events = Events(self.warren)
        names = [str(worker.pid) for worker in workers]

        def told():
            seen = {line["worker"].rsplit("/", 1)[-1] for line in events.lines
                    if line["event"] == "seen" and line["mark"] >= number}
            return seen.issuperset(names)

        events.until(told, timeout, f"the mark is seen by {names}")
        events.close()


def end_of(id, run=1, why="cancel"):
    return {"tenant": "acme", "id": id, "run": run, "attempt": END, "copy": END, "why": why}


def events_of(warren, id, *kinds):
    """What the stream says of the job until now."""
    found = Events(warren)
    marker = uuid7()
    with warren.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("events", "", json.dumps({"event": "test", "id": marker}).encode(),
                              pika.BasicProperties(content_type="application/x-ndjson",
                                                   user_id="warren-admin"))
    found.until(lambda: found.of(marker), what="the end of the stream")
    found.close()
    return [line for line in found.of(id) if not kinds or line["event"] in kinds]
