# SPDX-License-Identifier: Apache-2.0
"""The gateway's requests to the services behind it, and how it passes on their answers."""
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway_rig import Caller, Control, Gateway, Service, check_problem, known
from harness.until import until

ID = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"


@pytest.fixture(scope="module")
def callers(gateway, control):
    control.tenant("acme")
    return {"acme": known(Caller(gateway, control.key("acme", ["read", "operate"]))),
            "admin": known(Caller(gateway, control.key(None, ["admin"])))}


STATUS, DLX = 0, 1
FORWARDED = [
    ("acme", "GET", "/jobs", STATUS, "tenant=acme"),
    ("acme", "GET", "/jobs?status=dead&q=a%20b%26tenant%3Dx", STATUS,
     "tenant=acme&status=dead&q=a%20b%26tenant%3Dx"),
    ("acme", "GET", "/jobs?tenant=acme&limit=5", STATUS, "tenant=acme&limit=5"),
    ("admin", "GET", "/jobs", STATUS, "tenant=%2A"),
    ("admin", "GET", "/jobs?tenant=*", STATUS, "tenant=%2A"),
    ("admin", "GET", "/jobs?limit=5&tenant=acme", STATUS, "tenant=acme&limit=5"),
    ("acme", "GET", f"/jobs/{ID}", STATUS, "tenant=acme"),
    ("acme", "GET", f"/jobs/{ID}?wait=2s", STATUS, "tenant=acme&wait=2s"),
    ("acme", "GET", f"/jobs/{ID}/attempts", STATUS, "tenant=acme"),
    ("acme", "GET", f"/jobs/{ID}/events", STATUS, "tenant=acme"),
    ("acme", "GET", f"/jobs/{ID}/payload", STATUS, "tenant=acme"),
    ("acme", "GET", "/lookup?q=0190aaaa", STATUS, "tenant=acme&q=0190aaaa"),
    ("acme", "GET", "/stats", STATUS, "tenant=acme"),
    ("acme", "GET", "/dlq?reason=poison", DLX, "tenant=acme&reason=poison"),
    ("acme", "GET", "/dlq/groups", DLX, "tenant=acme"),
    ("acme", "GET", f"/dlq/{ID}", DLX, "tenant=acme"),
    ("acme", "POST", f"/dlq/{ID}/requeue", DLX, "tenant=acme"),
    ("admin", "GET", "/tenants", STATUS, "tenant=%2A"),
    ("admin", "POST", "/tenants", STATUS, "tenant=%2A"),
    ("admin", "GET", "/tenants/acme", STATUS, "tenant=%2A"),
    ("admin", "PATCH", "/tenants/acme", STATUS, "tenant=%2A"),
    ("admin", "DELETE", "/tenants/acme", STATUS, "tenant=%2A"),
    ("admin", "POST", "/tenants/acme/keys", STATUS, "tenant=%2A"),
    ("admin", "DELETE", "/tenants/acme/keys/abcd1234", STATUS, "tenant=%2A"),
    ("admin", "GET", "/keys", STATUS, "tenant=%2A"),
    ("admin", "GET", "/keys?tenant=acme", STATUS, "tenant=acme"),
    ("admin", "POST", "/keys/abcd1234/rotate", STATUS, "tenant=%2A"),
    ("admin", "DELETE", "/keys/abcd1234", STATUS, "tenant=%2A"),
]


@pytest.mark.parametrize("who,method,path,service,query", FORWARDED, ids=[f"{r[0]} {r[1]} {r[2]}" for r in FORWARDED])
def test_forwarded(callers, services, who, method, path, service, query):
    body = {"a": 0.1} if method in ("POST", "PATCH") else None
    answer = callers[who].request(method, "/api/v1" + path, json=body)
    internal = "/internal/v1" + path.split("?")[0]
    assert (answer.status_code, answer.json()) == (200, {"path": internal})
    asked = services[service].asked[-1]
    assert (asked["method"], asked["path"], asked["query"]) == (method, internal, query)
    assert asked["headers"]["Authorization"] == "Bearer internal-secret"
    assert asked["headers"]["traceparent"] == answer.headers["traceparent"]
    assert asked["body"] == (b'{"a": 0.1}' if body else b"")


