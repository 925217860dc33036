# SPDX-License-Identifier: Apache-2.0
"""The live feed of a client that comes back, or is slow: nothing missing without being told, nothing twice."""
import json
import socket
import struct
import threading
import time

import pytest
import requests

from gateway_rig import Gateway
from harness.status_rig import Stream, event, uuid7
from harness.until import until
from harness.live import Feed
from websocket_rig import WebSocket

BURST = 400  # events of one message


@pytest.fixture(scope="module")
def live(node, services, control, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("live"), *services).wait_ready()
    control.tenant("acme")
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="module")
def stream(node, live):
    made = Stream(node.broker, node.vhost)
    yield made
    made.close()


@pytest.fixture(scope="module")
def key(live, control):
    made = control.key("acme", ["read", "operate"])
    until(lambda: requests.get(live.url + "/api/v1/session", headers={"Authorization": f"Bearer {made}"},
                               timeout=10).status_code == 200, what="the key is known")
    return made


def metric(gateway, line):
    text = requests.get(gateway.health + "/metrics", timeout=10).text
    return next((float(found.split()[-1]) for found in text.splitlines() if found.startswith(line + " ")), 0.0)


def burst(stream, ids):
    """One message with an event of each."""
    stream.events(*(event("started", id, worker="host-a/1", message="x" * 200) for id in ids))


class Publisher(threading.Thread):
    """Publishes jobs without end, until it is told to stop."""

    def __init__(self, node):
        super().__init__()
        self.stream = Stream(node.broker, node.vhost)
        self.ids = []
        self.stopped = threading.Event()
        self.start()

    def run(self):
        while not self.stopped.is_set():
            some = [uuid7() for _ in range(3)]
            self.stream.job(some[0])
            burst(self.stream, some[1:])
            self.ids += some

    def stop(self):
        self.stopped.set()
        self.join()
        self.stream.close()
        return self.ids


def test_a_resume_has_no_gap_and_no_repeat(live, node, stream, key):
    """Cut off twenty times while events come; compared with what was published."""
    publisher = Publisher(node)
    feed = Feed(live.url, key)
    got, offset = [], feed.hello["offset"]
    first = uuid7()
    stream.job(first)
    feed.event(id=first)
    for _ in range(20):
        feed.next(lambda m: m.get("events"))
        got += feed.events()
        offset = feed.offset
        feed.socket.sock.shutdown(socket.SHUT_RDWR)  # what is on its way is lost
        mark = feed.mark
        feed = Feed(live.url, key, offset=offset, mark=mark)
        assert feed.hello == {"offset": offset, "mark": mark, "tenant": "acme", "mode": "events", "resumed": True}
    published = publisher.stop()
    last = uuid7()
    stream.job(last)
    feed.event(id=last)
    assert not any("gap" in message or "dropped" in message for message in feed.seen)
    feed.close()
    got = [event["id"] for event in got + feed.events() if event["id"] not in (first, last)]
    assert got == published[published.index(got[0]):]  # none is missing, none came twice, in their order


def test_offsets_that_the_ring_does_not_have(live, stream, key):
    with Feed(live.url, key) as feed:
        head = feed.hello["offset"]
        with Feed(live.url, key, offset=head + 1000) as ahead:
            assert ahead.hello["resumed"] is False
            assert ahead.gap()["why"] == "rewound"
        with Feed(live.url, key, offset=0) as early:
            assert early.hello["resumed"] is False and early.hello["offset"] >= head
            gap = early.gap()
            assert gap["from"] == 0 and gap["to"] == early.hello["offset"] and gap["why"] in ("restarted", "old_offset")
        with Feed(live.url, key, offset=head, mark=feed.hello["mark"] + 1) as another:
            assert another.gap()["why"] == "rewound"
        id = uuid7()
        stream.job(id)
        feed.event(id=id)
        with Feed(live.url, key, offset=head) as again:
            again.event(id=id)
        until(lambda: metric(live, 'warren_live_gaps_total{why="rewound"}') >= 1, what="counted")


