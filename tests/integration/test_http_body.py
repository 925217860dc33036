# SPDX-License-Identifier: Apache-2.0
"""Bodies that a handler reads in pieces while they arrive: whole, slow, cut off, too large, not read at all."""
import random
import socket
import time

import pytest
from http_rig import HOST, Answers, ask, check_problem, echo_process, echo_server

PIECE = 16384
MAX = 16 * PIECE
GET = b"GET /things/7 HTTP/1.1\r\n" + HOST + b"\r\n"
DATA = random.Random(1).randbytes(MAX + PIECE)


@pytest.fixture(scope="module", name="port")
def one_port():
    with echo_server() as number:
        yield number


def head(query=b"", more=b""):
    return b"POST /pieces?" + query + b" HTTP/1.1\r\n" + HOST + more


def sized(length, query=b"", more=b""):
    return head(query, more) + b"Content-Length: %d\r\n\r\n" % length


def chunked(query=b"", more=b""):
    return head(query, more) + b"Transfer-Encoding: chunked\r\n\r\n"


def chunks(data, size=5000):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in
                    (data[at:at + size] for at in range(0, len(data), size)))


LAST = b"0\r\n\r\n"


def check(answer, end, text):
    assert answer is not None, "no answer"
    status, headers, body = answer
    assert (status, headers["end"]) == (200, end)
    assert body == text, f"{len(body)} bytes instead of {len(text)}"
    return headers


@pytest.mark.parametrize("form", ["sized", "chunked"])
@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7, MAX])
def test_whole(port, length, form):
    data = DATA[:length]
    request = sized(length) + data if form == "sized" else chunked() + chunks(data) + LAST
    answers = Answers(port)
    for _ in range(2):  # the connection stays
        headers = check(answers.send(request).read(), "end", data)
        assert "connection" not in headers
        assert length // PIECE <= int(headers["pieces"]) <= length // PIECE + 2
    assert answers.send(GET).read()[0] == 200


def test_too_large_is_refused_before_it_is_read(port):
    for more in (b"", b"Expect: 100-continue\r\n"):
        answers = Answers(port).send(sized(MAX + 1, more=more))
        check_problem(answers.read(), 413, f"larger than {MAX} bytes")
        answers.socket.shutdown(socket.SHUT_WR)
        assert answers.is_closed()


def test_too_large_in_chunks(port):
    request = chunked() + chunks(DATA) + LAST
    answers = Answers(port).send(request)
    assert check(answers.read(), "over", DATA[:MAX])["connection"] == "close"
    check_problem(ask(port, request.replace(b"?", b"?refuse", 1)), 413, f"larger than {MAX} bytes")


def test_continue_is_said_when_the_handler_reads(port):
    for request, body in ((sized(2, more=b"Expect: 100-continue\r\n"), b"ab"),
                          (chunked(more=b"Expect: 100-continue\r\n"), chunks(b"ab") + LAST)):
        answers = Answers(port).send(request)
        assert answers.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert answers.file.readline() == b"\r\n"
        check(answers.send(body).read(), "end", b"ab")
        assert answers.send(GET).read()[0] == 200


def test_continue_is_not_said_when_it_does_not(port):
    answers = Answers(port).send(sized(2, b"most=0", b"Expect: 100-continue\r\n"))
    assert check(answers.read(), "more", b"")["connection"] == "close"
    assert answers.is_closed()


@pytest.mark.parametrize("most", [0, 1, 2 * PIECE])
@pytest.mark.parametrize("form", ["sized", "chunked"])
def test_an_answer_before_the_end(port, most, form):
    query = b"most=%d" % most
    request = sized(MAX, query) + DATA[:MAX] if form == "sized" else chunked(query) + chunks(DATA[:MAX]) + LAST
    answers = Answers(port).send(request + GET)
    status, headers, body = answers.read()
    assert (status, headers["end"], headers["connection"]) == (200, "more", "close")
    assert most <= len(body) <= most + PIECE and DATA.startswith(body)
    assert answers.is_closed()  # what follows is not taken for a request


def test_a_coding_is_refused(port):
    check_problem(ask(port, sized(2, more=b"Content-Encoding: gzip\r\n") + b"ab"), 415, "gzip")


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, 2 * PIECE + 5])
def test_cut_off(port, length):
    answers = Answers(port).send(sized(4 * PIECE) + DATA[:length])
    answers.socket.shutdown(socket.SHUT_WR)
    check(answers.read(), "broken", DATA[:length])
    assert answers.is_closed()


