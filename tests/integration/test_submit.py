# SPDX-License-Identifier: Apache-2.0
"""Submitting over HTTP: what is accepted is in the broker as it was sent, what is not is refused
with a clear error that points at the fault."""
import json
import os
import re
import signal
import socket
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from gateway_rig import Control, Gateway, Place, Service, drain
from harness.until import until

JOBS = "/api/v1/jobs"


@pytest.fixture(scope="module")
def node(broker):
    return Place(broker)


@pytest.fixture(scope="module")
def control(node):
    return Control(node)


@pytest.fixture(scope="module")
def services():
    return Service(), Service()


@pytest.fixture(scope="module")
def gateway(node, services, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("gateway"), *services).wait_ready()
    yield program
    assert program.stop() == 0


class Caller(requests.Session):
    def __init__(self, gateway, key, **headers):
        super().__init__()
        self.base = gateway.url
        self.headers.update({"Authorization": f"Bearer {key}", **headers})

    def request(self, method, url, **arguments):
        return super().request(method, self.base + url, timeout=60, **arguments)

    def submit(self, body=None, **members):
        if body is None:
            return self.post(JOBS, json=dict({"type": "noop"}, **members))
        return self.post(JOBS, data=body, headers={"Content-Type": "application/json"})


def known(caller):
    """A key is known when it is not turned away."""
    until(lambda: caller.get(JOBS).status_code != 401, what="key known")
    return caller


@pytest.fixture(scope="module")
def acme(gateway, control):
    control.tenant("acme")
    return known(Caller(gateway, control.key("acme", ["submit", "read", "operate"])))


@pytest.fixture(scope="module")
def admin(gateway, control, acme):
    control.tenant("other")
    return known(Caller(gateway, control.key(None, ["admin"])))


@pytest.fixture()
def queues(node, acme):
    """Acme's queues, empty at first."""
    connection = node.connect()
    channel = connection.channel()
    drain(channel, "acme")
    yield lambda: drain(channel, "acme")
    connection.close()


def check_problem(answer, status, pointer=None, words=""):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["title"]
    assert problem["trace_id"] == answer.headers["traceparent"].split("-")[1]
    assert words in problem["detail"], problem
    if pointer is not None:
        error, = problem["errors"]
        assert error["pointer"] == pointer, problem
        assert error["line"] >= 1 and error["column"] >= 1 and error["detail"]
    return problem


def test_accepted(acme, queues):
    trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    before = int(time.time() * 1000)
    answer = acme.post(JOBS, headers={"traceparent": trace, "Content-Type": "application/json"}, data=json.dumps(
        {"type": "send_email", "priority": "high", "payload": {"to": "a@example.com"},
         "max_retries": 5, "timeout": "20s", "tenant_id": "acme"}))
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert uuid.UUID(job["id"]).version == 7
    assert job == {"id": job["id"], "status": "pending", "run_at": None, "type": "send_email",
                   "priority": "high", "tenant": "acme"}
    assert answer.headers["Location"] == f"{JOBS}/{job['id']}"
    assert answer.headers["traceparent"] == trace
    (lane, properties, body), = queues()
    assert lane == "high" and json.loads(body) == {"to": "a@example.com"}
    assert (properties.message_id, properties.type) == (job["id"], "send_email")
    assert (properties.content_type, properties.delivery_mode) == ("application/json", 2)
    assert properties.user_id == "warren-gateway" and properties.app_id.startswith("gateway@")
    headers = properties.headers
    assert (headers["x-max-retries"], headers["x-timeout-ms"]) == (5, 20000)
    assert headers["traceparent"] == trace
    assert before <= headers["x-submitted-at"] <= headers["x-queued-at"] <= time.time() * 1000


@pytest.mark.parametrize("payload", [
    b"0.1", b"1E400", b"123456789012345678901234567890", b'{ "b" : 1 ,\n"a": -0.0 }',
    b'"\\u0000 \\/ \xc3\xa9"', b"[[],{}]", b"null"])
