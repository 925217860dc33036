# SPDX-License-Identifier: Apache-2.0
"""A client of the live feed, on a WebSocket library that shares no code with Warren."""
import json
import re
import time
import urllib.parse

import websocket

from harness.broker import ROOT

PATIENCE = 30


class Feed:
    """feed = Feed(warren.url, key, status="dead"); feed.hello; feed.event(kind="job_dlq")."""

    def __init__(self, url, key=None, headers=(), origin=None, greeted=True, **query):
        query = {name: ",".join(value) if isinstance(value, (list, tuple)) else value
                 for name, value in query.items()}
        address = url.replace("http://", "ws://") + "/api/v1/live?" + urllib.parse.urlencode(query)
        head = [f"Authorization: Bearer {key}"] if key else []
        self.socket = websocket.create_connection(
            address, timeout=PATIENCE, header=head + list(headers), suppress_origin=origin is None,
            **({"origin": origin} if origin else {}))
        self.seen = []  # every message
        self.offset = self.mark = None  # of the last frame
        self.code = None
        self.hello = self.next(lambda m: "hello" in m)["hello"] if greeted else None

    def receive(self):
        """The next message; None: the feed has ended, with self.code."""
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self.code = int.from_bytes(data[:2], "big") if len(data) > 1 else None
            return None
        assert opcode == websocket.ABNF.OPCODE_TEXT
        message = json.loads(data)
        self.seen.append(message)
        if message.get("offset") is not None:
            assert self.offset is None or message["offset"] >= self.offset
            self.offset, self.mark = message["offset"], message["mark"]
        return message

    def next(self, wanted, timeout=PATIENCE):
        """The next message for which wanted(message) holds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            message = self.receive()
            assert message is not None, f"the feed ended with {self.code}"
            if wanted(message):
                return message
        raise AssertionError(f"no such message; the last: {self.seen[-3:]}")

    def events(self):
        return [event for message in self.seen for event in message.get("events", [])]

    def event(self, timeout=PATIENCE, **members):
        """The first event, seen or to come, with these members."""
        def fits(event):
            return all(event.get(name) == value for name, value in members.items())

        for event in self.events():
            if fits(event):
                return event
        message = self.next(lambda m: any(fits(e) for e in m.get("events", [])), timeout)
        return next(event for event in message["events"] if fits(event))

    def gap(self, timeout=PATIENCE):
        return self.next(lambda m: "gap" in m, timeout)["gap"]

    def until_end(self, timeout=PATIENCE):
        """The code of its end."""
        end = time.monotonic() + timeout
        while self.receive() is not None:
            assert time.monotonic() < end, "the feed goes on"
        return self.code

    def say(self, message):
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def filter(self, **members):
        """Replaces the filter; returns the one in force."""
        self.say({"filter": members})
        return self.next(lambda m: "filter" in m)["filter"]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def refused(url, key=None, **options):
    """The status and the problem with which a feed is refused."""
    try:
        Feed(url, key, greeted=False, **options).close()
    except websocket.WebSocketBadStatusException as refusal:
        return refusal.status_code
    raise AssertionError("it was let in")


def documented(language):
    """The rule of docs/http.md, in that language."""
    page = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    return next(text for text in re.findall(rf"```{language}\n(.*?)```", page, re.S)
                if "take(jobs, event)" in text)


def shown(events):
    """What a client shows, by the documented rule: (tenant, id) → event."""
    names = {}
    exec(documented("python"), names)  # pylint: disable=exec-used
    jobs = {}
    for event in events:
        names["take"](jobs, event)
    return jobs
