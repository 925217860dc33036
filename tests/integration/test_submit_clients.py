# SPDX-License-Identifier: Apache-2.0
"""Clients of a submission that go away, that do not read, or that are very many: each submission leaves the
window, and nobody else waits for them."""
import contextlib
import json
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from harness.until import until
from submit_rig import events, ids_of, make_rig, told  # noqa: F401 (fixtures)

COUNT = 64


def request(rig):
    body = json.dumps({"type": "noop"})
    return (f"POST /api/v1/jobs HTTP/1.1\r\nHost: warren\r\nAuthorization: Bearer {rig.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def connect(rig, receive_buffer=None):
    client = socket.socket()
    client.settimeout(60)
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    url = urlsplit(rig.gateway.url)
    client.connect((url.hostname, url.port))
    return client


def connect_many(rig, stack, count):
    """So many clients, which have each sent a submission."""
    clients = [stack.enter_context(connect(rig)) for _ in range(count)]
    for client in clients:
        client.sendall(request(rig))
    return clients


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def wait_settled(rig):
    until(lambda: rig.metrics()["warren_publish_in_flight"] == 0, 60, "all have left the window")
    assert rig.metrics()["warren_jobs_untold"] == 0
    rig.gateway.wait_ready()


@pytest.mark.parametrize("leave", [reset, socket.socket.close], ids=["reset", "closed"])
def test_clients_leave_while_their_answer_is_prepared(make_rig, forwarder, events, leave):
    rig = make_rig(confirm_timeout="30s")
    forwarder.deaf.add("packs")
    with contextlib.ExitStack() as stack:
        clients = connect_many(rig, stack, COUNT)
        until(lambda: rig.metrics()["warren_jobs_untold"] == COUNT, 30, "all are queued")
        for client in clients:
            leave(client)
    forwarder.heal("packs")
    wait_settled(rig)
    queued = ids_of(rig.queued())
    assert len(queued) == COUNT
    told(events, queued)


@pytest.mark.parametrize("way", ["mute", "deaf"])
def test_many_in_doubt_at_once(make_rig, forwarder, events, way):
    """More than fill a pack; their queue has all of them, or none."""
    count = 500
    rig = make_rig(threads=1024, confirm_timeout="60s", window_bytes="8MiB")
    getattr(forwarder, way).add("queues")
    with contextlib.ExitStack() as stack:
        clients = connect_many(rig, stack, count)
        until(lambda: rig.metrics()["warren_publish_in_flight"] == count, 60, "all are published")
        if way == "mute":
            until(lambda: rig.node.broker.depth(rig.node.vhost, "jobs.acme.medium") == count, 60, "all are queued")
        forwarder.heal("queues")
        assert all(client.recv(65536).startswith(b"HTTP/1.1 503 ") for client in clients)
    wait_settled(rig)
    assert rig.metrics().sum("warren_submissions_refused_total", reason="unknown") == count
    queued = ids_of(rig.queued())
    assert len(queued) == (count if way == "mute" else 0)
    marker = rig.submit().json()["id"]
    entries = told(events, [marker, *queued])
    doubted = {id for id, (_, _, entry, _) in entries.items() if "x-doubt" in entry.headers}
    assert len(doubted) >= count and doubted >= set(queued) and marker not in doubted
    rig.queued()


def test_clients_that_do_not_read_hold_up_nobody(make_rig):
    """Each takes one of the server's threads, until its time is over."""
    rig = make_rig(confirm_timeout="5s", answer_deadline="10s")
    stopping, full = threading.Event(), []

    def flood():
        with connect(rig, 2048) as client:
            client.settimeout(1)
            try:
                while not stopping.is_set():
                    client.sendall(request(rig) * 20)
            except OSError as error:
                full.append(error)
            stopping.wait(60)

    slowest = 0.0
    with ThreadPoolExecutor(20) as pool:
        floods = [pool.submit(flood) for _ in range(20)]
        until(lambda: len(full) >= 10, 60, "the gateway cannot answer them")
        for _ in range(200):
            began = time.monotonic()
            assert rig.submit().status_code in (202, 503)
            slowest = max(slowest, time.monotonic() - began)
        stopping.set()
    assert all(flood.exception() is None for flood in floods)
    assert slowest < 5
    wait_settled(rig)
    rig.queued()
