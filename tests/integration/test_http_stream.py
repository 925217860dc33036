# SPDX-License-Identifier: Apache-2.0
"""Answers of unknown length."""
import contextlib
import socket

import pytest
from http_rig import HOST, Answers, echo_process, echo_server
from test_http_crowded import clients, read_to_the_end, served, wait_for_end

LARGE = 16 * 1024 * 1024
THREADS = 4


@pytest.fixture(scope="module")
def port():
    with echo_server() as number:
        yield number


def stream(what, method=b"GET", version=b"1.1"):
    return method + b" /stream/" + what + b" HTTP/" + version + b"\r\n" + HOST + b"\r\n"


def test_chunked_and_the_connection_goes_on(port):
    answers = Answers(port)
    for _ in range(3):
        status, headers, body = answers.send(stream(b"lines")).read()
        assert (status, body) == (200, b"one\ntwo\nthree\n")
        assert headers["transfer-encoding"] == "chunked" and headers["content-type"] == "text/plain"
        assert "content-length" not in headers and "connection" not in headers
    assert answers.send(stream(b"empty")).read()[2] == b""
    assert answers.send(stream(b"lines")).read()[0] == 200


def test_each_piece_comes_at_once(port):
    answers = Answers(port).send(stream(b"waiting"))
    answers.read(head=True)
    assert next(answers.chunks()) == b"wait\n"


def test_pipelined(port):
    answers = Answers(port).send(stream(b"lines") * 5)
    assert [answers.read()[2] for _ in range(5)] == [b"one\ntwo\nthree\n"] * 5


def test_http_1_0_gets_it_to_the_end_of_the_connection(port):
    answers = Answers(port).send(stream(b"lines", version=b"1.0"))
    status, headers, _ = answers.read(head=True)
    assert status == 200 and headers["connection"] == "close" and "transfer-encoding" not in headers
    assert answers.file.read() == b"one\ntwo\nthree\n"


def test_head_gets_no_body(port):
    answers = Answers(port)
    for what in (b"lines", b"large"):
        assert answers.send(stream(what, method=b"HEAD")).read(head=True)[1]["transfer-encoding"] == "chunked"
    assert answers.send(stream(b"lines")).read()[0] == 200


def test_larger_than_a_socket_takes(port):
    assert Answers(port).send(stream(b"large")).read()[2] == b"x" * LARGE


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_one_that_is_not_ended_is_cut(port, version):
    answers = Answers(port).send(stream(b"left", version=version))
    # The connection is reset: a client of HTTP 1.0 has no other sign that the answer is incomplete.
    with pytest.raises((ConnectionResetError, AssertionError)):
        _, headers, _ = answers.read(head=True)
        assert answers.file.read() == b"never" and headers


def test_a_client_that_goes_ends_it():
    with echo_process() as (server, port):
        answers = Answers(port).send(stream(b"endless"))
        answers.read(head=True)
        answers.file.close()
        answers.socket.close()
        assert server.stdout.readline() == b"over\n"
        for linger in (b"\0\0\0\0\0\0\0\0", b"\1\0\0\0\0\0\0\0"):  # a plain close, a reset
            waiting = Answers(port).send(stream(b"waiting"))
            waiting.read(head=True)
            waiting.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            waiting.file.close()
            waiting.socket.close()
            assert server.stdout.readline() == b"over\n"


def test_a_client_that_never_reads_ends_it_at_the_answer_deadline():
    with echo_process() as (server, port), clients(port, 1) as (client,):
        client.sendall(stream(b"endless") + stream(b"lines"))
        assert server.stdout.readline() == b"over\n"
        wait_for_end(client)
        received = read_to_the_end(client)
        assert received.count(b"HTTP/1.1") == 1 and not received.endswith(b"0\r\n\r\n")


def test_readers_that_do_not_read_make_room():
    with echo_server(threads=THREADS) as port, clients(port, 3 * THREADS) as dead:
        for client in dead:
            with contextlib.suppress(OSError):
                client.sendall(stream(b"endless"))
        served(port)


def test_a_stop_ends_it():
    with echo_process() as (server, port):
        waiting = [Answers(port).send(stream(what)) for what in (b"waiting", b"endless")]
        for answers in waiting:
            assert answers.read(head=True)[0] == 200
        assert next(waiting[0].chunks()) == b"wait\n"
        server.stdin.close()
        with pytest.raises((ConnectionResetError, AssertionError)):
            next(waiting[0].chunks())
        assert server.wait(timeout=30) == 0