def test_few_connections_are_kept(callers, services):
    """A service has few threads, and an unused connection may hold one of them."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: callers["acme"].get("/api/v1/dlq").status_code, range(60)))
    assert answers == [200] * 60
    until(lambda: len(services[DLX].connections) <= 4, 15, "the gateway closes what it does not keep")
    assert callers["acme"].get("/api/v1/dlq").status_code == 200


@pytest.mark.parametrize("query", ["tenant=other", "tenant=*", "tenant=%2A", "%74enant=other", "limit=1&tenant=other"])
def test_another_tenant_is_refused(callers, services, query):
    before = len(services[STATUS].asked)
    check_problem(callers["acme"].get("/api/v1/jobs?" + query), 403, words="another tenant")
    assert len(services[STATUS].asked) == before


@pytest.mark.parametrize("query", ["tenant=acme&tenant=other", "a=1&a=2", "a=%00", "tenant="])
def test_bad_query(callers, query):
    check_problem(callers["acme"].get("/api/v1/jobs?" + query), 400)


@pytest.mark.parametrize("path", ["/jobs/7", "/jobs/..%2Ftenants", f"/jobs/{ID}x", "/jobs/%2e%2e/attempts",
                                  "/dlq/x", f"/jobs/{ID}/nothing", "/nothing", ""])
def test_bad_ids_are_not_there(callers, services, path):
    before = len(services[STATUS].asked) + len(services[DLX].asked)
    check_problem(callers["acme"].get("/api/v1" + path), 404)
    assert len(services[STATUS].asked) + len(services[DLX].asked) == before


@pytest.mark.parametrize("path", ["/tenants/No", "/tenants/acme/keys/short", "/tenants/warren-x"])
def test_bad_names_are_not_there(callers, path):
    check_problem(callers["admin"].delete("/api/v1" + path), 404)


@pytest.mark.parametrize("wait", ["61s", "soon", "-1", ""])
def test_bad_wait(callers, wait):
    check_problem(callers["acme"].get(f"/api/v1/jobs/{ID}?wait={wait}"), 400, words="wait")


@pytest.mark.parametrize("query", ["mask=a", "one=true", "one=", "wait=1s&one=x"])
def test_internal_parameters(callers, services, query):
    before = len(services[STATUS].asked)
    for caller in callers.values():
        check_problem(caller.get(f"/api/v1/jobs/{ID}?{query}"), 400, words="is not known here")
    assert len(services[STATUS].asked) == before


def test_answers_pass(callers, services):
    path = f"/internal/v1/jobs/{ID}"
    problem = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no such job",
               "instance": path, "extra": 1}
    services[STATUS].answers[("GET", path)] = (404, problem)
    answer = callers["acme"].get(f"/api/v1/jobs/{ID}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == dict(problem, instance=f"/api/v1/jobs/{ID}")
    services[STATUS].answers[("GET", path)] = (503, dict(problem, status=503))
    answer = callers["acme"].get(f"/api/v1/jobs/{ID}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    services[STATUS].answers[("GET", path)] = (503, dict(problem, status=503, patience=False))
    answer = callers["acme"].get(f"/api/v1/jobs/{ID}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    del services[STATUS].answers[("GET", path)]
    services[STATUS].answers[("DELETE", "/internal/v1/tenants/acme")] = (204, None)
    answer = callers["admin"].delete("/api/v1/tenants/acme")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers


def test_refused_token_is_no_answer_of_the_clients(callers, services):
    services[STATUS].answers[("GET", "/internal/v1/stats")] = (401, {"status": 401})
    answer = callers["acme"].get("/api/v1/stats")
    del services[STATUS].answers[("GET", "/internal/v1/stats")]
    check_problem(answer, 503, words="status-store")
    assert "WWW-Authenticate" not in answer.headers


@pytest.fixture()
def job(services):
    """Makes the services know the job: its status; its letter, of that run; how a forget is answered."""
    def known_as(status, letter=None, forget=(204, None)):
        services[STATUS].answers[("GET", f"/internal/v1/jobs/{ID}")] = (
            (200, {"id": ID, "tenant": "acme", "status": status, "run": 2}) if status else
            (404, {"status": 404}))
        services[STATUS].answers[("DELETE", f"/internal/v1/jobs/{ID}")] = forget
        services[DLX].answers[("GET", "/internal/v1/dlq")] = (
            200, {"letters": [{"id": ID, "run": letter}] if letter else []})
        services[DLX].answers[("DELETE", f"/internal/v1/dlq/jobs/{ID}")] = (204, None)
    yield known_as
    for service in (services[STATUS], services[DLX]):
        service.answers.clear()


def calls_of(service, method):
    return [(asked["path"], asked["query"]) for asked in service.asked if asked["method"] == method]


@pytest.mark.parametrize("status,letter,forget,query,deletes", [
    ("dead", 2, 204, "letter=archived&tenant=acme", True), ("dead", 1, 409, "tenant=acme", False),
    ("dead", None, 409, "tenant=acme", False), ("completed", None, 204, "tenant=acme", True),
    (None, None, 404, "tenant=acme", True), ("running", None, 503, "tenant=acme", False)])
def test_the_primary_decides_on_a_forget(callers, services, job, status, letter, forget, query, deletes):
    """Letters are deleted when it has forgotten the job, or knows none."""
    job(status, letter, (forget, {"status": forget} if forget != 204 else None))
    before = [len(calls_of(service, "DELETE")) for service in services]
    assert callers["acme"].delete(f"/api/v1/jobs/{ID}").status_code == forget
    assert calls_of(services[STATUS], "DELETE")[before[STATUS]:] == [(f"/internal/v1/jobs/{ID}", query)]
    assert len(calls_of(services[DLX], "DELETE")) - before[DLX] == (1 if deletes else 0)
    check_problem(callers["acme"].delete(f"/api/v1/jobs/{ID}?letter=archived"), 400)


def test_an_unknown_job_is_forgotten_of_a_named_tenant(callers, services, job):
    """Its letters may be those of several tenants."""
    job(None, None, (404, {"status": 404}))
    before = [len(calls_of(service, "DELETE")) for service in services]
    for query in ("", "?tenant=*"):
        refused = check_problem(callers["admin"].delete(f"/api/v1/jobs/{ID}{query}"), 409, words="?tenant=")
        assert refused["type"] == "urn:warren:problem:tenant-needed"
    assert [len(calls_of(service, "DELETE")) for service in services] == before
    assert callers["admin"].delete(f"/api/v1/jobs/{ID}?tenant=acme").status_code == 404
    assert calls_of(services[DLX], "DELETE")[before[DLX]:] == [(f"/internal/v1/dlq/jobs/{ID}", "tenant=acme")]


def test_a_retry_has_no_members(callers, services, job):
    job("dead", 2)
    before = len(services[DLX].asked)
    path = f"/api/v1/jobs/{ID}/retry"
    check_problem(callers["acme"].post(path, json={"payload": 1}), 422)
    check_problem(callers["acme"].post(path + "?priority=high"), 400)
    check_problem(callers["acme"].post(path, data="x", headers={"Content-Type": "text/plain"}), 415)
    assert len(services[DLX].asked) == before
    assert callers["acme"].post(path, json={}).status_code == 200
    assert services[DLX].asked[-1]["path"] == f"/internal/v1/dlq/{ID}/requeue"


def test_no_answer_to_an_act(callers, services):
    """It may have been begun; what only reads was not."""
    path = f"/internal/v1/jobs/{ID}"
    services[STATUS].answers.update({("POST", path + "/cancel"): (None, None), ("GET", path): (None, None)})
    answer = callers["acme"].post(f"/api/v1/jobs/{ID}/cancel")
    check_problem(answer, 503, words="status-store")
    assert answer.json()["accepted"] == "unknown"
    assert "accepted" not in callers["acme"].get(f"/api/v1/jobs/{ID}").json()
    services[STATUS].answers.clear()


def test_head(callers):
    answer = callers["acme"].head("/api/v1/stats")
    assert answer.status_code == 200 and answer.content == b""
    assert int(answer.headers["Content-Length"]) > 0


def test_body_without_meaning(callers):
    check_problem(callers["acme"].request("GET", "/api/v1/jobs", json={}), 400)
    check_problem(callers["acme"].post(f"/api/v1/dlq/{ID}/requeue", data="x", headers={"Content-Type": "text/plain"}), 415)


def test_service_away(node, services, tmp_path):
    gone = Service()
    gone.shutdown()
    gone.server_close()
    gateway = Gateway(node, tmp_path, gone, services[DLX]).wait_ready()
    control = Control(node)
    control.tenant("lonely")
    caller = Caller(gateway, control.key("lonely", ["submit", "read"]))
    until(lambda: caller.submit().status_code == 202, what="submitting needs no status-store")
    answer = caller.get(f"/api/v1/jobs/{uuid.uuid4()}")
    check_problem(answer, 503, words="status-store")
    assert int(answer.headers["Retry-After"]) >= 1
    caller = Caller(gateway, control.key("lonely", ["operate"]))
    until(lambda: caller.post(f"/api/v1/jobs/{ID}/cancel").status_code == 503, what="the key is known")
    assert "accepted" not in caller.post(f"/api/v1/jobs/{ID}/cancel").json()
    assert gateway.stop() == 0