def test_payload_bytes_are_never_rewritten(acme, queues, payload):
    answer = acme.submit(b'{"payload":  ' + payload + b' ,"type":"noop"}')
    assert answer.status_code == 202, answer.text
    (_, _, body), = queues()
    assert body == payload


@pytest.mark.parametrize("members,lane", [
    ({"priority": 0}, "low"), ({"priority": "critical"}, "critical"), ({}, "medium"),
    ({"timeout": "11m", "priority": "high"}, "long")])
def test_lanes(acme, queues, members, lane):
    assert acme.submit(**members).status_code == 202
    (found, _, _), = queues()
    assert found == lane


@pytest.mark.parametrize("members,bucket", [({"delay": "30s"}, "30s"), ({"delay": 3600}, "1h"),
                                            ({"delay": "40d"}, "30d")])
def test_delays(acme, node, members, bucket):
    before = time.time()
    answer = acme.submit(**members)
    job = answer.json()
    assert (answer.status_code, job["status"]) == (202, "scheduled")
    connection = node.connect()
    method, properties, _ = connection.channel().basic_get(f"delay.{bucket}", auto_ack=True)
    connection.close()
    assert properties.message_id == job["id"] and method.routing_key == "acme.medium"
    run_at = properties.headers["x-run-at"]
    assert abs(run_at / 1000 - before - {"30s": 30, "1h": 3600, "30d": 40 * 86400}[bucket]) < 5
    assert job["run_at"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(run_at // 1000)))


def test_due_too_soon_for_a_delay_exchange_is_pending(acme, queues):
    job = acme.submit(delay=0.09).json()
    (_, properties, _), = queues()
    run_at = properties.headers["x-run-at"]
    assert run_at == properties.headers["x-submitted-at"] + 90
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(run_at // 1000))
    assert (job["status"], job["run_at"]) == ("pending", f"{whole}.{run_at % 1000:03}Z")


def test_run_at_in_the_past_is_now(acme, queues):
    job = acme.submit(run_at="2020-01-01T00:00:00Z").json()
    assert job["status"] == "pending"
    assert queues()[0][1].message_id == job["id"]


REFUSED = [
    ("empty", b"", 400, "", ""),
    ("no JSON", b"nonsense", 400, "", ""),
    ("cut", b'{"type":"noop"', 400, None, ""),
    ("two values", b'{"type":"noop"} {}', 400, "", ""),
    ("NaN", b'{"type":"noop","payload":NaN}', 400, "/payload", ""),
    ("comment", b'{"type":"noop" /* */}', 400, None, ""),
    ("bare NUL", b'{"type":"no\0op"}', 400, "/type", ""),
    ("no UTF-8", b'{"type":"noop","payload":"\xff"}', 400, "/payload", ""),
    ("duplicate", b'{"type":"noop","type":"noop"}', 400, "/type", ""),
    ("duplicate deep in", b'{"type":"noop","payload":{"a":[{"b":1,"\\u0062":2}]}}', 400, "/payload/a/0/b", ""),
    ("depth 10 000", b'{"type":"noop","payload":' + b"[" * 10000 + b"]" * 10000 + b"}", 400, None, ""),
    ("array", b"[]", 422, "", "object"),
    ("no type", b"{}", 422, "/type", "required"),
    ("type number", b'{"type":7}', 422, "/type", "string"),
    ("type odd", b'{"type":"Send Email"}', 422, "/type", ""),
    ("priority", b'{"type":"noop","priority":9}', 422, "/priority", ""),
    ("retries", b'{"type":"noop","max_retries":101}', 422, "/max_retries", ""),
    ("retries text", b'{"type":"noop","max_retries":"3"}', 422, "/max_retries", ""),
    ("timeout", b'{"type":"noop","timeout":"25h"}', 422, "/timeout", ""),
    ("delay", b'{"type":"noop","delay":-1}', 422, "/delay", ""),
    ("delay and run_at", b'{"type":"noop","delay":1,"run_at":"2026-01-01T00:00:00Z"}', 422, "/run_at", "delay"),
    ("unknown member", b'{"type":"noop","colour":"red"}', 422, "/colour", ""),
    ("idempotency_key", b'{"type":"noop","idempotency_key":"a"}', 422, "/idempotency_key", ""),
    ("other tenant", b'{"type":"noop","tenant_id":"other"}', 403, "/tenant_id", "another tenant"),
    ("large payload", b'{"type":"noop","payload":"' + b"a" * 270000 + b'"}', 413, "/payload", ""),
    ("10 MB", b'{"type":"noop","payload":"' + b"a" * 10_000_000 + b'"}', 413, None, ""),
]


@pytest.mark.parametrize("body,status,pointer,words", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused(acme, queues, body, status, pointer, words):
    check_problem(acme.submit(body), status, pointer, words)
    assert queues() == []
    assert acme.submit().status_code == 202


def test_fault_is_located(acme):
    problem = check_problem(acme.submit(b'{"type": "noop",\n "payload": {\n  "a": tru }}'), 400, "/payload/a")
    assert (problem["errors"][0]["line"], problem["errors"][0]["column"]) == (3, 8)
    problem = check_problem(acme.submit(b'{"type": "noop",\n "delay": "soon"}'), 422, "/delay")
    assert (problem["errors"][0]["line"], problem["errors"][0]["column"]) == (2, 11)


def test_idempotency_header_is_refused(acme):
    answer = acme.post(JOBS, json={"type": "noop"}, headers={"Idempotency-Key": '"a"'})
    check_problem(answer, 422, words="Idempotency-Key")


def test_only_json_and_no_query(acme):
    check_problem(acme.post(JOBS, data='{"type":"noop"}', headers={"Content-Type": "text/plain"}), 415)
    check_problem(acme.post(JOBS + "?delay=1", json={"type": "noop"}), 400, words="delay")


def test_chunked_body(acme, queues):
    parts = iter([b'{"type":"no', b'op","payload":[1', b",2]}"])
    answer = acme.post(JOBS, data=parts, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
    assert queues()[0][2] == b"[1,2]"


BAD_KEYS = [None, "", "Bearer", "Bearer wk_short", "Basic YTpi", "Bearer wk_aaaaaaaa_" + "a" * 43,
            "Bearer wk_AAAAAAAA_" + "a" * 43, "Bearer " + "x" * 5000, "wk_aaaaaaaa_" + "a" * 43]


@pytest.mark.parametrize("header", BAD_KEYS)
def test_bad_keys(gateway, header):
    headers = {} if header is None else {"Authorization": header}
    answer = requests.post(gateway.url + JOBS, json={"type": "noop"}, headers=headers, timeout=20)
    check_problem(answer, 401)
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


def test_rate_limit(gateway, control):
    control.tenant("slow", rate={"count": 3, "per": "1h"}, burst=3)
    caller = known(Caller(gateway, control.key("slow", ["submit"])))
    left = []
    for _ in range(3):
        answer = caller.submit()
        assert answer.status_code == 202
        assert answer.headers["RateLimit-Policy"] == '"tenant";q=3;w=3600'
        left.append(re.fullmatch(r'"tenant";r=(\d+);t=(\d+)', answer.headers["RateLimit"]).group(1))
    assert left == ["2", "1", "0"]
    # What is refused for its form takes nothing and still tells.
    refused = {
        422: caller.submit(b"{}"),
        400: caller.post(JOBS + "?x=1", json={"type": "noop"}),
        413: caller.submit(b'{"type":"noop","payload":"' + b"a" * 300000 + b'"}'),
        415: caller.post(JOBS, data="{}", headers={"Content-Type": "text/plain"}),
        403: known(Caller(gateway, control.key("slow", ["read"]))).submit(),
    }
    for status, answer in refused.items():
        check_problem(answer, status)
        assert answer.headers["RateLimit-Policy"] == '"tenant";q=3;w=3600'
        assert '"tenant";r=0;' in answer.headers["RateLimit"]
    assert "RateLimit" not in Caller(gateway, "wk_aaaaaaaa_" + "b" * 43).submit().headers
    assert "RateLimit" not in caller.get(JOBS).headers
    answer = caller.submit()
    check_problem(answer, 429, words="rate")
    assert 1000 < int(answer.headers["Retry-After"]) <= 1200
    control.tenant("slow", rate=None)
    answer = until(lambda: (a := caller.submit()).status_code == 202 and a, what="limit lifted")
    assert "RateLimit" not in answer.headers


def test_backlog(gateway, control, node):
    control.tenant("full", max_pending=5)
    caller = known(Caller(gateway, control.key("full", ["submit"])))
    codes = [caller.submit().status_code for _ in range(8)]
    assert codes.count(202) == 5 and codes[-1] == 429
    answer = caller.submit()
    check_problem(answer, 429, words="pending")
    assert int(answer.headers["Retry-After"]) >= 1
    # Still so when the queues have been counted; not any more when they are empty.
    connection = node.connect()
    assert len(drain(connection.channel(), "full")) == 5
    connection.close()
    until(lambda: caller.submit().status_code == 202, what="room again")


def test_backlog_counts_what_others_publish(gateway, control, node):
    control.tenant("shared", max_pending=3)
    caller = known(Caller(gateway, control.key("shared", ["submit"])))
    connection = node.connect()
    channel = connection.channel()
    channel.confirm_delivery()
    for _ in range(20):
        channel.basic_publish("jobs.shared", "high", b"null")
    until(lambda: caller.submit().status_code == 429, what="backlog seen")
    connection.close()


def test_the_first_submission_sees_the_backlog(gateway, control, node):
    control.tenant("seldom", max_pending=3)
    caller = Caller(gateway, control.key("seldom", ["submit"]))
    until(lambda: caller.get(JOBS).status_code != 401, what="key known")
    with node.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for _ in range(3):
            channel.basic_publish("jobs.seldom", "low", b"null")
    check_problem(caller.submit(), 429, words="pending")


def test_many_at_once(gateway, acme, queues):
    def run(index):
        with Caller(gateway, acme.headers["Authorization"].split()[1]) as caller:
            return [caller.submit(payload=[index, i]).json()["id"] for i in range(20)]

    with ThreadPoolExecutor(16) as pool:
        ids = [i for batch in pool.map(run, range(16)) for i in batch]
    found = queues()
    assert len(set(ids)) == 320
    assert sorted(properties.message_id for _, properties, _ in found) == sorted(ids)


def test_metrics(gateway, acme):
    acme.submit()
    text = requests.get(gateway.health + "/metrics", timeout=20).text
    assert re.search(r'warren_jobs_submitted_total{tenant="acme",type="noop",priority="medium"} \d+', text)
    assert 'warren_http_requests_total{route="POST /api/v1/jobs",code="202"}' in text
    assert "warren_publish_confirm_seconds_count" in text and 'warren_build_info{program="gateway"' in text
    assert requests.get(gateway.url + "/metrics", timeout=20).status_code == 404
    tool = subprocess.run(["sh", "-c", "command -v promtool"], stdout=subprocess.DEVNULL, check=False)
    if tool.returncode == 0:
        subprocess.run(["promtool", "check", "metrics"], input=text.encode(), check=True)


def test_health(gateway):
    for base in (gateway.url, gateway.health):
        assert requests.get(base + "/healthz", timeout=20).json() == {"status": "alive"}
        assert requests.get(base + "/readyz", timeout=20).json() == {"status": "ready"}


def test_broker_away(private_broker, services, tmp_path):
    """503 while it is away, by itself back to 202; nothing that got 202 is lost."""
    node = Place(private_broker)
    control = Control(node)
    control.tenant("steady")
    gateway = Gateway(node, tmp_path, *services).wait_ready()
    caller = known(Caller(gateway, control.key("steady", ["submit"])))
    accepted = [caller.submit().json()["id"] for _ in range(5)]
    private_broker.stop()
    answer, = until(lambda: (a := caller.submit()).status_code == 503 and [a], what="broker seen away")
    check_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1
    assert requests.get(gateway.url + "/readyz", timeout=20).status_code == 503
    assert requests.get(gateway.url + "/healthz", timeout=20).status_code == 200
    private_broker.start()
    gateway.wait_ready()
    accepted.append(caller.submit().json()["id"])
    connection = node.connect()
    found = {properties.message_id for _, properties, _ in drain(connection.channel(), "steady")}
    connection.close()
    assert set(accepted) <= found
    assert gateway.stop() == 0


def test_drain_under_load(node, control, services, tmp_path):
    """SIGTERM: whoever got 202 has his job in the broker, and the gateway ends with 0."""
    control.tenant("leaving")
    gateway = Gateway(node, tmp_path, *services).wait_ready()
    key = control.key("leaving", ["submit"])
    known(Caller(gateway, key))
    accepted = []

    def run(_):
        try:
            with Caller(gateway, key) as caller:
                while (answer := caller.submit()).status_code == 202:
                    accepted.append(answer.json()["id"])
        except requests.ConnectionError:
            pass  # the port is closed

    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(run, range(8))
        until(lambda: len(accepted) >= 50, what="load")
        assert gateway.stop() == 0
        list(runs)
    connection = node.connect()
    found = {properties.message_id for _, properties, _ in drain(connection.channel(), "leaving")}
    connection.close()
    assert set(accepted) <= found and len(accepted) >= 50


def test_broker_refuses_login(node, services, tmp_path):
    """A gateway that cannot log in says so and is not ready; it does not end."""
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("nonsense", encoding="utf-8")
    gateway = Gateway(node, tmp_path, *services, amqp_password_file=wrong)
    until(lambda: gateway.lines("publishing link is down"), what="failure is logged")
    answer = requests.get(gateway.health + "/readyz", timeout=20)
    assert answer.status_code == 503
    answer = requests.post(gateway.url + JOBS, json={}, timeout=20,
                           headers={"Authorization": "Bearer wk_aaaaaaaa_" + "a" * 43})
    check_problem(answer, 503)
    assert gateway.stop() == 0


def test_taken_port(node, services, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(AssertionError, match="cannot listen"):
            Gateway(node, tmp_path, *services, port=taken.getsockname()[1])


def test_broker_hangs(private_broker, services, tmp_path):
    """No confirm in time: 503 with the id, and the truth that nobody knows. One message in flight at
    most: the next is refused without being sent."""
    node = Place(private_broker)
    control = Control(node)
    control.tenant("patient")
    gateway = Gateway(node, tmp_path, *services, confirm_timeout="1s", window_messages=1).wait_ready()
    caller = known(Caller(gateway, control.key("patient", ["submit"])))
    assert caller.submit().status_code == 202
    beam = int((private_broker.folder / "pid").read_text(encoding="utf-8"))
    os.kill(beam, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda _: Caller(gateway, caller.headers["Authorization"].split()[1]).submit(),
                                     range(2))
        answers = [check_problem(a, 503) for a in (first, second)]
        unknown = [a for a in answers if a.get("accepted") == "unknown"]
        assert len(unknown) == 1 and uuid.UUID(unknown[0]["id"]).version == 7
        assert all("id" not in a for a in answers if a is not unknown[0])
        assert all(int(a.headers["Retry-After"]) >= 1 for a in (first, second))
    finally:
        os.kill(beam, signal.SIGCONT)
    gateway.wait_ready()
    job = until(lambda: (a := caller.submit()).status_code == 202 and a.json(), what="accepted again")
    with node.connect() as connection:
        found = [properties.message_id for _, properties, _ in drain(connection.channel(), "patient")]
    # The one of unknown fate is there or not, but never twice.
    assert job["id"] in found and found.count(unknown[0]["id"]) <= 1
    assert gateway.stop() == 0
