# SPDX-License-Identifier: Apache-2.0
"""Which pages may use the API (CORS), and the headers for browsers, on every kind of answer."""
import socket
import subprocess

import pytest
import requests

from gateway_rig import BIN, JOBS, Gateway

UI = "https://ui.example"
PORT = "http://localhost:3000"
ALIKE = ["https://ui.example.evil", "https://ui.example:443", "https://UI.example", "http://ui.example",
         "https://ui.example/", "ui.example", "null", "*", "", f"{UI},{PORT}", f"{UI} {PORT}"]
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
SECURITY = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
            "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


@pytest.fixture(scope="module")
def page(node, services, tmp_path_factory):
    """A gateway whose API two origins may use."""
    program = Gateway(node, tmp_path_factory.mktemp("cors"), *services,
                      cors_origins=f"{UI}, {PORT}").wait_ready()
    yield program
    assert program.stop() == 0


def get(gateway, origin=None, path=JOBS, method="GET", **headers):
    if origin is not None:
        headers["Origin"] = origin
    return requests.request(method, gateway.url + path, headers=headers, timeout=20)


@pytest.mark.parametrize("origin", [UI, PORT])
def test_a_listed_origin(page, acme, origin):
    for answer in (get(page, origin, **acme.headers), get(page, origin), get(page, origin, "/nowhere"),
                   get(page, origin, method="DELETE")):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", [None, *ALIKE])
def test_other_origins(page, origin):
    for answer in (get(page, origin), get(page, origin, method="OPTIONS", **PREFLIGHT)):
        assert answer.status_code in (401, 405)
        assert not any(name.startswith("Access-Control") for name in answer.headers)
        assert answer.headers["Vary"] == "Origin"


def test_preflight(page):
    answer = get(page, UI, "/api/v1/tenants/acme", "OPTIONS", **PREFLIGHT)
    assert (answer.status_code, answer.text) == (204, "")
    assert answer.headers["Access-Control-Allow-Origin"] == UI
    methods = answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert {"GET", "PATCH", "DELETE"} <= set(methods)
    assert "X-Warren" in answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert get(page, UI, method="OPTIONS").status_code == 405
    assert get(page, UI, "/nowhere", "OPTIONS", **PREFLIGHT).status_code == 404


def test_without_a_list(gateway):
    answer = get(gateway, UI)
    assert "Vary" not in answer.headers and "Access-Control-Allow-Origin" not in answer.headers
    assert get(gateway, UI, method="OPTIONS", **PREFLIGHT).status_code == 405


def test_one_header_on_a_submission(page, acme):
    answer = requests.post(page.url + JOBS, json={"type": "noop"}, timeout=20,
                           headers={**acme.headers, "Origin": UI})
    assert answer.status_code == 202
    assert answer.headers["Access-Control-Allow-Origin"] == UI  # two would be joined by a comma


@pytest.mark.parametrize("listed", ["*", "null", "https://ui.example/", "ui.example", "https://", "https://UI.example"])
def test_refused_lists(node, services, tmp_path, listed):
    ended = subprocess.run(
        [BIN / "warren-gateway", f"--cors_origins={listed}", f"--amqp_urls={node.url}",
         f"--amqp_password_file={node.password_file('warren-gateway')}",
         f"--internal_token_file={node.password_file('warren-gateway')}", "--port=0", "--health_port=0"],
        capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0 and "cors_origins" in ended.stderr


def raw(gateway, text):
    """The head of the answer to raw bytes, as a dict of headers, and its status."""
    host, port = gateway.url.split("//")[1].split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(text)
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            assert piece, data
            data += piece
    lines = data.split(b"\r\n\r\n")[0].decode().split("\r\n")
    return int(lines[0].split()[1]), requests.structures.CaseInsensitiveDict(
        line.split(": ", 1) for line in lines[1:])


def check_security(headers):
    for name, value in SECURITY.items():
        assert headers[name] == value


@pytest.mark.parametrize("method, path, body, status", [
    ("GET", JOBS, None, 200), ("POST", JOBS, {"type": "noop"}, 202), ("POST", JOBS, {"type": 5}, 422),
    ("GET", "/nowhere", None, 404), ("PUT", JOBS, None, 405), ("HEAD", JOBS, None, 200),
    ("POST", JOBS, {"type": "noop", "payload": "a" * 400_000}, 413),
])
def test_security_headers(gateway, acme, method, path, body, status):
    answer = acme.request(method, path, json=body)
    assert answer.status_code == status
    check_security(answer.headers)
    assert "Strict-Transport-Security" not in answer.headers


def test_security_headers_while_a_service_is_away(acme, services):
    services[0].answers["GET", "/internal/v1/jobs"] = (None, None)
    answer = acme.get(JOBS)
    del services[0].answers["GET", "/internal/v1/jobs"]
    assert answer.status_code == 503
    check_security(answer.headers)


@pytest.mark.parametrize("text, status", [
    (b"nonsense\r\n\r\n", 400), (b"GET /api/v1/jobs HTTP/1.1\r\nHost: a\r\n\r\n", 401),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 100 + b"\r\n", 431),
], ids=["nonsense", "no key", "too many headers"])
def test_security_headers_of_refusals(gateway, text, status):
    got, headers = raw(gateway, text)
    assert got == status
    check_security(headers)


def test_strict_transport_behind_tls(gateway):
    answer = get(gateway, **{"X-Forwarded-Proto": "https"})
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    check_security(answer.headers)
