# SPDX-License-Identifier: Apache-2.0
"""What a program may add to every answer, and learn of a request: preflights, security headers,
cookies, the client's address."""
import json

import pytest
from http_rig import HOST, Answers, ask, echo_server

ASKED = b"GET /asked HTTP/1.1\r\n" + HOST
PREFLIGHT = b"Access-Control-Request-Method: PATCH\r\nOrigin: https://a.example\r\n\r\n"


@pytest.fixture(scope="module")
def port():
    with echo_server() as number:
        yield number


def asked(port, *cookies):
    status, _, body = ask(port, ASKED + b"".join(b"Cookie: " + c + b"\r\n" for c in cookies) + b"\r\n")
    assert status == 200
    return json.loads(body)


@pytest.mark.parametrize("cookies, want", [
    ([], None),
    ([b"warren=1.k1.a"], "1.k1.a"),
    ([b"a=1; warren=2; b=3"], "2"),
    ([b"a=1", b"warren=2"], "2"),
    ([b"warren=1; warren=2"], None),
    ([b"warren=1", b"warren=2"], None),
])
def test_cookies(port, cookies, want):
    assert asked(port, *cookies)["cookie"] == want


def test_the_clients_address(port):
    assert asked(port)["peer"] == "127.0.0.1"


def test_no_status_before_the_answer(port):
    assert asked(port)["status"] == 0


def test_preflight_of_a_path_with_routes(port):
    answers = Answers(port)
    status, headers, _ = answers.send(b"OPTIONS /asked HTTP/1.1\r\n" + HOST + PREFLIGHT).read()
    assert (status, headers["access-control-allow-methods"]) == (204, "GET, HEAD, PATCH")
    assert answers.send(ASKED + b"\r\n").read()[0] == 200  # the connection stays


@pytest.mark.parametrize("request_, want", [
    (b"OPTIONS /nowhere HTTP/1.1\r\n" + HOST + PREFLIGHT, 404),
    (b"OPTIONS /asked HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"OPTIONS * HTTP/1.1\r\n" + HOST + PREFLIGHT, 204),
    (b"DELETE /asked HTTP/1.1\r\n" + HOST + PREFLIGHT, 405),
], ids=["elsewhere", "without its header", "server", "other method"])
def test_other_requests_are_no_preflights(port, request_, want):
    status, headers, _ = ask(port, request_)
    assert status == want and "access-control-allow-methods" not in headers


UPGRADE = (b"GET /live HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


@pytest.mark.parametrize("request_, want", [
    (ASKED + b"\r\n", 200),
    (b"GET /later/given HTTP/1.1\r\n" + HOST + b"\r\n", 202),
    (b"GET /stream/lines HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    (b"OPTIONS /asked HTTP/1.1\r\n" + HOST + PREFLIGHT, 204),
    (b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    (b"PUT /asked HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"GET /things/%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 505),
    (b"nonsense\r\n\r\n", 400),
    (UPGRADE, 101),
], ids=lambda value: str(value) if isinstance(value, int) else None)
def test_security_headers_are_on_every_answer(port, request_, want):
    status, headers, _ = ask(port, request_)
    assert status == want
    assert headers["x-frame-options"] == "DENY" and headers["referrer-policy"] == "no-referrer"