def test_the_ring_is_bounded(live, stream, key):
    with Feed(live.url, key) as feed:
        offset = feed.hello["offset"]
        for _ in range(60):  # over 8 MiB
            ids = [uuid7() for _ in range(BURST)]
            burst(stream, ids)
            feed.event(id=ids[-1])
        last = uuid7()
        stream.job(last)
        feed.event(id=last)
        assert not any("dropped" in message for message in feed.seen)
        assert len(feed.events()) == 60 * BURST + 1
        with Feed(live.url, key, offset=offset) as late:
            assert late.gap()["why"] == "old_offset"


def test_a_resume_after_each_frame_of_a_burst(live, stream, key):
    """Of which one message is too large for a frame with others."""
    with Feed(live.url, key) as feed:
        published = []
        for count in [BURST] * 8 + [4 * BURST] + [BURST] * 8:
            ids = [uuid7() for _ in range(count)]
            burst(stream, ids)
            published += ids
        feed.event(id=published[-1])
        frames = [message for message in feed.seen if message.get("events")]
        assert len(frames) >= 5 and max(len(frame["events"]) for frame in frames) >= 4 * BURST
        told = 0
        for frame in frames:
            told += len(frame["events"])
            with Feed(live.url, key, offset=frame["offset"], mark=frame["mark"]) as again:
                assert again.hello["resumed"] is True
                if told < len(published):
                    again.event(id=published[-1])
                assert [event["id"] for event in again.events()] == published[told:]


def test_a_restart_of_the_gateway(live, node, services, stream, key, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("one"), *services).wait_ready()
    feed = Feed(program.url, key)
    id = uuid7()
    with Feed(live.url, key) as other:
        stream.job(id)
        feed.event(id=id)
        with Feed(live.url, key, offset=feed.offset, mark=feed.mark) as elsewhere:
            assert elsewhere.hello["resumed"] is True
        assert other.event(id=id)
    assert program.stop() == 0
    assert feed.until_end() == 1001
    stream.job(uuid7())
    program = Gateway(node, tmp_path_factory.mktemp("two"), *services).wait_ready()
    with Feed(program.url, key, offset=feed.offset, mark=feed.mark) as again:
        gap = again.gap()
        assert gap["why"] == "restarted" and gap["from"] == feed.offset and gap["to"] > feed.offset
    assert program.stop() == 0


def test_it_reads_only_while_somebody_listens(live, node, key):
    def reading():
        return [c for c in node.broker.management("GET", f"/api/vhosts/{node.vhost}/connections")
                if c["client_properties"].get("connection_name", "").endswith(" live")]

    with Feed(live.url, key):
        until(reading, 30, "the link is there", every=0.5)
    until(lambda: not reading(), 40, "the link is gone", every=0.5)


def slow(live, key):
    """A client that does not read."""
    made = WebSocket(int(live.url.rpartition(":")[2]), path=b"/api/v1/live",
                     extra=b"Authorization: Bearer " + key.encode() + b"\r\n")
    assert made.answer[0] == 101
    return made


def read_rest(made, until_dropped):
    """Events, events left out, and the code, of a client that reads again."""
    got = dropped = 0
    while (heard := made.hear()) is not None and not (until_dropped and dropped):
        if heard[0] == 8:
            return got, dropped, struct.unpack(">H", heard[1][:2])[0]
        message = json.loads(heard[1]) if heard[0] == 1 else {}
        got += len(message.get("events", []))
        dropped += message.get("dropped", 0)
    return got, dropped, None


def test_slow_clients(live, stream, key):
    """They delay no other. One that reads again is told how many events it did not get; one that does not for 10 s is
    ended, and learns why."""
    lazy, dead = slow(live, key), slow(live, key)
    with Feed(live.url, key) as quick:
        ids = [uuid7() for _ in range(BURST)]
        begun = time.monotonic()
        while metric(live, "warren_live_dropped_total") == 0 or time.monotonic() - begun < 13:
            at = time.monotonic()
            full = metric(live, "warren_live_dropped_total") > 0
            for _ in range(1 if full else 10):
                burst(stream, ids)
            marker = uuid7()
            stream.job(marker)
            quick.event(id=marker)
            assert time.monotonic() - at < 3
            quick.seen.clear()
            if full and lazy:
                got, dropped, code = read_rest(lazy, True)
                assert got > 0 and dropped > 0 and code is None
                lazy.close()
                lazy = None
    assert read_rest(dead, False)[2] == 4008
    dead.close()
    until(lambda: metric(live, "warren_live_clients") == 0, what="both are gone")
