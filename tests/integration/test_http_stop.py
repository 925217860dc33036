# SPDX-License-Identifier: Apache-2.0
"""A stop takes a limited time, whatever clients do."""
import contextlib
import socket
import threading

import pytest
from http_rig import HOST, Answers, echo_process
from test_http_crowded import clients, read_to_the_end
from websocket_rig import TEXT, WebSocket, frame

GET = b"GET /things/7 HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
LARGE = GET.replace(b"things/7", b"large")
STATES = {
    "silent": b"",
    "half a head": GET[:30],
    "half a body": POST + b"Content-Length: 9\r\n\r\n\"trick",
    "half a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\n\"tri",
    "waits for 100": POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "half a refused body": POST + b"Content-Length: 900000\r\n\r\n" + b"a" * 1000,
    "idle": GET,
    "does not read": LARGE,
    "does not read what another thread writes": LARGE.replace(b"large", b"later/large"),
    "does not read many": GET * 2000,
    "does not read a stream": LARGE.replace(b"large", b"stream/endless"),
    "waits for a stream": LARGE.replace(b"large", b"stream/waiting"),
    "refused": b"no HTTP\r\n\r\n",
}


def test_clients_in_all_states():
    with echo_process(threads=2 * len(STATES)) as (server, port), clients(port, len(STATES)) as dead:
        for client, data in zip(dead, STATES.values()):
            client.settimeout(5)
            with contextlib.suppress(OSError):
                client.sendall(data)
        live = [WebSocket(port) for _ in range(3)]
        live[1].send(frame(TEXT, b"half")[:-2])
        live[2].say(b"flood")
        while server.stdout.readline() != b"full\n":
            pass
        assert Answers(port).send(GET).read()[0] == 200
        server.stdin.close()
        assert server.wait(timeout=30) == 0  # 5 s and a little


def test_a_full_server_with_more_waiting():
    with echo_process(threads=2) as (server, port), clients(port, 40) as dead:
        for client in dead:
            client.sendall(LARGE)
        server.stdin.close()
        assert server.wait(timeout=30) == 0


@pytest.mark.parametrize("state", ["half a body", "half a refused body", "idle", "refused"])
def test_clients_that_go_on_coming(state):
    over = threading.Event()

    def come_again_and_again(port):
        while not over.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(STATES[state])
                read_to_the_end(client)

    with echo_process(threads=8) as (server, port), contextlib.ExitStack() as after:
        crowd = [threading.Thread(target=come_again_and_again, args=(port,)) for _ in range(32)]
        for thread in crowd:
            thread.start()
            after.callback(thread.join)
        after.callback(over.set)
        assert Answers(port).send(b"no HTTP\r\n\r\n").read()[0] == 400  # after this answer all threads serve
        server.stdin.close()
        assert server.wait(timeout=30) == 0
