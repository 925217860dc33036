# SPDX-License-Identifier: Apache-2.0
"""A route that is upgraded to a WebSocket."""
import json
import os
import resource
import struct

import pytest
from http_rig import HOST, Answers, ask, check_problem, echo_process, echo_server
from harness.until import until
from websocket_rig import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, frame, handshake

MAX = 4  # the echo server's limit of WebSockets
MESSAGE_MAX = 65536
THREADS = 4


@pytest.fixture(scope="module")
def port():
    with echo_server(threads=THREADS) as number:
        yield number


@pytest.fixture()
def socket_(port):
    opened = until(lambda: opens(port), 20, "there is room for a WebSocket")
    yield opened
    opened.close()


def opens(port, **options):
    made = WebSocket(port, **options)
    if made.answer[0] == 101:
        return made
    made.close()
    return None


def test_messages_come_back(socket_):
    for text in (b"hello", b"", "ä€😀".encode(), b"x" * 125, b"y" * 126, b"z" * MESSAGE_MAX):
        assert socket_.say(text).hear() == (TEXT, text)
    socket_.send(b"".join(frame(TEXT, str(i).encode()) for i in range(100)))
    assert [socket_.hear()[1] for _ in range(100)] == [str(i).encode() for i in range(100)]


def test_byte_by_byte(socket_):
    for byte in frame(TEXT, b"slowly"):
        socket_.send(bytes([byte]))
    assert socket_.hear() == (TEXT, b"slowly")


def test_fragments_with_a_ping_between(socket_):
    socket_.send(frame(TEXT, b"one ", final=False) + frame(PING, b"?") + frame(0, b"two ", final=False)
                 + frame(PONG, b"unasked") + frame(0, b"three"))
    assert socket_.hear() == (PONG, b"?")
    assert socket_.hear() == (TEXT, b"one two three")


def test_a_message_from_another_thread(socket_):
    assert socket_.say(b"thread").hear() == (TEXT, b"from a thread")


def test_the_first_message_may_come_with_the_answer_on_its_way(port):
    made = until(lambda: opens(port), 20, "room")
    assert made.say(b"a").hear() == (TEXT, b"a")
    made.close()


@pytest.mark.parametrize("payload, code", [
    (struct.pack(">H", 1000), 1000), (struct.pack(">H", 4999) + b"bye", 4999), (b"", None)])
def test_the_client_closes(socket_, payload, code):
    assert socket_.send(frame(TEXT, b"last") + frame(CLOSE, payload) + frame(TEXT, b"ignored")).hear() == (TEXT, b"last")
    assert socket_.hear_close() == code


def test_the_server_closes(socket_):
    assert socket_.say(b"close").hear_close() == 4001


