# SPDX-License-Identifier: Apache-2.0
"""More connections than a server has threads: idle, silent, busy, and with clients that do not read."""
import contextlib
import json
import socket
import threading
import time

import pytest
from http_rig import HOST, Answers, ask, check_problem, echo_process, echo_server
from harness.until import until

THREADS = 4
MANY = 3 * THREADS
GET = b"GET /things/7 HTTP/1.1\r\n" + HOST + b"\r\n"
LARGE = GET.replace(b"things/7", b"large")


def later(what):
    return GET.replace(b"things/7", b"later/" + what)


@pytest.fixture()
def port():
    with echo_server(threads=THREADS) as number:
        yield number


@contextlib.contextmanager
def clients(port, count):
    """Connections with small buffers at this end."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            made.append(client)
        yield made


def send_all(client, data):
    """Sends all of it, or as much as the server takes until it ends the connection."""
    client.settimeout(10)
    with contextlib.suppress(OSError):
        client.sendall(data)


def served(port, times=10):
    """Requests are served, each on a new connection. A full server may answer "try again" first."""
    deadline = time.monotonic() + 15
    while times > 0:
        assert time.monotonic() < deadline, "a healthy client is not served"
        answer = Answers(port).send(GET).read()
        assert answer is not None and answer[0] in (200, 503)
        times -= answer[0] == 200


def takes_a_byte_at_a_time(client, stop):
    with contextlib.suppress(OSError):
        while not stop.wait(0.02) and client.recv(1):
            pass


DEAD = {
    "never reads": LARGE,
    "never reads what another thread writes": later(b"large"),
    "pipelines": GET * 5000,
    "pipelines what another thread writes": later(b"given") * 5000,
    "pipelines large ones": LARGE * 100,
    "pipelines refusals": b"GET /elsewhere HTTP/1.1\r\n" + HOST + b"\r\n" + GET * 5000,
}


@pytest.mark.parametrize("data", DEAD.values(), ids=DEAD.keys())
@pytest.mark.parametrize("how", ["silent", "half closed", "slow"])
def test_readers_that_do_not_read(port, data, how):
    stop = threading.Event()
    with clients(port, MANY) as dead:
        threads = [threading.Thread(target=send_all, args=(client, data)) for client in dead]
        if how == "slow":
            threads += [threading.Thread(target=takes_a_byte_at_a_time, args=(client, stop)) for client in dead]
        for thread in threads:
            thread.start()
        try:
            served(port)
            if how == "half closed":
                for client in dead:
                    with contextlib.suppress(OSError):
                        client.shutdown(socket.SHUT_WR)
                served(port)
        finally:
            stop.set()
            for client in dead:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("request_", [LARGE, later(b"large")], ids=["own", "another thread's"])
def test_an_answer_that_was_cut_is_the_last(port, request_):
    with clients(port, 1) as (client,):
        client.sendall(request_ + GET)
        wait_for_end(client)
        received = read_to_the_end(client)
    assert received.count(b"HTTP/1.1") == 1 and len(received) < 16 * 1024 * 1024


def wait_for_end(client):
    """Waits until the server has ended the connection, without reading from it."""
    tcp_close, tcp_close_wait = 7, 8
    until(lambda: client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in (tcp_close, tcp_close_wait),
          20, "the server ends the connection")


def read_to_the_end(client):
    received = b""
    client.settimeout(10)
    with contextlib.suppress(ConnectionError):
        while data := client.recv(65536):
            received += data
    return received


def test_a_slow_reader_gets_a_whole_answer(port):
    answers = Answers(port).send(LARGE)
    for _ in range(20):  # meanwhile the server waits for the slow reader
        assert ask(port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))[0] == 200
    assert answers.read()[2] == b"x" * 16 * 1024 * 1024
    assert answers.send(GET).read()[0] == 200


def test_a_connection_pipelines_so_much_and_no_more(port):
    answers = Answers(port).send(GET * 1000)
    count = 1
    while "connection" not in (answer := answers.read())[1]:
        assert answer[0] == 200
        count += 1
    assert answer[1]["connection"] == "close" and 100 <= count < 1000


def test_who_waits_for_answers_may_ask_on(port):
    answers = Answers(port)
    for _ in range(1000):
        assert "connection" not in answers.send(GET).read()[1]


def test_idle_connections_make_room(port):
    idle = []
    for _ in range(MANY):
        answers = Answers(port).send(GET)
        assert answers.read()[0] in (200, 503)
        idle.append(answers)
    served(port)
    assert sum(answers.socket.fileno() >= 0 for answers in idle) == MANY


def test_silent_connections_make_room(port):
    silent = [Answers(port) for _ in range(MANY)]
    served(port)
    for answers in silent:
        answers.socket.close()


def test_unfinished_heads_make_room(port):
    silent = [Answers(port).send(GET[:20]) for _ in range(MANY)]
    served(port)
    for answers in silent:
        answers.socket.close()


def test_heads_that_never_end_make_room(port):
    """So many unfinished heads that each gets only a moment, although bytes keep coming."""
    stop = threading.Event()
    slow = [Answers(port).send(GET[:20]) for _ in range(30 * THREADS)]

    def trickle():
        while not stop.wait(0.05):
            for answers in slow:
                answers.send(b"a")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        served(port)
    finally:
        stop.set()
        thread.join()
        for answers in slow:
            answers.socket.close()


def test_idle_connections_stay_while_there_is_room(port):
    first = Answers(port).send(GET)
    assert first.read()[0] == 200
    for _ in range(200):
        assert ask(port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))[0] == 200
    assert first.send(GET).read()[0] == 200


def test_a_full_port_says_so(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as errors, \
            echo_process(threads=THREADS, stderr=errors) as (server, port):
        held = [Answers(port).send(later(b"held")) for _ in range(THREADS)]
        assert [server.stdout.readline() for _ in held] == [b"held\n"] * THREADS
        for _ in range(3):
            answer = ask(port, GET)
            check_problem(answer, 503, "busy")
            assert answer[1]["connection"] == "close" and answer[1]["retry-after"] == "1"
        server.stdin.write(b"x" * THREADS)
        server.stdin.flush()
        assert [answers.read()[0] for answers in held] == [202] * THREADS
        served(port)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["threads"] for line in lines if "full" in line["msg"]] == [THREADS]


def test_answers_find_their_own_connection():
    """Two connections from one client port to two addresses of a server that listens on all addresses."""
    with echo_server(address="0.0.0.0") as port:
        for _ in range(10):
            first = Answers(port, "127.0.0.1", ("127.0.0.1", 0))
            source = first.socket.getsockname()
            second = Answers(port, "127.0.0.2", source)
            for _ in range(3):
                second.send(later(b"second"))
                assert second.read()[2] == b"x" * 6
                first.send(later(b"one"))
                assert first.read()[2] == b"x" * 3
                second.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                            b"Content-Length: 9\r\n\r\n\"trickle")
                first.send(GET)
                assert first.read()[0] == 200
                assert second.send(b'"').read()[2] == b'"trickle"'
            first.socket.close()
            second.socket.close()
            first.file.close()
            second.file.close()


def test_who_finds_a_thread_ends_no_other_connection():
    """Many first requests at once. The server may not have noticed yet that those before have gone."""
    count = 200
    with echo_server(threads=3 * count) as number:
        for _ in range(60):
            with clients(number, count) as made:
                for client in made:
                    client.sendall(GET)
                for client in made:
                    client.settimeout(10)
                    answer = client.recv(4096)
                    assert answer.startswith(b"HTTP/1.1 200 ") and b"Connection: close" not in answer
