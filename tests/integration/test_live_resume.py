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
from harness.status_rig import Stream, uuid7
from harness.until import until
from live_rig import Feed
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
    from harness.status_rig import event
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
        feed = Feed(live.url, key, offset=offset)
        assert feed.hello == {"offset": offset, "tenant": "acme", "mode": "events", "resumed": True}
    published = publisher.stop()
    last = uuid7()
    stream.job(last)
    feed.event(id=last)
    assert not any("gap" in message or "dropped" in message for message in feed.seen)
    got = [event["id"] for event in got + feed.events()]
    assert len(got) == len(set(got)), "an event came twice"
    begun = got.index(first)
    assert set(published[published.index(got[begun + 1]):]) <= set(got) if got[begun + 1] in published else True
    assert [id for id in got if id in set(published)] == published[published.index(next(
        id for id in got if id in set(published))):], "an event is missing, or they are not in order"
    feed.close()


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
            burst(stream, [uuid7() for _ in range(BURST)])
        last = uuid7()
        stream.job(last)
        feed.event(id=last)
        assert not any("dropped" in message for message in feed.seen)
        assert len(feed.events()) == 60 * BURST + 1
        with Feed(live.url, key, offset=offset) as late:
            assert late.gap()["why"] == "old_offset"


def test_a_restart_of_the_gateway(node, services, stream, key, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("one"), *services).wait_ready()
    feed = Feed(program.url, key)
    id = uuid7()
    stream.job(id)
    feed.event(id=id)
    assert program.stop() == 0
    assert feed.until_end() == 1001
    stream.job(uuid7())
    program = Gateway(node, tmp_path_factory.mktemp("two"), *services).wait_ready()
    with Feed(program.url, key, offset=feed.offset) as again:
        gap = again.gap()
        assert gap["why"] == "restarted" and gap["from"] == feed.offset and gap["to"] > feed.offset
    assert program.stop() == 0


def test_it_reads_only_while_somebody_listens(live, node, key):
    def reading():
        return [c for c in node.broker.management("GET", f"/api/vhosts/{node.vhost}/connections").json()
                if c["client_properties"].get("connection_name", "").endswith(" live")]

    with Feed(live.url, key):
        until(reading, 30, "the link is there", every=0.5)
    until(lambda: not reading(), 40, "the link is gone", every=0.5)


def slow(live, key, query=b""):
    """A client that does not read."""
    made = WebSocket(int(live.url.rpartition(":")[2]), path=b"/api/v1/live" + query,
                     extra=b"Authorization: Bearer " + key.encode() + b"\r\n")
    assert made.answer[0] == 101
    made.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return made


def test_a_slow_client(live, stream, key):
    """It is told how many events it did not get, and delays no other. One that never reads is ended."""
    lazy, dead = slow(live, key), slow(live, key)
    with Feed(live.url, key) as quick:
        sent = 0
        until_at = time.monotonic() + 14
        while time.monotonic() < until_at:
            at = time.monotonic()
            ids = [uuid7() for _ in range(BURST)]
            for _ in range(5):
                burst(stream, ids)
                sent += BURST
            quick.event(id=ids[-1])
            assert time.monotonic() - at < 3
            quick.seen.clear()
        got = dropped = 0
        while (heard := lazy.hear()) is not None and heard[0] != 8:
            message = json.loads(heard[1]) if heard[0] == 1 else {}
            got += len(message.get("events", []))
            dropped += message.get("dropped", 0)
        assert got > 0
        assert heard is None or struct.unpack(">H", heard[1])[0] == 4008
    dead.close()
    lazy.close()
    until(lambda: metric(live, "warren_live_clients") == 0, what="both are gone")
