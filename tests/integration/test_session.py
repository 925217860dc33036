# SPDX-License-Identifier: Apache-2.0
"""Logins of browsers: a session in a cookie, which ends with its key; failed logins are slowed."""
import http.client
import itertools
import json
import time

import pytest
import requests

from gateway_rig import JOBS, Caller, Gateway, check_problem, known
from harness.until import until

SESSION = "/api/v1/session"
WRONG = "wk_aaaaaaaa_" + "a" * 43
OWN = {"X-Warren": "1"}
TLS = {"X-Forwarded-Proto": "https"}
addresses = (f"192.0.2.{n}" for n in itertools.count(1))


def call(gateway, method, path=SESSION, cookie=None, **headers):
    if cookie is not None:
        headers["Cookie"] = cookie
    body = headers.pop("json", None)
    return requests.request(method, gateway.url + path, json=body, headers=headers, timeout=20)


def login(gateway, key, address=None, **headers):
    """A login of an address that has not failed before."""
    return call(gateway, "POST", json={"key": key}, **{"X-Forwarded-For": address or next(addresses), **headers})


def cookie_of(answer):
    """name=value, and the attributes."""
    parts = answer.headers["Set-Cookie"].split("; ")
    return parts[0], set(parts[1:])


@pytest.fixture(scope="module")
def key(gateway, control):
    control.tenant("acme")
    text = control.key("acme", ["submit", "read"])
    known(Caller(gateway, text))
    return text


@pytest.fixture(scope="module")
def cookie(gateway, key):
    return cookie_of(login(gateway, key))[0]


def test_login(gateway, key):
    answer = login(gateway, key)
    assert answer.status_code == 201
    said = answer.json()
    assert (said["tenant"], said["scopes"], said["key"]) == ("acme", ["submit", "read"], key.split("_")[1])
    value = cookie_of(answer)[0]
    shown = call(gateway, "GET", cookie=value)
    assert (shown.status_code, shown.json()) == (200, said)
    assert "Set-Cookie" not in shown.headers  # younger than an hour
    assert call(gateway, "GET", JOBS, cookie=value).status_code == 200
    assert call(gateway, "GET", JOBS, cookie=f"other=1; {value}").status_code == 200
    check_problem(call(gateway, "GET", JOBS, cookie=f"{value}; {value}"), 401, words="two cookies")


def test_cookie_attributes(gateway, key):
    value, attributes = cookie_of(login(gateway, key))
    assert value.startswith(f"warren=1.{key.split('_')[1]}.")
    assert attributes == {"Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=" + max_age(attributes)}
    assert 12 * 3600 - 60 < int(max_age(attributes)) <= 12 * 3600


def max_age(attributes):
    return next(a.split("=")[1] for a in attributes if a.startswith("Max-Age="))


def test_secure_behind_tls(gateway, key):
    value, attributes = cookie_of(login(gateway, key, **TLS))
    assert value.startswith("__Host-warren=") and "Secure" in attributes and "Path=/" in attributes
    assert call(gateway, "GET", cookie=value, **TLS).status_code == 200
    assert call(gateway, "GET", cookie=value).status_code == 401  # a cookie of TLS counts over TLS only
    assert call(gateway, "GET", cookie=value.removeprefix("__Host-"), **TLS).status_code == 401


def test_write_needs_header(gateway, cookie):
    job = {"type": "noop"}
    problem = check_problem(call(gateway, "POST", JOBS, cookie, json=job), 403, words="X-Warren")
    assert problem["type"] == "urn:warren:problem:cross-site"
    check_problem(call(gateway, "POST", JOBS, cookie, json=job, **{"X-Warren": "0"}), 403)
    assert call(gateway, "POST", JOBS, cookie, json=job, **OWN).status_code == 202
    check_problem(call(gateway, "GET", "/api/v1/tenants", cookie), 403)
    assert call(gateway, "HEAD", JOBS, cookie).status_code == 200


def test_a_key_wins_over_a_cookie(gateway, cookie, control):
    other = control.key("acme", ["submit"])
    known(Caller(gateway, other))
    bearer = {"Authorization": f"Bearer {other}"}
    assert call(gateway, "GET", JOBS, cookie, **bearer).status_code == 403
    assert call(gateway, "GET", cookie=cookie, Authorization=f"Bearer {WRONG}").status_code == 401
    assert call(gateway, "POST", JOBS, cookie, json={"type": "noop"}, **bearer).status_code == 202
    shown = call(gateway, "GET", **bearer)
    assert (shown.status_code, shown.json()["key"], shown.json()["expires"]) == (200, other.split("_")[1], None)


def test_forged(gateway, cookie):
    for bad in (cookie[:-1] + ("A" if cookie[-1] != "A" else "B"), cookie[:-1], "warren=", "warren=1.2.3.4.5",
                cookie.replace("=1.", "=2.")):
        answer = call(gateway, "GET", JOBS, cookie=bad)
        check_problem(answer, 401)
        value, attributes = cookie_of(answer)  # it is of no use: the browser drops it
        assert value == "warren=" and "Max-Age=0" in attributes
    assert "Set-Cookie" not in call(gateway, "GET", JOBS).headers


