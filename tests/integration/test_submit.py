# SPDX-License-Identifier: Apache-2.0
"""Submitting over HTTP: an accepted job is in the broker as it was sent; any other is refused with a clear
error that points at the fault."""
import json
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import http_rig
from gateway_rig import JOBS, Caller, check_problem, drain


@pytest.fixture()
def queues(node, acme):
    """A function that takes all messages from acme's queues, which are empty at first."""
    connection = node.connect()
    channel = connection.channel()
    drain(channel, "acme")
    yield lambda: drain(channel, "acme")
    connection.close()


def test_accepted(acme, queues):
    trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    before = int(time.time() * 1000)
    answer = acme.post(JOBS, headers={"traceparent": trace, "Content-Type": "application/json"}, data=json.dumps(
        {"type": "send_email", "priority": "high", "payload": {"to": "a@example.com"},
         "max_retries": 5, "timeout": "20s", "tenant_id": "acme"}))
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert uuid.UUID(job["id"]).version == 7
    assert job == {"id": job["id"], "status": "pending", "run_at": None, "expires_at": None, "type": "send_email",
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
    ("cut", b'{"type":"noop"', 400, "/type", "the text ends"),
    ("two values", b'{"type":"noop"} {}', 400, "", ""),
    ("NaN", b'{"type":"noop","payload":NaN}', 400, "/payload", ""),
    ("comment", b'{"type":"noop" /* */}', 400, "/type", "'/'"),
    ("bare NUL", b'{"type":"no\0op"}', 400, "/type", ""),
    ("no UTF-8", b'{"type":"noop","payload":"\xff"}', 400, "/payload", ""),
    ("duplicate", b'{"type":"noop","type":"noop"}', 400, "/type", ""),
    ("duplicate deep in", b'{"type":"noop","payload":{"a":[{"b":1,"\\u0062":2}]}}', 400, "/payload/a/0/b", ""),
    ("depth 10 000", b'{"type":"noop","payload":' + b"[" * 10000 + b"]" * 10000 + b"}", 400,
     "/payload" + "/0" * 64, "levels deep"),
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
    ("idempotency_key", b'{"type":"noop","idempotency_key":""}', 422, "/idempotency_key", ""),
    ("other tenant", b'{"type":"noop","tenant_id":"other"}', 403, "/tenant_id", "another tenant"),
    ("large payload", b'{"type":"noop","payload":"' + b"a" * 270000 + b'"}', 413, "/payload", ""),
    ("10 MB", b'{"type":"noop","payload":"' + b"a" * 10_000_000 + b'"}', 413, None, "larger than"),
]


@pytest.mark.parametrize("body,status,pointer,words", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused(acme, queues, body, status, pointer, words):
    problem = check_problem(acme.submit(body), status, pointer, words)
    assert pointer is not None or "errors" not in problem  # a body that was not read has no faults
    assert queues() == []
    assert acme.submit().status_code == 202


def test_fault_is_located(acme):
    problem = check_problem(acme.submit(b'{"type": "noop",\n "payload": {\n  "a": tru }}'), 400, "/payload/a")
    assert (problem["errors"][0]["line"], problem["errors"][0]["column"]) == (3, 8)
    problem = check_problem(acme.submit(b'{"type": "noop",\n "max_retries": 3'), 400, "/max_retries")
    assert (problem["errors"][0]["line"], problem["errors"][0]["column"]) == (2, 18)
    problem = check_problem(acme.submit(b'{"type": "noop",\n "delay": "soon"}'), 422, "/delay")
    assert (problem["errors"][0]["line"], problem["errors"][0]["column"]) == (2, 11)


def test_only_json_and_no_query(acme):
    check_problem(acme.post(JOBS, data='{"type":"noop"}', headers={"Content-Type": "text/plain"}), 415)
    check_problem(acme.post(JOBS + "?delay=1", json={"type": "noop"}), 400, words="delay")


def test_chunked_body(acme, queues):
    parts = iter([b'{"type":"no', b'op","payload":[1', b",2]}"])
    answer = acme.post(JOBS, data=parts, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
    assert queues()[0][2] == b"[1,2]"


JOB = b'{"type":"noop"}'
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
FRAMING = [
    ("two lengths", b"Content-Length: 15\r\nContent-Length: 15\r\n\r\n" + JOB, "2 times"),
    ("two other lengths", b"Content-Length: 15\r\nContent-Length: 2\r\n\r\n" + JOB, "2 times"),
    ("length and chunks", b"Content-Length: 15\r\n" + CHUNKED + b"f\r\n" + JOB + b"\r\n0\r\n\r\n", "both"),
    ("chunk size no number", CHUNKED + b"zz\r\n" + JOB + b"\r\n0\r\n\r\n", "chunked"),
    ("chunk longer than said", CHUNKED + b"e\r\n" + JOB + b"\r\n0\r\n\r\n", "chunked"),
    ("chunk beyond any size", CHUNKED + b"ffffffffffffffffff\r\n" + JOB + b"\r\n0\r\n\r\n", "chunked"),
    ("chunks without an end", CHUNKED + b"f\r\n" + JOB + b"\r\n", "chunked"),
]


@pytest.mark.parametrize("framed,words", [r[1:] for r in FRAMING], ids=[r[0] for r in FRAMING])
def test_broken_framing_keeps_nothing(gateway, acme, queues, framed, words):
    """The body alone would be a valid job, but the framing is ambiguous, so there is no job."""
    host, port = gateway.url.removeprefix("http://").split(":")
    lines = [f"POST {JOBS} HTTP/1.1", f"Host: {host}", "Content-Type: application/json",
             f"Authorization: {acme.headers['Authorization']}", ""]
    answers = http_rig.Answers(int(port)).send("\r\n".join(lines).encode() + framed)
    answers.socket.shutdown(socket.SHUT_WR)
    http_rig.check_problem(answers.read(), 400, words)
    assert answers.is_closed()
    assert queues() == []
    assert acme.submit().status_code == 202


def test_many_at_once(gateway, acme, queues):
    def run(index):
        with Caller(gateway, acme.headers["Authorization"].split()[1]) as caller:
            return [caller.submit(payload=[index, i]).json()["id"] for i in range(20)]

    with ThreadPoolExecutor(16) as pool:
        ids = [i for batch in pool.map(run, range(16)) for i in batch]
    found = queues()
    assert len(set(ids)) == 320
    assert sorted(properties.message_id for _, properties, _ in found) == sorted(ids)
