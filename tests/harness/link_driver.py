# SPDX-License-Identifier: Apache-2.0
"""A link that a test drives, and the outcomes of its publishes."""
import collections
import json
import subprocess
import threading
import time

from harness.broker import BIN


class Driver:
    """The program link_driver: it reads commands, and prints everything that happens to its link."""

    def __init__(self, node, *flags, urls=None):
        urls = urls or f"amqp://127.0.0.1:{node.port}/warren"
        self.process = subprocess.Popen(
            [BIN / "link_driver", "--urls", urls, "--login", "warren-admin",
             "--password", node.password, *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seen = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.seen.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def do(self, command, **arguments):
        self.process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
        self.process.stdin.flush()

    def wait(self, condition, seconds=60):
        """Waits until condition(everything seen) is true; returns its value."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                value = condition(self.seen)
                if value:
                    return value
                left = deadline - time.monotonic()
                assert left > 0, f"waited {seconds} s; last seen: {self.seen[-5:]}"
                assert self.process.poll() is None or self.reader.is_alive(), \
                    f"the driver ended: {self.process.returncode}"
                self.changed.wait(min(left, 1))

    def wait_for(self, seconds=60, **fields):
        return self.wait(lambda seen: [e for e in seen if matches(e, fields)], seconds)[0]

    def count(self, **fields):
        with self.changed:
            return sum(matches(e, fields) for e in self.seen)

    def forget(self):
        with self.changed:
            self.seen.clear()

    def state(self):
        before = self.count(event="state")
        self.do("state")
        return self.wait(lambda seen: [e for e in seen if e.get("event") == "state"][before:])[0]

    def declare(self, what, name, **more):
        before = self.count(declared=name)
        self.do("declare", what=what, name=name, **more)
        return self.wait(lambda seen: [e for e in seen if e.get("declared") == name][before:])[0]

    def end(self):
        """Destroys the link; everything must have been freed and closed."""
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0
        self.reader.join(timeout=10)
        assert self.seen[-1] == {"event": "ended"}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.end()
        else:
            self.process.kill()
            self.process.wait()


def matches(event, fields):
    return all(event.get(name) == value for name, value in fields.items())


def outcomes_of(seen):
    found = collections.defaultdict(list)
    for event in seen:
        if "outcome" in event:
            found[event["id"]].append(event["outcome"])
    return found


def read_stream(channel, queue, until):
    """The message ids of a stream from its first one, up to the message `until`."""
    ids = []
    channel.basic_qos(prefetch_count=500)
    for method, properties, _ in channel.consume(
            queue, inactivity_timeout=60, arguments={"x-stream-offset": "first"}):
        assert method is not None, f"the stream ended before {until}"
        ids.append(properties.message_id)
        channel.basic_ack(method.delivery_tag)
        if properties.message_id == until:
            return ids