@pytest.mark.parametrize("sent, code", [
    (frame(TEXT, b"a", masked=False), 1002),
    (frame(TEXT, b"a", reserved=4), 1002),
    (frame(TEXT, b"a", reserved=1), 1002),
    (frame(3, b"a"), 1002),
    (frame(11), 1002),
    (frame(0, b"a"), 1002),
    (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
    (frame(PING, b"a", final=False), 1002),
    (frame(PING, b"a" * 126), 1002),
    (frame(CLOSE, b"a"), 1002),
    (frame(CLOSE, struct.pack(">H", 1005)), 1002),
    (frame(CLOSE, struct.pack(">H", 999)), 1002),
    (frame(CLOSE, struct.pack(">H", 1000) + b"\xff"), 1007),
    (frame(BINARY, b"a"), 1003),
    (frame(TEXT, b"\xff"), 1007),
    (frame(TEXT, b"\xe2\x82", final=False) + frame(0, b"\xff"), 1007),
    (frame(TEXT, b"a" * (MESSAGE_MAX + 1)), 1009),
    (frame(TEXT, b"a" * MESSAGE_MAX, final=False) + frame(0, b"a"), 1009),
    (b"\x81\xff" + struct.pack(">Q", 2**63 - 1) + b"mask", 1009),
    (b"\x81\xff" + struct.pack(">Q", 2**64 - 1) + b"mask", 1009),
    (b"GET /things/7 HTTP/1.1\r\nHost: a\r\n\r\n", 1002),
], ids=range(21))
def test_what_a_client_may_not_send(socket_, sent, code):
    assert socket_.send(sent).hear_close() == code


REFUSED = {
    "no upgrade": (b"GET /live HTTP/1.1\r\n" + HOST + b"\r\n", 426),
    "another protocol": (handshake(upgrade=b"h2c"), 426),
    "another version": (handshake(version=b"8"), 426),
    "no connection": (handshake(connection=b"keep-alive"), 400),
    "a short key": (handshake(key=b"AAAA"), 400),
    "a long key": (handshake(key=b"A" * 23 + b"=="), 400),
    "no base64": (handshake(key=b"!" * 22 + b"=="), 400),
    "two keys": (handshake(extra=b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), 400),
    "a body": (handshake(extra=b"Content-Length: 2\r\n") + b"{}", 400),
    "a page of elsewhere": (handshake(extra=b"Origin: http://b\r\n"), 403),
    "a page of nowhere": (handshake(extra=b"Origin: null\r\n"), 403),
    "HTTP/1.0": (handshake().replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "HEAD": (handshake().replace(b"GET", b"HEAD"), 400),
    "another route": (handshake(path=b"/things/7"), 200),
    "smuggled": (handshake(extra=b"X: a\r\n b\r\n"), 400),
}


@pytest.mark.parametrize("sent, status", REFUSED.values(), ids=REFUSED.keys())
def test_refused(port, sent, status):
    head = sent.startswith(b"HEAD")
    answer = Answers(port).send(sent).read(head=head)
    assert answer[0] == status
    if status == 426:
        assert answer[1]["sec-websocket-version"] == "13" and answer[1]["upgrade"] == "websocket"


@pytest.mark.parametrize("extra, connection", [
    (b"Origin: http://a\r\n", b"Upgrade"), (b"Origin: https://A\r\n", b"keep-alive, upgrade"), (b"", b"UPGRADE")])
def test_accepted(port, extra, connection):
    made = until(lambda: opens(port, extra=extra, connection=connection, upgrade=b"WebSocket"), 20, "room")
    assert made.say(b"a").hear() == (TEXT, b"a")
    made.close()


def test_on_a_connection_that_had_requests_before(port):
    until(lambda: opens(port), 20, "room").close()
    made = Answers(port)
    assert made.send(b"GET /things/7 HTTP/1.1\r\n" + HOST + b"\r\n").read()[0] == 200
    assert made.send(handshake()).read()[0] == 101
    made.socket.sendall(frame(TEXT, b"a"))
    assert made.file.read(3) == b"\x81\x01a"
    made.socket.close()


def test_they_have_a_limit_and_take_no_seats():
    with echo_server(threads=1) as port:
        made = [WebSocket(port) for _ in range(MAX)]
        assert [one.answer[0] for one in made] == [101] * MAX
        refused = WebSocket(port)
        check_problem(refused.answer, 503, "WebSockets")
        assert refused.answer[1]["retry-after"] == "5"
        for _ in range(50):  # the server's one thread is still free
            assert ask(port, b"GET /things/7 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")[0] == 200
        assert [one.say(b"still").hear() for one in made] == [(TEXT, b"still")] * MAX
        made[0].send(frame(CLOSE)).hear_close()
        again = until(lambda: opens(port), 20, "the place is free again")
        assert again.say(b"a").hear() == (TEXT, b"a")


def test_idle_ones_are_not_ended_for_room():
    with echo_server(threads=1) as port:
        made = WebSocket(port)
        silent = [Answers(port) for _ in range(20)]
        until(lambda: ask(port, b"GET /things/7 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")[0] == 200, 30,
              "silent connections make room")
        assert made.say(b"still").hear() == (TEXT, b"still")
        for one in silent:
            one.socket.close()


def test_what_waits_for_a_client_is_bounded():
    with echo_process() as (server, port):
        made = WebSocket(port)
        assert server.stdout.readline() == b"opened\n"
        made.say(b"flood")
        assert server.stdout.readline() == b"full\n"
        other = WebSocket(port)  # a full queue does not affect other WebSockets
        assert other.say(b"a").hear() == (TEXT, b"a")
        assert made.say(b"after").hear() == (TEXT, b"y" * 65536)
        while (heard := made.hear()) == (TEXT, b"y" * 65536):
            pass
        assert heard == (TEXT, b"after")


def test_a_silent_client_is_pinged_and_ended():
    with echo_process(silence=300) as (server, port):
        made = WebSocket(port)
        for _ in range(5):
            assert made.hear() == (PING, b"")
            made.send(frame(PONG))
        assert made.say(b"a").hear() == (TEXT, b"a")
        while (heard := made.hear()) == (PING, b""):
            pass
        assert heard == (CLOSE, struct.pack(">H", 1008))
        assert [server.stdout.readline() for _ in range(2)] == [b"opened\n", b"closed\n"]


def test_a_client_that_sends_and_does_not_read_is_ended():
    with echo_process(silence=300) as (server, port):
        made = WebSocket(port)
        lines = 0
        while server.stdout.readline() != b"closed\n":
            made.say(b"flood")
            lines += 1
        assert lines > 2


def test_a_client_that_goes():
    with echo_process() as (server, port):
        made = WebSocket(port)
        assert server.stdout.readline() == b"opened\n"
        made.close()
        assert server.stdout.readline() == b"closed\n"


def test_a_stop_says_so_and_ends_all():
    with echo_process() as (server, port):
        made = [WebSocket(port) for _ in range(3)]
        made[1].say(b"flood")
        while server.stdout.readline() != b"full\n":
            pass
        server.stdin.close()
        assert made[0].hear_close() == 1001
        assert server.wait(timeout=30) == 0


def test_where_the_socket_is_not_certain():
    """Two connections from one client port to two addresses of a server that listens on all addresses."""
    with echo_server(address="0.0.0.0") as port:
        assert WebSocket(port).answer[0] == 101
        first = Answers(port, "127.0.0.1", ("127.0.0.1", 0))
        second = Answers(port, "127.0.0.2", first.socket.getsockname())
        second.send(handshake())
        check_problem(second.read(), 503, "socket")


def test_without_descriptors_it_is_refused_as_other_requests_are():
    with echo_process() as (server, port):
        made = Answers(port)
        assert made.send(b"GET /things/7 HTTP/1.1\r\n" + HOST + b"\r\n").read()[0] == 200
        plenty = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        enough = max(int(fd) for fd in os.listdir(f"/proc/{server.pid}/fd")) + 2  # for listing that folder
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (enough, plenty[1]))
        status, headers, body = made.send(handshake()).read()
        assert (status, json.loads(body)["status"]) == (503, 503) and "upgrade" not in headers
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, plenty)
        assert WebSocket(port).say(b"a").hear() == (TEXT, b"a")
