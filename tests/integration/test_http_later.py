# SPDX-License-Identifier: Apache-2.0
"""Answers given by another thread, while the handler's thread waits for the next request."""
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.until import until
from http_rig import HOST, Answers, check_problem, echo_server

LARGE = 16 * 1024 * 1024


@pytest.fixture(scope="module")
def port():
    with echo_server() as number:
        yield number


def later(what, *headers, version=b"1.1"):
    return b"GET /later/" + what + b" HTTP/" + version + b"\r\n" + HOST + b"".join(
        header + b"\r\n" for header in headers) + b"\r\n"


def test_one_after_the_other(port):
    answers = Answers(port)
    for _ in range(20):
        status, headers, body = answers.send(later(b"given")).read()
        assert (status, headers["location"], body) == (202, "/here", b"xxxxx")
        assert "connection" not in headers


def test_many_connections(port):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: test_one_after_the_other(port), range(8)))


def test_pipelined(port):
    answers = Answers(port)
    for _ in range(2):
        answers.send(later(b"given") * 10 + later(b"other-one"))
        assert [answers.read()[2] for _ in range(11)] == [b"x" * 5] * 10 + [b"x" * 9]


@pytest.mark.parametrize("what", [b"withheld", b"never"])
def test_answered_otherwise(port, what):
    answer = Answers(port).send(later(what)).read()
    check_problem(answer, 503, "withheld" if what == b"withheld" else "not handed over")
    assert "location" not in answer[1]


def test_withheld_ends_the_connection_and_not_given_does_not(port):
    answers = Answers(port).send(later(b"never"))
    assert answers.read()[0] == 503
    assert answers.send(later(b"withheld")).read()[1]["connection"] == "close"
    assert answers.is_closed()


def test_larger_than_a_socket_takes_at_once(port):
    answers = Answers(port).send(later(b"large"))
    status, _, body = answers.read()
    assert status == 202 and body == b"x" * LARGE


@pytest.mark.parametrize("request_", [
    later(b"given", b"Connection: close"), later(b"given", version=b"1.0"),
    later(b"withheld", b"Connection: close")])
def test_the_last_of_its_connection(port, request_):
    answers = Answers(port).send(request_)
    assert answers.read()[1]["connection"] == "close"
    assert answers.is_closed()


def test_a_client_that_sends_no_more_is_answered(port):
    answers = Answers(port).send(later(b"given"))
    answers.socket.shutdown(socket.SHUT_WR)
    assert answers.read()[0] == 202
    assert answers.is_closed()


def test_a_client_that_is_gone(port):
    for _ in range(20):
        answers = Answers(port).send(later(b"large"))
        answers.file.close()
        answers.socket.close()
    # Until the server notices that the clients are gone, it may answer that all places are taken.
    until(lambda: Answers(port).send(later(b"given")).read()[0] == 202, 20, "an answer")


def test_who_was_let_in_is_answered_when_the_server_stops():
    with ThreadPoolExecutor(1) as pool:
        with echo_server() as port:
            answers = Answers(port).send(later(b"given"))
            assert answers.read()[0] == 202
            answers.send(later(b"slow"))
            last = pool.submit(answers.read)
            # Once another connection's answer is there, the slow request has been admitted.
            assert Answers(port).send(later(b"given")).read()[0] == 202
        status, headers, body = last.result(30)
    assert (status, headers["connection"], body) == (202, "close", b"xxxx")