def cut_answer(port, data, query=b""):
    answers = Answers(port).send(chunked(query) + data)
    answers.socket.shutdown(socket.SHUT_WR)
    return answers.read()


@pytest.mark.parametrize("size", [100, 5000, PIECE, 40000])
def test_chunks_cut_off(port, size):
    """At every place around the end of a chunk, and before the last one."""
    whole = chunks(DATA[:2 * size], size)
    for length in (*range(12), *range(len(whole) // 2 - 4, len(whole) // 2 + 10), len(whole) - 1, len(whole),
                   len(whole) + 1, len(whole) + 2):
        status, headers, body = cut_answer(port, (whole + LAST)[:length])
        assert (status, headers["end"]) == (200, "broken"), length
        assert DATA.startswith(body) and len(body) > min(length, 2 * size) - PIECE - 100


def test_malformed_chunks(port):
    good = chunks(DATA[:2 * PIECE])
    status, headers, body = ask(port, chunked() + good + b"nonsense\r\n" + GET)
    assert (status, headers["end"], headers["connection"]) == (200, "broken", "close")
    assert DATA.startswith(body) and len(body) >= PIECE
    check_problem(ask(port, chunked(b"refuse") + good + b"nonsense\r\n"), 400, "malformed")


def test_each_piece_has_its_time(port):
    """The deadline of a body is 1.5 s here: this one takes longer, but no piece does."""
    answers = Answers(port).send(sized(4 * PIECE))
    for at in range(0, 4 * PIECE, PIECE):
        time.sleep(0.7)
        answers.send(DATA[at:at + PIECE])
    check(answers.read(), "end", DATA[:4 * PIECE])


def test_all_pieces_have_a_time_together(port):
    begun = time.monotonic()
    answers = Answers(port).send(sized(MAX))
    answers.socket.settimeout(0.9)
    for at in range(0, MAX, PIECE):
        answers.send(DATA[at:at + PIECE])
        try:
            answers.socket.recv(1, socket.MSG_PEEK)
            break
        except TimeoutError:
            continue
    answers.socket.settimeout(20)
    status, headers, body = answers.read()
    assert (status, headers["end"], headers["connection"]) == (200, "late", "close")
    assert DATA.startswith(body) and 8.5 < time.monotonic() - begun < 14  # 6 × 1.5 s


@pytest.mark.parametrize("request_,text", [
    (sized(4 * PIECE) + DATA[:PIECE + 10], DATA[:PIECE + 10]),
    (chunked() + chunks(DATA[:PIECE], PIECE) + b"100\r\nabc", DATA[:PIECE]),
    (chunked() + chunks(b"ab"), b""),
], ids=["sized", "half a chunk", "no last chunk"])
def test_silent(port, request_, text):
    answers = Answers(port).send(request_)
    headers = check(answers.read(), "late", text)
    assert headers["connection"] == "close"
    check_problem(ask(port, request_.replace(b"?", b"?refuse", 1)), 408, "in time")


def test_time_in_which_the_handler_does_not_read_does_not_count(port):
    answers = Answers(port).send(sized(3 * PIECE, b"pause=2000") + DATA[:3 * PIECE])
    check(answers.read(), "end", DATA[:3 * PIECE])


def test_stop_between_two_pieces():
    with echo_process() as (server, port):
        answers = Answers(port).send(sized(3 * PIECE, b"pause=1000") + DATA[:3 * PIECE])
        assert server.stdout.readline() == b"piece\n"
        server.stdin.close()
        assert check(answers.read(), "stopped", DATA[:PIECE])["connection"] == "close"
        assert server.wait(timeout=30) == 0


@pytest.mark.parametrize("query", [b"pause=1", b"pause=1&refuse"])
def test_stop_while_a_piece_is_awaited(query):
    with echo_process() as (server, port):
        answers = Answers(port).send(sized(2 * PIECE, query) + DATA[:PIECE + 7])
        assert server.stdout.readline() == b"piece\n"
        time.sleep(0.1)
        server.stdin.close()
        answer = answers.read()
        if b"refuse" in query:
            check_problem(answer, 503, "stopping")
        else:  # the rest has come, unless the handler had not asked for it yet
            check(answer, "stopped", DATA[:max(PIECE, len(answer[2]))])
        assert server.wait(timeout=30) == 0
