# SPDX-License-Identifier: Apache-2.0
"""Requests whose framing is broken, ambiguous or endless, over a raw socket."""
import socket

import pytest
from http_rig import HOST, Answers, ask, check_problem, echo_server

JSON = b"Content-Type: application/json\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST + JSON
GET = b"GET /things/7 HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def port():
    with echo_server() as number:
        yield number


REFUSED = [
    ("two lengths", POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, "2 times"),
    ("two other lengths", POST + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}", 400, "2 times"),
    ("length and coding",
     POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, "both"),
    ("length no number", POST + b"Content-Length: 2x\r\n\r\n{}", 400, ""),
    ("negative length", POST + b"Content-Length: -2\r\n\r\n{}", 400, ""),
    ("endless length", POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}", 0, ""),
    ("unknown coding", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400, ""),
    ("chunk size no number", CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400, "chunked"),
    ("chunk shorter than said", CHUNKED + b"2\r\n{}{}\r\n0\r\n\r\n", 400, "chunked"),
    ("chunk beyond any size", CHUNKED + b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n", 400, "chunked"),
    ("chunks beyond the limit", CHUNKED + b"20000\r\n" + b"a" * 0x20000 + b"\r\n0\r\n\r\n", 413, "65536"),
    ("body beyond the limit", POST + b"Content-Length: 10000000\r\n\r\n" + b"a" * 10000000, 413, "65536"),
    ("body where none belongs", GET + b"Content-Length: 5\r\n\r\nhello", 400, "must not have a body"),
    ("body ends early", None, 400, "early"),
    ("wrong type", b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}", 415, "application/json"),
    ("compressed", POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415, "gzip"),
    ("no host", b"GET /things/7 HTTP/1.1\r\n\r\n", 400, "Host"),
    ("two hosts", GET + HOST + b"\r\n", 400, "Host"),
    ("bad escape", b"GET /things/%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400, "escape"),
    ("escaped NUL", b"GET /things/a%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "escape"),
    ("no UTF-8", b"GET /things/%ff HTTP/1.1\r\n" + HOST + b"\r\n", 400, "percent-decoding"),
    ("bad escape in the query", b"GET /things/7?a=%4 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "escape"),
    ("no UTF-8 in the query", b"GET /things/7?a=%ff HTTP/1.1\r\n" + HOST + b"\r\n", 400, '"a" is not UTF-8'),
    ("escaped NUL in the query", b"GET /things/7?a=%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400, '"a" has an escaped NUL'),
    ("raw bytes in the query", b"GET /things/7?a=\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400, "percent escapes"),
    ("name twice in the query", b"GET /things/7?a=1&a=2 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "twice"),
    ("unknown name in the query", b"GET /things/7?b=1 HTTP/1.1\r\n" + HOST + b"\r\n", 400, '"b"'),
    ("NUL in the path", b"GET /things/a\0b HTTP/1.1\r\n" + HOST + b"\r\n", 400, ""),
    ("NUL in a header", GET + b"X: a\0b\r\n\r\n", 400, ""),
    ("huge header", GET + b"X: " + b"a" * 20000 + b"\r\n\r\n", 400, "16 KiB"),
    ("many headers", GET + b"X: a\r\n" * 70 + b"\r\n", 431, "too many"),
    ("no HTTP", b"garbage\r\n\r\n", 400, ""),
    ("HTTP/2", b"GET /things/7 HTTP/2.0\r\n" + HOST + b"\r\n", 505, ""),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00", 400, ""),
    ("unknown method", b"FOO /things/7 HTTP/1.1\r\n" + HOST + b"\r\n", 400, ""),
    ("no such path", b"GET /elsewhere HTTP/1.1\r\n" + HOST + b"\r\n", 404, ""),
    ("dots", b"GET /nothing/../things/7 HTTP/1.1\r\n" + HOST + b"\r\n", 404, ""),
    ("odd expectation", GET + b"Expect: miracles\r\n\r\n", 417, ""),
    ("a host that is two", b"GET /things/7 HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "Host"),
    ("* of another method", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400, "OPTIONS"),
    ("no target", b"GET elsewhere HTTP/1.1\r\n" + HOST + b"\r\n", 400, "target"),
    ("authority as target", b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "target"),
]

# Headers that a proxy in front may read differently: it sees a body length, or a key, that we do not.
LENGTH = b"Content-Length: 5\r\n"
TWO_KEYS = b"Authorization: a\r\nauthorization: b\r\n"
SMUGGLED = {
    "folded": GET + b"X: a\r\n b\r\n" + LENGTH,
    "folded by a tab": GET + b"X: a\r\n\tb\r\n" + LENGTH,
    "folded at once": b"GET /things/7 HTTP/1.1\r\n " + HOST + LENGTH,
    "white lines at once": b"GET /things/7 HTTP/1.1\r\n \r\n" + HOST,
    "space before the colon": GET + b"Content-Length : 5\r\n",
    "tab before the colon": GET + b"Content-Length\t: 5\r\n",
    "spaces before a harmless colon": GET + b"X  : 5\r\n",
    "no name": GET + b": a\r\n" + LENGTH,
    "no colon": GET + b"X\r\n" + LENGTH,
    "space in a name": GET + b"X Y: a\r\n" + LENGTH,
    "odd name": GET + b"X(: a\r\n" + LENGTH,
    "name beyond ASCII": GET + b"\xc3\xa4: a\r\n" + LENGTH,
    "lone line feed": GET + b"X: a\n" + LENGTH,
    "lone line feed after the request line": b"GET /things/7 HTTP/1.1\n" + HOST + LENGTH,
    "lone line feed before an empty line": GET + b"X: a\n\r" + LENGTH,
    "empty line by line feeds": GET + b"X: a\n\n" + LENGTH,
    "empty line by half": GET + b"X: a\r\n\n" + LENGTH,
    "lone carriage return": GET + b"X: a\r" + LENGTH,
    "lone carriage return in a value": GET + b"X: a\rb\r\n" + LENGTH,
    "lone carriage return after the request line": b"GET /things/7 HTTP/1.1\r" + HOST + LENGTH,
    "two carriage returns": GET + b"X: a\r\r\n" + LENGTH,
    "carriage return as a line": GET + b"X: a\r\n\r" + LENGTH,
    "NUL in a name": GET + b"X\0: a\r\n" + LENGTH,
    "NUL at a line's end": GET + b"X: a\0\r\n" + LENGTH,
    "control character": GET + b"X: \x0b\r\n" + LENGTH,
    "too many headers": GET + b"X: a\r\n" * 63 + LENGTH,
    "two keys": GET + TWO_KEYS,
    "length and coding": GET + LENGTH + b"Transfer-Encoding: chunked\r\n",
    "coding and length": GET + b"Transfer-Encoding: chunked\r\n" + LENGTH,
    "coding in quotes": GET + b'Transfer-Encoding: "chunked"\r\n',
    "coding of odd case": GET + b"Transfer-Encoding: xchunked\r\n",
    "coding twice": GET + b"Transfer-Encoding: chunked, chunked\r\n",
    "coding twice in two lines": GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
    "coding none": GET + b"Transfer-Encoding: identity\r\n" + LENGTH,
    "coding empty": GET + b"Transfer-Encoding:\r\n" + LENGTH,
    "length of a list": GET + b"Content-Length: 5, 5\r\n",
    "length with a sign": GET + b"Content-Length: +5\r\n",
    "length with a space": GET + b"Content-Length: 5 5\r\n",
    "length in hexadecimal": GET + b"Content-Length: 0x5\r\n",
    "length empty": GET + b"Content-Length:\r\n",
    "two spaces in the request line": b"GET  /things/7 HTTP/1.1\r\n" + HOST + LENGTH,
    "two spaces before the version": b"GET /things/7  HTTP/1.1\r\n" + HOST + LENGTH,
    "line end in the request line": b"GET \r\n/things/7 HTTP/1.1\r\n" + HOST + LENGTH,
    "space after the version": b"GET /things/7 HTTP/1.1 \r\n" + HOST + LENGTH,
    "odd version": b"GET /things/7 HTTP/1.10\r\n" + HOST + LENGTH,
    "no version": b"GET /things/7\r\n" + HOST + LENGTH,
    "small http": b"GET /things/7 http/1.1\r\n" + HOST + LENGTH,
    "white space before": b" " + GET + LENGTH,
    "much white space before": b" " * 16 + GET + LENGTH,
    "empty lines before": b"\r\n\r\n" + GET,
    "line feeds before": b"\n\n" + GET,
    "sixteen bytes of empty lines before": b"\r\n" * 8 + GET,
}


@pytest.mark.parametrize("warm", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("head", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_nothing_is_smuggled(port, head, warm):
    answers = Answers(port)
    if warm:
        assert answers.send(GET + b"\r\n").read()[0] == 200
    answers.send(head + b"\r\n" + b"hello" + GET + b"\r\n")
    status, headers, _ = answers.read()
    assert status in (400, 431, 505) and headers["connection"] == "close"
    assert answers.is_closed()
    assert ask(port, GET + b"\r\n")[0] == 200


@pytest.mark.parametrize("before", [b" " * 16, b" " * 48, b"\r\n" * 8, b"\r\n" * 9, b"\n" * 16],
                         ids=["blanks", "more blanks", "empty lines", "one more", "line feeds"])
def test_white_space_before_what_a_thread_reads_first(before):
    """A thread that has served no request yet does not know where its buffer begins."""
    with echo_server() as fresh:
        for _ in range(16):  # more than it has threads
            answers = Answers(fresh).send(before + GET + b"\r\n")
            assert answers.read()[0] == 400
            assert answers.is_closed()
            answers.socket.close()


def test_one_empty_line_before_a_request(port):
    answers = Answers(port).send(b"\r\n" + GET + b"\r\n" + b"\r\n" + GET + b"\r\n")
    assert [answers.read()[0] for _ in range(2)] == [200, 200]


def test_nobody_reads_what_another_left(port):
    """civetweb's buffers keep old requests; white space must not make a thread read them."""
    secret = GET.replace(b"/7", b"/secret")
    for _ in range(32):
        answers = Answers(port).send(GET + b"\r\n" + secret + b"\r\n")
        assert b"secret" in [answers.read()[2] for _ in range(2)][1]
        answers.socket.close()
        for skipped in range(0, 48):
            got = ask(port, b" " * skipped + b"\r\n\r\n")
            assert got is None or b"secret" not in got[2]


CHUNK_TRICKS = {
    "sign": b"+2\r\n{}\r\n0\r\n\r\n", "prefix": b"0x2\r\n{}\r\n0\r\n\r\n", "space": b" 2\r\n{}\r\n0\r\n\r\n",
    "space after": b"2 \r\n{}\r\n0\r\n\r\n", "line feed": b"2\n{}\r\n0\r\n\r\n", "empty": b"\r\n{}\r\n0\r\n\r\n",
    "negative": b"-2\r\n{}\r\n0\r\n\r\n", "wraps": b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "no line after": b"2\r\n{}0\r\n\r\n", "line feed after": b"2\r\n{}\n0\r\n\r\n",
}


@pytest.mark.parametrize("body", CHUNK_TRICKS.values(), ids=CHUNK_TRICKS.keys())
def test_odd_chunks_end_the_connection(port, body):
    answers = Answers(port).send(CHUNKED + body + GET + b"\r\n")
    status, headers, _ = answers.read()
    assert status == 400 and headers["connection"] == "close"
    assert answers.is_closed()


LEGAL = {
    "space after values": (b"GET /things/7 HTTP/1.1\r\nHost: a \r\nX:a  \r\nY:\r\nZ: \r\n\r\n", 200),
    "space after a length": (POST + b"Content-Length: 2 \r\n\r\n{}", 200),
    "space after the last": (POST + b"Content-Length:2\r\nConnection: close \r\n\r\n{}", 200),
    "absolute": (b"GET http://a.example/things/7 HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    "absolute with port": (b"GET http://a.example:81/things/7?a=1 HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    "absolute with a body": (b"POST https://a.example/echo HTTP/1.1\r\n" + HOST + JSON
                             + b"Content-Length: 2\r\n\r\n{}", 200),
    "absolute, later": (b"GET http://a.example/later/given HTTP/1.1\r\n" + HOST + b"\r\n", 202),
    "absolute, elsewhere": (b"GET http://a.example/elsewhere HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "options": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 204),
    "options of a path": (b"OPTIONS /things/7 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
}


@pytest.mark.parametrize("warm", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("data,status", LEGAL.values(), ids=LEGAL.keys())
def test_legal_if_unusual(port, data, status, warm):
    answers = Answers(port)
    if warm:
        assert answers.send(GET + b"\r\n").read()[0] == 200
    got, headers, body = answers.send(data).read()
    assert got == status, body
    if status in (204, 405):
        assert "GET, HEAD" in headers["allow"]
    if "connection" in headers:
        assert answers.is_closed()


@pytest.mark.parametrize("own", [True, False], ids=["this port", "another"])
def test_absolute_target_with_our_port(port, own):
    target = b"http://127.0.0.1:%d/things/7?a=1" % (port if own else port + 1)
    answer = ask(port, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer[0] == 200 and answer[2] == b'{"id":"7","a":"1"}'


# civetweb 1.15 accepts neither, and the answer says so. 1.16 accepts both.
@pytest.mark.parametrize("body", [b"2;a=b\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0;last\r\nX: y\r\n\r\n"],
                         ids=["extension", "trailer"])
def test_chunk_extensions_are_answered(port, body):
    answers = Answers(port).send(CHUNKED + body)
    status, _, got = answers.read()
    assert (status, got) == (200, b"{}") or (status == 400 and b"extension" in got)


@pytest.mark.parametrize("value", [b"Upgrade", b"TE", b"close", b"keep-alive, close"])
def test_a_connection_that_ends_says_so(port, value):
    answers = Answers(port).send(GET + b"Connection: " + value + b"\r\n\r\n")
    assert answers.read()[1]["connection"] == "close"
    assert answers.is_closed()


@pytest.mark.parametrize("data,status,words", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused(port, data, status, words):
    answers = Answers(port)
    if data is None:
        answers.send(POST + b"Content-Length: 9\r\n\r\n{}")
        answers.socket.shutdown(socket.SHUT_WR)
    else:
        answers.send(data)
    answer = answers.read()
    check_problem(answer, status or answer[0], words)
    assert answer[0] in (status, 400, 413)
    # The server still works.
    assert ask(port, GET + b"\r\n")[0] == 200


def test_method_not_allowed(port):
    answer = ask(port, b"PUT /things/7 HTTP/1.1\r\n" + HOST + b"\r\n")
    check_problem(answer, 405, "GET")
    assert answer[1]["allow"] == "GET, HEAD"


def test_handler_without_answer(port):
    check_problem(ask(port, b"GET /silent HTTP/1.1\r\n" + HOST + b"\r\n"), 500, "no answer")


def test_keep_alive_and_pipelining(port):
    answers = Answers(port)
    answers.send(GET + b"\r\n" + POST + b"Content-Length: 2\r\n\r\n[]" + CHUNKED
                 + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n" + GET + b"Connection: close\r\n\r\n")
    bodies = [answers.read()[2] for _ in range(4)]
    assert bodies == [b'{"id":"7","a":null}', b"[]", b"{}", b'{"id":"7","a":null}']
    assert answers.is_closed()


def test_an_ambiguous_request_ends_its_connection(port):
    answers = Answers(port).send(
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + GET + b"\r\n")
    answer = answers.read()
    assert answer[0] == 400 and answer[1]["connection"] == "close"
    assert answers.is_closed()


def test_head(port):
    answers = Answers(port).send(b"HEAD /things/7 HTTP/1.1\r\n" + HOST + b"\r\n" + GET + b"\r\n")
    head = answers.read(head=True)
    assert head[0] == 200 and head[1]["content-length"] == "19"
    assert answers.read()[2] == b'{"id":"7","a":null}'


WRITTEN = [
    ("answer", GET + b"\r\n", 200),
    ("no body", GET.replace(b"GET", b"HEAD", 1) + b"\r\n", 200),
    ("large body", POST + b"Content-Length: 65536\r\n\r\n" + b"a" * 65536, 200),
    ("closing", GET + b"Connection: close\r\n\r\n", 200),
    ("problem", b"GET /elsewhere HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    ("framing", POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    ("no HTTP", b"garbage\r\n\r\n", 400),
    ("another thread's", b"GET /later/given HTTP/1.1\r\n" + HOST + b"\r\n", 202),
    ("withheld", b"GET /later/withheld HTTP/1.1\r\n" + HOST + b"\r\n", 503),
]


@pytest.mark.parametrize("data,status", [r[1:] for r in WRITTEN], ids=[r[0] for r in WRITTEN])
def test_one_write_per_answer(port, data, status):
    def sends():
        return int(ask(port, b"GET /sends HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")[2])

    before = sends()
    assert Answers(port).send(data).read(head=data.startswith(b"HEAD"))[0] == status
    assert sends() - before == 2  # one for this answer, one for the answer of the earlier count


def test_continue(port):
    answers = Answers(port).send(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert answers.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert answers.file.readline() == b"\r\n"
    assert answers.send(b"{}").read()[2] == b"{}"


def test_trace_is_continued(port):
    trace = b"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    answer = ask(port, GET + b"traceparent: " + trace + b"\r\n\r\n")
    assert answer[1]["traceparent"] == trace.decode()


def test_trickling_body_has_a_deadline(port):
    answers = Answers(port)
    answers.socket.settimeout(0.1)
    answers.send(POST + b"Content-Length: 60000\r\n\r\n")
    # A byte now and then lets every single read succeed; only the deadline ends this.
    for _ in range(600):
        answers.send(b"a")
        try:
            if answers.socket.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            continue
    answers.socket.settimeout(20)
    check_problem(answers.read(), 408, "in time")


def test_silent_sender_has_a_deadline(port):
    check_problem(ask(port, POST + b"Content-Length: 60000\r\n\r\nabc"), 408, "in time")
    check_problem(ask(port, CHUNKED + b"2\r\n{}\r\n"), 408, "in time")
    check_problem(ask(port, b"GET /things/7 HTTP/1.1\r\nHo"), 400, "in time")
