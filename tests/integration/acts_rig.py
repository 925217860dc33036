# SPDX-License-Identifier: Apache-2.0
"""Acts on jobs as a caller makes them, the marks they leave, and a consumer of another maker that tells how
far it has read them."""
import json
import threading
import time

import pika
import requests

from harness.until import until

ENDS = 2**53  # attempt and copy of a mark that ends a whole run


def internal(warren, method, path, **options):
    """The internal API of the primary."""
    token = (warren.folder / "internal.token").read_text(encoding="utf-8").strip()
    return requests.request(method, f"http://127.0.0.1:{warren.status_store.port}/internal/v1{path}",
                            headers={"Authorization": f"Bearer {token}"}, timeout=30, **options)


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
