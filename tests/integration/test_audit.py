# SPDX-License-Identifier: Apache-2.0
"""The audit: every administrative act, with who did it, from where, and what came of it."""
import pathlib
import re
import sqlite3
import uuid

import pytest

from cli_rig import Cli
from harness.api import Api
from harness.broker import ROOT
from harness.until import until


def act_routes():
    """(method, path, act) of the gateway's table."""
    text = (pathlib.Path(ROOT) / "gateway/routes.c").read_text(encoding="utf-8")
    found = re.findall(r'ACT(?:_ALONE)?\(\s*"(\w+)",\s*"([^"]+)",[^;]*?"([a-z_]+\.[a-z_]+)"\s*\)', text)
    found += re.findall(r'\{\{"(\w+)", "([^"]+)", [^}]*\},\s*"([a-z_]+\.[a-z_]+)"', text)
    found += [("POST", *bulk) for bulk in re.findall(r'BULK_ACT\("([^"]+)", "([^"]+)"\)', text)]
    assert len(found) >= text.count("ACT(\"") + text.count("ACT_ALONE(\"")
    return found


def acts(api, **filters):
    answer = api.request("GET", "/audit", params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()["acts"]


def one_act(api, trace=None, **filters):
    """The newest act of these filters, and of that trace, once its end is known."""
    def found():
        of_trace = [a for a in acts(api, **filters) if trace in (None, a["trace_id"])]
        return of_trace[0] if of_trace and of_trace[0]["status"] else None

    return until(found, 30, f"the act {filters}")


def traced():
    """A trace, and the header that begins it."""
    trace = uuid.uuid4().hex
    return trace, {"traceparent": f"00-{trace}-{'1' * 16}-01"}


def key_id(api):
    return api.key.split("_")[1]


def new_key(warren, tenant, *scopes, **members):
    made = warren.admin.request("POST", f"/tenants/{tenant}/keys", json={"scopes": scopes, **members})
    assert made.status_code == 201, made.text
    api = warren.tenant(tenant).api.with_key(made.json()["key"])
    until(lambda: api.request("GET", "/jobs?limit=1").status_code == 200, 30, "the key is known")
    return api


@pytest.mark.parametrize("method, path, act", act_routes())
def test_every_act_is_there(warren, method, path, act):
    warren.tenant("acme")
    if path == "/api/v1/session":
        return  # test_login
    trace, headers = traced()
    target = path.removeprefix("/api/v1").replace("{t}", "nobody").replace("{type}", "nothing")
    target = target.replace("{key}", "aaaaaaaa").replace("{id}", str(uuid.uuid4()))
    options = {"json": {"x": 1}} if method in ("POST", "PATCH") else {}
    answer = warren.admin.request(method, target, headers=headers, **options)
    found = one_act(warren.admin, trace, what=f"{act}*")  # "jobs.cancel.preview" without a token
    assert found["status"] == answer.status_code
    assert found["by"] == f"key {key_id(warren.admin)}"
    assert found["target"]


def test_what_it_says(warren):
    warren.tenant("acme")
    trace, headers = traced()
    answer = warren.admin.request("PATCH", "/tenants/acme", json={"max_pending": 77}, headers=headers)
    assert answer.status_code in (200, 202), answer.text
    act = one_act(warren.admin, trace, what="tenant.change", target="tenant/acme")
    assert act["tenant"] == "acme" and act["key_tenant"] is None
    assert act["detail"] == {"max_pending": 77} and act["status"] == answer.status_code
    assert act["origin"] == "127.0.0.1" and act["gateway"].startswith("gateway@")
    assert act["at"] <= act["ended_at"]


def test_a_made_tenant_is_the_target(warren):
    warren.tenant("made")
    act = one_act(warren.admin, what="tenant.create", tenant="made")
    assert act["target"] == "tenant/made" and act["status"] == 201


def test_refused_and_failed_have_status(warren):
    assert warren.admin.request("PATCH", "/tenants/absent", json={"weight": 1}).status_code == 404
    assert one_act(warren.admin, target="tenant/absent")["status"] == 404
    warren.tenant("acme")
    trace, headers = traced()
    answer = warren.admin.request("PATCH", "/tenants/acme", json={"password": uuid.uuid4().hex}, headers=headers)
    assert answer.status_code == 422
    act = one_act(warren.admin, trace, target="tenant/acme", what="tenant.change")
    assert act["status"] == 422 and act["detail"] == {"password": "***"}


def test_never_a_payload(warren):
    api = warren.tenant("acme").api
    id = api.run("fail", {"a": 1}, max_retries=0)["id"]
    (letter,) = until(lambda: api.letters(job=id), 30, "the letter")
    secret = uuid.uuid4().hex
    api.requeue(letter["id"], payload={"note": secret}, priority="high")
    act = one_act(warren.admin, what="letter.requeue", target=f"letter/{letter['id']}")
    assert act["detail"] == {"members": ["payload", "priority"]} and act["status"] == 202
    assert act["tenant"] == act["key_tenant"] == "acme"


def test_an_operators_act_on_a_job_is_the_tenants(warren):
    """An admin key names no tenant; the primary knows whose job it is."""
    id = warren.tenant("acme").api.run("echo", 1)["id"]
    warren.admin.request("POST", f"/jobs/{id.upper()}/cancel", json={})
    assert one_act(warren.admin, target=f"job/{id}", tenant="acme")["what"] == "job.cancel"
    assert acts(warren.admin, target=f"job/{id.upper()}")


def test_an_operators_act_on_a_letter_or_an_operation_is_the_tenants(warren):
    api = warren.tenant("acme").api
    id = api.run("fail", 1, max_retries=0)["id"]
    (letter,) = until(lambda: api.letters(job=id), 30, "the letter")
    assert warren.admin.request("POST", f"/dlq/{letter['id']}/requeue", json={}).status_code == 202
    assert one_act(warren.admin, target=f"letter/{letter['id']}", tenant="acme")["what"] == "letter.requeue"
    preview = api.request("POST", "/jobs/cancel", params={"status": "pending"})
    assert preview.status_code == 200, preview.text
    token = preview.json()["preview"]["token"]
    operation = f"operation/{token}"
    assert one_act(warren.admin, what="jobs.cancel.preview", tenant="acme")["made"] == operation
    assert api.request("POST", "/jobs/cancel", json={"token": token.upper()}).status_code in (202, 200)
    start = one_act(warren.admin, what="jobs.cancel", tenant="acme")
    assert (start["target"], start["detail"], start["made"]) == (operation, None, None)
    warren.admin.request("POST", operation.replace("operation", "/operations") + "/abort", json={})
    assert one_act(warren.admin, target=operation, tenant="acme", what="operation.abort")


def test_a_made_key_is_named(warren):
    warren.tenant("acme")
    made = warren.admin.request("POST", "/tenants/acme/keys", json={"scopes": ["read"]}).json()
    act = one_act(warren.admin, what="key.create", tenant="acme")
    assert act["target"] == "tenant/acme" and act["made"] == f"key/{made['id']}"
    rotated = warren.admin.request("POST", f"/keys/{made['id']}/rotate", json={}).json()
    act = one_act(warren.admin, what="key.rotate", tenant="acme")
    assert act["target"] == f"key/{made['id']}" and act["made"] == f"key/{rotated['id']}"
    assert made["key"] not in str(act) and rotated["key"] not in str(act)


def test_the_first_admin_key_is_an_act(warren):
    act = acts(warren.admin, by="local")[-1]
    assert act["what"] == "key.create" and act["target"] == f"key/{key_id(warren.admin)}"


def test_append_only(warren):
    warren.tenant("acme")
    one_act(warren.admin, what="tenant.create")
    registry = sqlite3.connect(warren.folder / "registry.db", timeout=30)
    for change in ("UPDATE audit SET by = 'x'", "DELETE FROM audit", "UPDATE audit_ends SET status = 200",
                   "DELETE FROM audit_ends"):
        with pytest.raises(sqlite3.IntegrityError):
            registry.execute(change)
        registry.rollback()
    registry.close()


def test_filters_and_pages(warren):
    warren.tenant("acme")
    for _ in range(3):
        trace, headers = traced()
        warren.admin.request("PATCH", "/tenants/acme", json={"weight": 2}, headers=headers)
        one_act(warren.admin, trace)
    everything = acts(warren.admin, limit=500)
    assert [a["id"] for a in everything] == [a["id"] for a in acts(warren.admin, what="*", limit=500)]
    assert {a["what"].split(".")[0] for a in acts(warren.admin, what="tenant.*")} == {"tenant"}
    assert all(a["by"] == f"key {key_id(warren.admin)}" for a in acts(warren.admin, by=key_id(warren.admin)))
    assert acts(warren.admin, by="local", what="tenant.*") == []
    newest = everything[0]["at"]
    assert all(a["at"] < newest for a in acts(warren.admin, before=newest, limit=500))
    assert acts(warren.admin, after=newest) == []
    assert acts(warren.admin, before="1970-01-01T00:00:00Z") == []
    seen, cursor = [], None
    while True:
        page = warren.admin.request("GET", "/audit", params={"limit": 2, "before": newest,
                                                             **({"cursor": cursor} if cursor else {})}).json()
        seen += [a["id"] for a in page["acts"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [a["id"] for a in acts(warren.admin, before=newest, limit=500)]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "cursor=x", "after=x", "unknown=1", "by=",
                                   "view=all", "view=tenant&tenant=acme"])
def test_bad_queries(warren, query):
    assert warren.admin.request("GET", f"/audit?{query}").status_code == 400


def test_tenant_view(warren):
    warren.tenant("other")
    operator = new_key(warren, "acme", "read", "operate")
    reader = new_key(warren, "acme", "read")
    assert reader.request("GET", "/audit").status_code == 403
    trace, headers = traced()
    warren.admin.request("PATCH", "/tenants/acme", json={"weight": 3})
    warren.admin.request("PATCH", "/tenants/other", json={"weight": 3}, headers=headers)
    operator.request("POST", f"/dlq/{uuid.uuid4()}/requeue", json={})
    one_act(warren.admin, trace, what="tenant.change", tenant="other")
    one_act(warren.admin, what="letter.requeue", by=key_id(operator))
    seen = acts(operator, limit=500)
    assert {a["tenant"] for a in seen} == {"acme"}
    changed = next(a for a in seen if a["what"] == "tenant.change")
    assert changed["by"] == "operator" and changed["origin"] is None and changed["key_name"] is None
    own = next(a for a in seen if a["what"] == "letter.requeue")
    assert own["by"] == f"key {key_id(operator)}" and own["origin"] == "127.0.0.1"
    assert acts(operator, by=key_id(warren.admin)) == []
    assert acts(operator, by="operator")
    assert operator.request("GET", "/audit?tenant=other").status_code == 403
    for trick in ("view=all", "view="):
        assert operator.request("GET", f"/audit?{trick}").status_code == 400


def test_an_act_on_another_tenant_is_the_callers(warren):
    """A tenant cannot write into the audit that another one sees."""
    for name in ("acme", "other"):
        warren.tenant(name)
    victim = new_key(warren, "other", "read", "operate")
    operator = new_key(warren, "acme", "read", "operate")
    assert operator.request("POST", "/tenants/other/pause", json={}).status_code == 404
    act = one_act(warren.admin, what="tenant.pause", by=key_id(operator))
    assert act["tenant"] == "acme" and act["target"] == "tenant/other"
    assert acts(victim, what="tenant.pause") == []
    wrong = operator.key[:-1] + ("a" if operator.key[-1] != "a" else "b")
    for key in (wrong, operator.key):
        answer = warren.anonymous().request("POST", "/session?tenant=other", json={"key": key})
        assert answer.status_code == 400
        assert warren.anonymous().request("POST", "/session", json={"key": key}).status_code in (201, 401)
    assert operator.request("GET", "/session?tenant=other").status_code == 400
    assert operator.request("DELETE", "/session?tenant=other", headers={"X-Warren": "1"}).status_code == 400
    assert one_act(warren.admin, what="session.begin", by=key_id(operator))["tenant"] == "acme"
    failed = one_act(warren.admin, what="session.begin", target=f"key/{key_id(operator)}")
    assert (failed["status"], failed["tenant"]) == (401, "acme")  # whose key it is, the primary knows
    assert acts(victim, what="session.*") == []


def test_login(warren):
    """One that is let in, one with a wrong secret; one that names no key that there is is not recorded."""
    key = warren.admin.key
    first = warren.anonymous().request("POST", "/session", json={"key": key})
    if first.status_code == 501:
        pytest.skip("this version has no sessions")
    assert one_act(warren.admin, what="session.begin", by=key_id(warren.admin))["status"] == 201
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    assert warren.anonymous().request("POST", "/session", json={"key": wrong}).status_code == 401
    failed = one_act(warren.admin, what="session.begin", target=f"key/{key_id(warren.admin)}")
    assert failed["status"] == 401 and failed["detail"] is None
    assert failed["by"] is None and failed["key_name"] is None  # it was somebody else
    count = len(acts(warren.admin, what="session.begin"))
    unknown = key.replace(key_id(warren.admin), "zzzzzzzz")
    for nobodys in ("nonsense", unknown):
        warren.anonymous().request("POST", "/session", json={"key": nobodys})
    trace, headers = traced()
    warren.admin.request("PATCH", "/tenants/acme", json={"weight": 4}, headers=headers)
    one_act(warren.admin, trace)
    assert len(acts(warren.admin, what="session.begin")) == count


def test_logout(warren):
    """Of a session. A key in the header has none, so that it cannot fill the audit."""
    warren.tenant("acme")
    api = warren.tenant("acme").api
    own = {"X-Warren": "1"}
    assert api.request("DELETE", "/session", headers=own).status_code == 204
    cookie = api.request("POST", "/session", json={"key": api.key}).headers["Set-Cookie"].split(";")[0]
    ended = warren.anonymous().request("DELETE", "/session", headers={**own, "Cookie": cookie})
    assert ended.status_code == 204
    assert one_act(warren.admin, what="session.end", by=key_id(api))["status"] == 204
    assert len(acts(warren.admin, what="session.end", by=key_id(api))) == 1


def test_failed_logins_have_a_rate(warren):
    """Whoever knows the id of a key cannot fill the audit, from however many addresses."""
    warren.tenant("acme")
    known = new_key(warren, "acme", "read")
    gateway = warren.add_gateway()
    api = Api(f"http://127.0.0.1:{gateway.port}", known.key)
    until(lambda: api.request("GET", "/jobs?limit=1").status_code == 200, 30, "the key is known")
    nobody = Api(api.url, None)
    wrong = {"key": known.key[:-1] + ("a" if known.key[-1] != "a" else "b")}
    for n in range(70):
        answer = nobody.request("POST", "/session", json=wrong, headers={"X-Forwarded-For": f"192.0.2.{n}"})
        assert answer.status_code == 401
    dropped = gateway.metrics().sum("warren_audit_dropped_total", reason="rate")
    assert 1 <= dropped <= 10 and "logins are not recorded" in gateway.log()
    assert nobody.request("POST", "/session", json={"key": known.key}).status_code == 201  # has a rate of its own
    until(lambda: len(acts(warren.admin, what="session.begin", by=key_id(known))) == 1, 30, "the login")
    failed = acts(warren.admin, what="session.begin", target=f"key/{key_id(known)}", limit=500)
    assert len(failed) == 70 - dropped


def test_acts_have_a_rate(warren):
    """One tenant cannot fill the audit, and does not take the turns of others."""
    warren.tenant("hasty")
    operator = new_key(warren, "hasty", "read", "operate")
    gateway = warren.add_gateway(acts_rate=1)
    hasty = Api(f"http://127.0.0.1:{gateway.port}", operator.key)
    until(lambda: hasty.request("GET", "/pauses").status_code == 200, 30, "the key is known")
    answers = [hasty.request("POST", f"/jobs/{uuid.uuid4()}/cancel", json={}) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:4]] == [404] * 4 and refused
    assert refused[0].headers["Retry-After"] == "1" and "acts_rate" in refused[0].json()["detail"]
    assert gateway.metrics().sum("warren_act_requests_refused_total", reason="rate") == len(refused)
    admin = Api(hasty.url, warren.admin.key)
    assert admin.request("POST", "/tenants/hasty/resume", json={}).status_code == 202
    one_act(warren.admin, what="tenant.resume", tenant="hasty")
    assert len(acts(warren.admin, by=key_id(operator))) == 8 - len(refused)


def test_command(warren, tmp_path):
    warren.tenant("acme")
    one_act(warren.admin, what="tenant.create", tenant="acme")
    cli = Cli(warren, warren.tenant("acme").key, tmp_path)
    listed = cli("audit", "--what", "tenant.create", "--tenant", "acme")
    assert listed.returncode == 0, listed.stderr
    assert "tenant.create" in listed.stdout and "tenant/acme" in listed.stdout and "127.0.0.1" in listed.stdout
    local = cli.json("audit", "--by", "local", "--limit", "1", WARREN_API_KEY=None)["acts"]
    assert local[0]["what"] == "key.create"
    assert cli("audit", "--what", "no.such").returncode == 0
    assert cli("audit", "--after", "yesterday").returncode != 0
    assert warren.status_store.metrics().sum("warren_audit_rows") >= 2
