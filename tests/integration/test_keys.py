# SPDX-License-Identifier: Apache-2.0
"""Who may do what: keys that are wrong, expired or revoked; scopes; an admin key; a deleted tenant."""
import uuid

import pytest
import requests

from gateway_rig import JOBS, Caller, check_problem, drain, known
from harness.until import until


@pytest.fixture(scope="module")
def admin(gateway, control, acme):
    control.tenant("other")
    return known(Caller(gateway, control.key(None, ["admin"])))


BAD_KEYS = [None, "", "Bearer", "Bearer wk_short", "Basic YTpi", "Bearer wk_aaaaaaaa_" + "a" * 43,
            "Bearer wk_AAAAAAAA_" + "a" * 43, "Bearer " + "x" * 5000, "wk_aaaaaaaa_" + "a" * 43]


@pytest.mark.parametrize("header", BAD_KEYS)
def test_bad_keys(gateway, header):
    headers = {} if header is None else {"Authorization": header}
    answer = requests.post(gateway.url + JOBS, json={"type": "noop"}, headers=headers, timeout=20)
    given = (header or "").startswith("Bearer ")
    known_form = header == "Bearer wk_aaaaaaaa_" + "a" * 43
    check_problem(answer, 401, words="is unknown" if known_form else
                  "is no API key: one is wk_, 8 characters" if given else "an API key is required")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_wrong_secret_expired_revoked(gateway, control, acme):
    key = acme.headers["Authorization"].split()[1]
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    check_problem(Caller(gateway, wrong).submit(), 401)
    past = control.key("acme", ["submit"], expires=1000)
    revoked = control.key("acme", ["submit"], revoked=True)
    last = known(Caller(gateway, control.key("acme", ["submit"])))
    assert last.submit().status_code == 202
    for bad in (past, revoked):
        check_problem(Caller(gateway, bad).submit(), 401)


def test_key_stops_when_revoked(gateway, control):
    text = control.key("acme", ["submit"])
    caller = known(Caller(gateway, text))
    control.publish({"record": "apikey", "key": text.split("_")[1], "tenant": "acme", "sha256": "0" * 64,
                     "scopes": ["submit"], "expires": None, "revoked": True})
    until(lambda: caller.submit().status_code == 401, what="key revoked")


def test_scopes(gateway, control, services):
    submit = known(Caller(gateway, control.key("acme", ["submit"])))
    read = known(Caller(gateway, control.key("acme", ["read"])))
    assert submit.submit().status_code == 202
    check_problem(submit.get(JOBS), 403)
    check_problem(read.submit(), 403)
    assert read.get(JOBS).status_code == 200
    check_problem(read.post(f"/api/v1/dlq/{uuid.uuid4()}/requeue"), 403)
    for method, path in (("GET", ""), ("POST", ""), ("PATCH", "/acme"), ("DELETE", "/acme"),
                         ("POST", "/acme/keys"), ("DELETE", "/acme/keys/abcd1234")):
        check_problem(read.request(method, "/api/v1/tenants" + path), 403)
    assert not any("tenants" in asked["path"] for asked in services[0].asked)


def test_admin_submits_for_a_tenant(admin, node):
    check_problem(admin.submit(), 422, "/tenant_id", "required")
    check_problem(admin.submit(tenant_id="nobody"), 422, "/tenant_id", "no such tenant")
    job = admin.submit(tenant_id="other").json()
    assert job["tenant"] == "other"
    connection = node.connect()
    (_, properties, _), = drain(connection.channel(), "other")
    connection.close()
    assert properties.message_id == job["id"]


def test_deleted_tenant(gateway, control):
    control.tenant("gone")
    caller = known(Caller(gateway, control.key("gone", ["submit"])))
    assert caller.submit().status_code == 202
    control.tenant("gone", deleted=True)
    until(lambda: caller.submit().status_code == 401, what="tenant deleted")