def test_logout(gateway, cookie):
    check_problem(call(gateway, "DELETE", cookie=cookie), 403)
    answer = call(gateway, "DELETE", cookie=cookie, **OWN)
    assert answer.status_code == 204
    value, attributes = cookie_of(answer)
    assert value == "warren=" and {"Max-Age=0", "HttpOnly"} <= attributes


def test_ends_with_its_key(gateway, control, key):
    text = control.key("acme", ["read"])
    known(Caller(gateway, text))
    value = cookie_of(login(gateway, text))[0]
    assert call(gateway, "GET", cookie=value).status_code == 200
    control.publish({"record": "apikey", "key": text.split("_")[1], "tenant": "acme", "sha256": "0" * 64,
                     "scopes": ["read"], "expires": None, "revoked": True})
    until(lambda: call(gateway, "GET", cookie=value).status_code == 401, what="the session ended")


def test_ends_when_its_key_expires(gateway, control, key):
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    text = control.key("acme", ["read"], expires=int(time.time() + 3600) * 1000)
    known(Caller(gateway, text))
    answer = login(gateway, text)
    assert answer.json()["expires"] <= ends
    assert int(max_age(cookie_of(answer)[1])) <= 3600


def test_ends_with_its_tenant(gateway, control):
    control.tenant("leaving")
    text = control.key("leaving", ["read"])
    known(Caller(gateway, text))
    value = cookie_of(login(gateway, text))[0]
    assert call(gateway, "GET", JOBS, value).status_code == 200
    control.tenant("leaving", deleted=True)
    until(lambda: call(gateway, "GET", JOBS, value).status_code == 401, what="the session ended")


def test_two_gateways_share(gateway, cookie, node, services, tmp_path):
    other = Gateway(node, tmp_path, *services).wait_ready()
    try:
        until(lambda: call(other, "GET", cookie=cookie).status_code == 200, what="the other gateway takes it")
    finally:
        assert other.stop() == 0


@pytest.mark.parametrize("body, status", [
    (None, 415), ({}, 422), ({"key": 5}, 422), ({"key": "a" * 500}, 422), ([], 422),
    ({"key": ""}, 401), ({"key": WRONG}, 401), ({"key": "a", "more": 1}, 422),
])
def test_refused_bodies(gateway, body, status):
    answer = call(gateway, "POST", json=body, **{"X-Forwarded-For": next(addresses)})
    check_problem(answer, status)
    assert "Set-Cookie" not in answer.headers


def test_failed_logins_slowed(gateway, key):
    address = next(addresses)
    for _ in range(4):
        check_problem(login(gateway, WRONG, address), 401)
    slowed = login(gateway, key, address)  # the right key: it is not looked at
    check_problem(slowed, 429)
    assert slowed.headers["Retry-After"] == "1"
    assert login(gateway, key).status_code == 201  # another address
    until(lambda: login(gateway, WRONG, address).status_code == 401, 5, "it may try again")
    assert login(gateway, key, address).headers["Retry-After"] == "2"
    until(lambda: login(gateway, key, address).status_code == 201, 5, "it may try again")
    assert login(gateway, key, address).status_code == 201  # a success ends it
    assert requests.get(gateway.url + JOBS, headers={"Authorization": f"Bearer {WRONG}"},
                        timeout=20).status_code == 401  # keys in the header are not slowed


def login_through_two(gateway, key, first, second):
    """The status of a login with two headers X-Forwarded-For."""
    body = json.dumps({"key": key}).encode()
    connection = http.client.HTTPConnection(gateway.url.split("//")[1], timeout=20)
    connection.putrequest("POST", SESSION)
    for name, value in (("X-Forwarded-For", first), ("X-Forwarded-For", second),
                        ("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_forged_forwarded_for(gateway, node, services, key, tmp_path):
    """Of a proxy that is trusted only the address that it has added itself counts."""
    address = next(addresses)
    for n in range(4):
        check_problem(login(gateway, WRONG, f"198.51.100.{n}, {address}"), 401)
    check_problem(login(gateway, key, address), 429)
    assert login_through_two(gateway, WRONG, "198.51.100.9", address) == 429  # as a header of its own
    assert login_through_two(gateway, key, address, next(addresses)) == 201
    alone = Gateway(node, tmp_path, *services, trusted_proxies="10.0.0.1").wait_ready()
    try:
        until(lambda: login(alone, key).status_code == 201, what="the key known")
        for _ in range(4):
            check_problem(login(alone, WRONG), 401)
        check_problem(login(alone, key), 429)
        assert "Strict-Transport-Security" not in call(alone, "GET", **TLS).headers
    finally:
        assert alone.stop() == 0
