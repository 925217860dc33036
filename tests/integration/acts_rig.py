# SPDX-License-Identifier: Apache-2.0
"""Acts on jobs as a caller makes them, the marks they leave, and a consumer of another maker that tells how
far it has read them."""
import contextlib
import json
import sqlite3
import threading
import time

import pika
import requests

from harness.until import until
from harness.warren import Warren, default_handlers

LANES = ("critical", "high", "medium", "low", "long")


def internal(warren, method, path, **options):
    """The internal API of the primary."""
    token = (warren.folder / "internal.token").read_text(encoding="utf-8").strip()
    return requests.request(method, f"http://127.0.0.1:{warren.status_store.port}/internal/v1{path}",
                            headers={"Authorization": f"Bearer {token}"}, timeout=30, **options)


def database(warren):
    """The registry of the primary."""
    return contextlib.closing(sqlite3.connect(warren.folder / "registry.db", timeout=30))


def act(api, method, path, want=202, **options):
    answer = api.request(method, f"/jobs/{path}", **options)
    assert answer.status_code == want, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def kind_of(answer):
    """The word of a problem's type."""
    return answer["type"].rsplit(":", 1)[-1]


class Marks:
    """The stream `marks`, from its start: (number, mark) of each line."""

    def __init__(self, warren):
        self.connection = warren.pika()
        self.channel = self.connection.channel()
        self.channel.basic_qos(prefetch_count=1000)
        self.channel.basic_consume("marks", self._on_message, arguments={"x-stream-offset": "first"})
        self.marks = []

    def _on_message(self, channel, method, properties, body):
        if properties.type == "mark":
            assert properties.user_id == "warren-operator"
            number = properties.headers["x-mark"]
            self.marks += [(number, json.loads(line)) for line in body.splitlines() if line]
        channel.basic_ack(method.delivery_tag)

    def of(self, id, count=1, timeout=20):
        """The marks of a job, when there are that many."""
        def found():
            self.connection.process_data_events(time_limit=0.02)
            mine = [mark for _, mark in self.marks if mark.get("id") == id]
            return mine if len(mine) >= count else None
        return until(found, timeout, f"{count} marks of {id}")

    def close(self):
        # pika rejects what it has not handed out yet, which a stream does not know.
        with contextlib.suppress(pika.exceptions.ConnectionClosedByBroker):
            self.connection.close()


class Reader(threading.Thread):
    """A live consumer's records, and while `tells` is set its lines `seen`. It runs no jobs."""

    def __init__(self, warren, name):
        super().__init__(daemon=True)
        self.warren = warren
        self.name_of_worker = name
        self.tells = threading.Event()
        self.ends = threading.Event()
        self.last = 0
        self.start()

    def run(self):
        with self.warren.pika("warren-consumer") as connection:
            marks = connection.channel()
            marks.basic_qos(prefetch_count=1000)
            marks.basic_consume("marks", self._on_mark, arguments={"x-stream-offset": "first"})
            self.told = 0
            self.recorded = 0
            while not self.ends.is_set():
                connection.process_data_events(time_limit=0.02)
                if time.monotonic() > self.recorded + 2:
                    self._publish(connection, {"event": "worker", "worker": self.name_of_worker,
                                               "state": "live", "marks": True})
                    self.recorded = time.monotonic()
                if self.tells.is_set() and self.last > self.told:
                    self.told = self.last
                    self._publish(connection, {"event": "seen", "worker": self.name_of_worker,
                                               "mark": self.told})
            self._publish(connection, {"event": "worker", "worker": self.name_of_worker, "state": "gone",
                                       "marks": True})

    def _on_mark(self, channel, method, properties, body):
        if properties.type == "mark":
            self.last = properties.headers["x-mark"]
        channel.basic_ack(method.delivery_tag)

    def _publish(self, connection, line):
        line["at"] = int(time.time() * 1000)
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("events", "", json.dumps(line).encode() + b"\n", pika.BasicProperties(
            user_id="warren-consumer", content_type="application/x-ndjson", delivery_mode=2))
        channel.close()

    def end(self):
        self.ends.set()
        self.join()


NOTE = 'echo >> "{ran}/$WARREN_JOB_ID"; {then}'
LATER = {"base": "1h", "cap": "1h", "jitter": 0}


def noting_handlers(folder):
    """The default handlers, and types that write down each of their starts: `note` ends at once,
    `gate` runs for a minute, `stubborn` too and ignores SIGTERM, `fails_once` fails at first and is tried
    again at once, `fails_long` fails and is tried again in an hour, `fails_soon` in 2 s."""
    ran = folder / "ran"
    ran.mkdir(exist_ok=True)

    def script(then, **more):
        return {"exec": ["/bin/sh", "-c", NOTE.format(ran=ran, then=then)], **more}
    handlers = default_handlers()
    handlers["types"].update({
        "note": script("exit 0"),
        "gate": script("exec sleep 60"),
        "stubborn": script("trap '' TERM; echo >> \"" + str(ran) + "/$WARREN_JOB_ID.deaf\"; "
                           "while :; do sleep 0.1; done", grace="500ms"),
        "fails_once": script('sleep 1; test "$WARREN_JOB_ATTEMPT" -gt 1'),
        "fails_long": script("exit 1", retry=LATER),
        "fails_soon": script("exit 1", retry={**LATER, "base": "2s", "cap": "2s"}),
    })
    return handlers


@contextlib.contextmanager
def noting(broker, folder, **settings):
    """A Warren with noting_handlers; warren.starts(id) says how often a job was started."""
    warren = Warren(broker, folder, settings=settings, start=False)
    warren.write_handlers(noting_handlers(warren.folder))

    def starts(id):
        file = warren.folder / "ran" / id
        return file.stat().st_size if file.exists() else 0
    warren.starts = starts
    try:
        warren.start()
        warren.tenant("acme")
        yield warren
    finally:
        warren.end()


def at_once(*calls):
    """What the calls return, each made in a thread of its own, all at once."""
    answers = [None] * len(calls)

    def call(n):
        answers[n] = calls[n]()
    threads = [threading.Thread(target=call, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def ask(warren, method, path, gateway=None, **options):
    """A call, on a connection of its own, that returns the answer; again while too many act at once."""
    api = warren.api_at(gateway or warren.gateway)

    def answered():
        answer = api.request(method, f"/jobs/{path}", **options)
        return [answer] if answer.status_code != 503 else None
    return until(answered, 30, f"{method} {path} is answered", every=0.1)[0]


def all_settled(warren, *consumers):
    """Until nothing waits in the lanes of acme, and no consumer holds or runs a delivery."""
    def idle():
        waiting = sum(channel.queue_declare(f"jobs.acme.{lane}", passive=True).method.message_count for lane in LANES)
        found = [consumer.metrics() for consumer in consumers or (warren.consumer,)]
        return not waiting and not any(m["warren_deliveries_held"] or m["warren_workers_active"] for m in found)

    with warren.pika() as connection:
        channel = connection.channel()
        until(idle, 60, "all is settled")


def passed(warren, ms=0):
    """Until a job that is due in `ms` has run: what was due before it came to a consumer earlier."""
    delay = {"delay": f"{ms}ms"} if ms else {}
    assert warren.api.run("note", **delay)["status"] == "completed"
