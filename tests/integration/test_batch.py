# SPDX-License-Identifier: Apache-2.0
"""Batches over HTTP: each job is accepted or refused on its own, in order; what was read whole of a body
that ends early is answered, and never half a job."""
import collections
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from batch_rig import BATCH, FORMS, Raw, as_lines, refused, send
from gateway_rig import Caller, Gateway, check_problem, drain, known
from harness.batches import NDJSON, accepted, check
from harness.metrics import Metrics
from harness.until import until
from submit_rig import events, make_rig, told  # noqa: F401 (fixtures)

MAX = 8 * 1024 * 1024
PIECE = 16 * 1024  # of a body that is read at once


@pytest.fixture()
def queues(node, acme):
    """A function that takes all messages from acme's queues, which are empty at first."""
    connection = node.connect()
    channel = connection.channel()
    drain(channel, "acme")
    yield lambda: drain(channel, "acme")
    connection.close()


def ids(messages):
    return sorted(properties.message_id for _, properties, _ in messages)


def metrics_of(gateway):
    return Metrics(requests.get(gateway.health + "/metrics", timeout=20).text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 256, 257, 1000])
def test_all_accepted(acme, queues, form, count):
    jobs, cut = check(send(acme, [{"type": "noop", "payload": i} for i in range(count)], form))
    assert cut is None and len(jobs) == count
    assert jobs[0] == {"id": jobs[0]["id"], "status": "pending", "run_at": None, "type": "noop",
                       "priority": "medium", "tenant": "acme", "expires_at": None}
    found = {properties.message_id: int(body) for _, properties, body in queues()}
    assert [found[job["id"]] for job in jobs] == list(range(count))


def test_a_job_is_as_if_it_was_submitted_alone(acme, queues):
    trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    body = b'[ {"payload":  { "b" : 1E400 ,\n"a": -0.0 } ,"type":"a","priority":"high"},\r\n{"type":"b","delay":7200}]'
    answer = send(acme, body, headers={"traceparent": trace})
    jobs, _ = check(answer)
    assert answer.headers["traceparent"] == trace
    assert [job["status"] for job in jobs] == ["pending", "scheduled"]
    (lane, properties, payload), = queues()
    assert (lane, payload) == ("high", b'{ "b" : 1E400 ,\n"a": -0.0 }')
    assert properties.message_id == jobs[0]["id"] and properties.headers["traceparent"] == trace


@pytest.mark.parametrize("form", FORMS)
def test_each_is_refused_on_its_own(acme, queues, form):
    jobs, cut = check(send(acme, [
        {"type": "a"}, {"type": "B!"}, {"type": "b"}, {"typ": "c"}, {"type": "d", "tenant_id": "other"},
        7, {"payload": 1}, {"type": "e"}], form))
    assert cut is None
    refused(jobs[1], 422, "/1/type")
    refused(jobs[3], 422, "/3/typ")
    refused(jobs[4], 403, "/4/tenant_id")
    assert jobs[5]["problem"]["status"] in (400, 422) and jobs[5]["problem"]["errors"][0]["pointer"] == "/5"
    refused(jobs[6], 422, "/6/type", "is required")
    assert [job.get("type") for job in jobs if "id" in job] == ["a", "b", "e"]
    assert ids(queues()) == sorted(accepted(jobs))


def test_places_are_those_of_the_whole_body(acme):
    jobs, _ = check(send(acme, b'\n{"type": "a"}\r\n\r\n  {"type": "b",\t"delay": "x"}', "lines"))
    error, = refused(jobs[1], 422, "/1/delay")["errors"]
    assert (error["line"], error["column"]) == (4, 26)
    jobs, _ = check(send(acme, b'[{"type": "a"},\n\n {"type": "b", "delay": "x"}]'))
    error, = refused(jobs[1], 422, "/1/delay")["errors"]
    assert (error["line"], error["column"]) == (3, 25)


def test_a_line_that_is_no_json_does_not_harm_the_next(acme, queues):
    jobs, cut = check(send(acme, b'{"type": "a"}\n{"type": \n{"type": "b", "x\n]\n{"type": "c"}', "lines"))
    assert cut is None and len(jobs) == 5
    for index in (1, 2, 3):
        refused(jobs[index], 400)
        assert jobs[index]["problem"]["errors"][0]["line"] == index + 1
    assert ids(queues()) == sorted(accepted(jobs)) == sorted([jobs[0]["id"], jobs[4]["id"]])


@pytest.mark.parametrize("form", FORMS)
def test_too_large_a_job(acme, queues, form):
    large = {"type": "a", "payload": "x" * (256 * 1024)}
    larger = {"type": "a", "payload": "x" * (300 * 1024)}
    jobs, cut = check(send(acme, [{"type": "a"}, large, larger, {"type": "b"}], form))
    assert cut is None
    refused(jobs[1], 413, "/1/payload", "is larger than 262144 bytes: make it smaller (setting payload_max)")
    refused(jobs[2], 413, "/2", "the job is larger than 278528 bytes: make its payload smaller")
    assert len(queues()) == 2


@pytest.mark.parametrize("body,form,status,words", [
    (b"", "array", 400, ""), (b"[]", "array", 422, "no job"), (b" [ ] ", "array", 422, "no job"),
    (b'{"type": "a"}\n{"type": "b"}', "array", 400, "in each line it is application/x-ndjson"),
    (b"x", "array", 400, ""), (b"[", "array", 400, ""),
    (b"", "lines", 422, "no job"), (b"\n \r\n\n", "lines", 422, "no job")])
def test_no_job(acme, queues, body, form, status, words):
    check_problem(send(acme, body, form), status, words=words)
    assert queues() == []


@pytest.mark.parametrize("body", [b'[{"type": "a"}]', b'[\n {"type": "b"}]\n'])
def test_an_array_sent_as_lines(acme, body):
    jobs, _ = check(send(acme, body, "lines"))
    refused(jobs[0], 422 if len(jobs) == 1 else 400, words="for an array of jobs it is application/json")


def test_only_post(acme):
    for method in ("GET", "PUT"):
        answer = acme.request(method, BATCH)
        check_problem(answer, 405)
        assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("tail", [b"", b",", b" x", b"}", b"] x", b'{"type": "c"}]'])
def test_an_array_that_ends_wrongly(acme, queues, tail):
    jobs, cut = check(send(acme, b'[{"type": "a"}, {"type": "b"}' + tail))
    assert cut["status"] == 400 and cut["errors"][0]["detail"]
    assert ids(queues()) == sorted(accepted(jobs)) and len(jobs) == 2


@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_and_one(acme, queues, form):
    jobs, cut = check(send(acme, [{"type": "noop"}] * 1001, form))
    assert cut["status"] == 413 and "at most 1000 jobs: send those from here on" in cut["detail"]
    assert len(jobs) == 1000 and ids(queues()) == sorted(accepted(jobs))


def chunks_of(jobs):
    yield from (as_lines([job]) for job in jobs)


def test_eight_mebibytes(acme, queues):
    """A length is refused before a byte is read; chunks are read up to the limit."""
    job = {"type": "noop", "payload": "x" * 65000}
    check_problem(send(acme, [job] * 130, "lines"), 413, words=f"{MAX} bytes: send the jobs that are left in further")
    assert queues() == []
    jobs, cut = check(acme.post(BATCH, data=chunks_of([job] * 130), headers={"Content-Type": NDJSON}))
    assert cut["status"] == 413 and str(MAX) in cut["detail"]
    assert len(jobs) == MAX // len(as_lines([job]))
    assert ids(queues()) == sorted(accepted(jobs))


@pytest.mark.parametrize("media", ["text/plain", "application/x-ndjsonx", None])
def test_content_type(acme, media):
    answer = acme.post(BATCH, data=b"[]", headers={"Content-Type": media} if media else {})
    check_problem(answer, 415, words="application/x-ndjson")


def test_jsonl(acme, queues):
    answer = acme.post(BATCH, data=b'{"type":"a"}', headers={"Content-Type": "Application/JSONL; charset=utf-8"})
    assert len(check(answer)[0]) == len(queues()) == 1


def test_scope(gateway, control, acme):
    reader = known(Caller(gateway, control.key("acme", ["read"])))
    check_problem(send(reader, [{"type": "a"}]), 403)


def test_rates_count_jobs(gateway, control, node):
    control.tenant("slow", rate={"count": 6, "per": "1h"}, burst=6)
    caller = known(Caller(gateway, control.key("slow", ["submit", "read"])))
    before = metrics_of(gateway)
    answer = send(caller, [{"type": "noop"}] * 10)
    jobs, cut = check(answer)
    assert cut is None and len(accepted(jobs[:6])) == 6
    for job in jobs[6:]:
        assert 590 <= refused(job, 429, words="faster than its rate")["retry_after"] <= 600
    assert "r=0" in answer.headers["RateLimit"]
    after = metrics_of(gateway)
    assert after.sum("warren_submissions_refused_total", reason="rate") - \
        before.sum("warren_submissions_refused_total", reason="rate") == 4
    assert after.sum("warren_rate_refused_total", tenant="slow") == 4


def test_a_limit_of_pending_jobs(gateway, control, node):
    control.tenant("small", max_pending=5)
    caller = known(Caller(gateway, control.key("small", ["submit", "read"])))
    jobs, _ = check(send(caller, [{"type": "noop"}] * 8))
    assert len(accepted(jobs[:5])) == 5
    for job in jobs[5:]:
        assert refused(job, 429, words="5 jobs pending")["retry_after"] >= 1


def test_an_admin_submits_for_several_tenants(gateway, control, node):
    for name in ("one", "two"):
        control.tenant(name)
    admin = known(Caller(gateway, control.key(None, ["admin"])))

    def all_known():
        jobs, _ = check(send(admin, [{"type": "a", "tenant_id": name} for name in ("one", "two")]))
        return len(accepted(jobs)) == 2

    until(all_known, what="the tenants are known")
    jobs, _ = check(send(admin, [{"type": "a", "tenant_id": "one"}, {"type": "a"},
                                 {"type": "a", "tenant_id": "two"}, {"type": "a", "tenant_id": "none"}], "lines"))
    assert [job.get("tenant") for job in jobs] == ["one", None, "two", None]
    refused(jobs[1], 422, "/1/tenant_id", "is required")
    refused(jobs[3], 422, "/3/tenant_id", "no such tenant")


def test_several_at_once_are_not_mixed(acme, queues):
    def one(number):
        jobs, _ = check(send(acme, [{"type": f"t{number}", "payload": i} for i in range(300)], "lines"))
        assert {job["type"] for job in jobs} == {f"t{number}"}
        return accepted(jobs)

    with ThreadPoolExecutor(4) as pool:
        found = sum(pool.map(one, range(4)), [])
    assert len(found) == 1200 and ids(queues()) == sorted(found)


def test_the_event_stream_is_told(make_rig, events):
    rig = make_rig(confirm_timeout="5s")
    with Caller(rig.gateway, rig.key) as caller:
        jobs, _ = check(send(caller, [{"type": "noop"}] * 500))
    found = told(events, accepted(jobs))
    assert found.keys() >= set(accepted(jobs))
    metrics = rig.metrics()
    assert metrics["warren_pack_jobs_total"] == 500 and metrics["warren_packs_total"] < 250
    assert metrics["warren_publish_in_flight"] == 0


def batches_answered(gateway):
    return metrics_of(gateway).sum("warren_http_requests_total", route=f"POST {BATCH}")


def cut(gateway, caller, sent, **framing):
    """Sends so much of a batch, breaks the connection, and waits until the gateway has ended it."""
    answered = batches_answered(gateway)
    Raw(caller, **framing).send(sent).cut()
    until(lambda: batches_answered(gateway) > answered, what="the batch has ended", every=0.01)


def payloads(messages):
    return collections.Counter(int(body) for _, _, body in messages)


@pytest.mark.parametrize("form,end", [("lines", b"\n"), ("array", b"}")])
def test_cut_at_each_byte(gateway, acme, queues, form, end):
    """Never half a job: each is there that was sent whole, and nothing else."""
    write, media = FORMS[form]
    body = write([{"type": "noop", "payload": i} for i in (1, 2, 3)])
    for at in range(len(body)):
        cut(gateway, acme, body[:at], media=media, length=len(body))
    ends = [at + 1 for at in range(len(body)) if body[at:at + 1] == end]
    assert len(ends) == 3
    assert payloads(queues()) == +collections.Counter({i: len(body) - at for i, at in enumerate(ends, 1)})


@pytest.mark.parametrize("form,begin,more", [
    ("lines", b'{"type":"noop","payload":1}\n', b'{"type":"noop","payload":2}\n'),
    ("array", b'[{"type":"noop","payload":1},', b'{"type":"noop","payload":2}]')])
def test_cut_at_each_byte_of_a_chunk(gateway, acme, queues, form, begin, more):
    """The first chunk is a piece of its own. Of a second one that was cut off nothing is taken."""
    chunk = begin + b" " * (PIECE - len(begin) - 1) + b"\n"
    first, last = b"%x\r\n%s\r\n" % (PIECE, chunk), b"%x\r\n%s\r\n0\r\n\r\n" % (len(more), more)
    whole = last.index(more) + len(more)
    for at in range(len(last)):
        cut(gateway, acme, first + last[:at], media=FORMS[form][1])
    found = payloads(queues())
    assert found.keys() <= {1, 2}
    assert found[1] == len(last) and found[2] <= len(last) - whole


def test_a_body_that_is_cut_off_is_answered_to_who_still_reads(acme, queues):
    """The pieces before the malformed chunk count; the piece that it is in is lost."""
    chunk = as_lines([{"type": "a", "payload": "x" * 1000}] * 20)
    whole = chunk[:PIECE].count(b"\n")
    assert PIECE < len(chunk) < 2 * PIECE
    raw = Raw(acme).send(b"%x\r\n%s\r\nmalformed\r\n" % (len(chunk), chunk))
    status, headers, answer = raw.read()
    assert status == 202 and headers["connection"] == "close"
    assert (answer["accepted"], answer["complete"]) == (whole, False)
    assert answer["jobs"][-1]["problem"]["status"] == 400
    assert len(queues()) == whole


def test_a_body_that_stalls(node, services, control, tmp_path, queues, acme):
    gateway = Gateway(node, tmp_path, *services, body_deadline="500ms").wait_ready()
    caller = known(Caller(gateway, acme.headers["Authorization"].split()[1]))
    body = as_lines([{"type": "a"}] * 2)
    status, headers, answer = Raw(caller, length=1000).send(body).read()
    assert status == 202 and headers["connection"] == "close"
    assert (answer["accepted"], answer["complete"]) == (2, False)
    assert answer["jobs"][2]["problem"]["status"] == 408
    assert len(queues()) == 2
    check_problem_raw(Raw(caller, length=1000).send(b'{"type"').read(), 408)
    assert gateway.stop() == 0


def check_problem_raw(found, status):
    assert found[0] == status and found[2]["status"] == status, found


def test_a_stop_amid(node, services, tmp_path, queues, acme):
    gateway = Gateway(node, tmp_path, *services).wait_ready()
    caller = known(Caller(gateway, acme.headers["Authorization"].split()[1]))
    job = as_lines([{"type": "a", "payload": "x" * 1000}])
    raw = Raw(caller, length=100000).send(job * 40)
    until(lambda: metrics_of(gateway)["warren_pack_jobs_total"] >= 16, what="the first jobs")
    assert gateway.stop() == 0
    status, _, answer = raw.read()
    assert status == 202 and not answer["complete"]
    assert answer["jobs"][-1]["problem"]["status"] == 503
    assert len(queues()) == answer["accepted"] == len(answer["jobs"]) - 1


def test_more_batches_than_threads_for_them(node, services, control, tmp_path, acme):
    """Two places. A tenant whose batches take long leaves one of them to others."""
    gateway = Gateway(node, tmp_path, *services, threads=16).wait_ready()
    caller = known(Caller(gateway, acme.headers["Authorization"].split()[1]))
    control.tenant("other")
    other = known(Caller(gateway, control.key("other", ["submit", "read"])))
    waiting = []

    def fill(client, words):
        def is_full():
            waiting.append(Raw(client, length=100).send(b" "))
            return send(client, [{"type": "a"}]).status_code == 503

        until(is_full, what="a batch is read", every=0.2)
        answer = send(client, [{"type": "a"}])
        check_problem(answer, 503, words=words)
        assert answer.headers["Retry-After"] == "1"

    fill(caller, "too many batches of this tenant")
    assert len(accepted(check(send(other, [{"type": "a"}]))[0])) == 1
    fill(other, "too many batches at once")
    assert caller.submit().status_code == 202
    late = Raw(caller, length=MAX).send(b" ")
    assert late.read()[0] == 503
    begun = time.monotonic()
    assert late.answers.is_closed()
    assert time.monotonic() - begun < 5, "it waited for the rest of the body"
    for raw in waiting:
        raw.cut()
    until(lambda: send(caller, [{"type": "a"}]).status_code == 202, what="a batch is read again")
    assert gateway.stop() == 0


def test_a_small_window(make_rig):
    """A batch waits for room, and leaves half of it to others."""
    rig = make_rig(window_messages=8, confirm_timeout="10s")
    with Caller(rig.gateway, rig.key) as caller:
        jobs, _ = check(send(caller, [{"type": "noop"}] * 100))
    assert len(accepted(jobs)) == 100 and ids(rig.queued()) == sorted(accepted(jobs))


def test_the_wait_for_room_begins_when_there_is_none(make_rig, forwarder):
    """Not when the batch does: its second piece comes after as long as a batch waits for room."""
    rig = make_rig(window_messages=2, confirm_timeout="20s")
    forwarder.slow["queues"] = 1
    first, second = as_lines([{"type": "noop"}]), as_lines([{"type": "noop"}] * 2)
    first += b"\n" * (PIECE - len(first))
    with Caller(rig.gateway, rig.key) as caller, ThreadPoolExecutor(1) as pool:
        raw = Raw(caller, length=len(first) + len(second)).send(first)
        until(lambda: rig.metrics()["warren_pack_jobs_total"] == 1, what="its first job")
        told = time.monotonic()
        until(lambda: time.monotonic() > told + 5.5, what="longer than a batch waits")
        single = pool.submit(rig.submit)
        until(lambda: rig.metrics()["warren_publish_in_flight"] == 1, what="the window has no room for batches")
        _, _, answer = raw.send(second).read()
        assert answer["accepted"] == 3, answer
        assert single.result().status_code == 202


def test_the_broker_goes_amid(make_rig, events, forwarder):
    """Nothing is lost: each is accepted, refused or unknown, and what was accepted is there."""
    rig = make_rig(confirm_timeout="2s")
    jobs = [{"type": "noop", "payload": i} for i in range(1000)]
    forwarder.slow["queues"] = 0.3  # so that the reset finds some without their confirms
    with Caller(rig.gateway, rig.key) as caller, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(lambda: send(caller, jobs, "lines"))
        until(lambda: rig.metrics()["warren_publish_in_flight"] > 0, what="jobs are published")
        forwarder.slow.clear()
        forwarder.reset("queues")
        found, cut = check(sent.result())
    assert cut is None and len(found) == 1000
    assert len(accepted(found)) < 1000
    rig.gateway.wait_ready()
    there = set(ids(rig.queued()))
    known_ids = set(accepted(found))
    doubt = {job["problem"]["id"] for job in found if job.get("problem", {}).get("accepted") == "unknown"}
    assert known_ids <= there <= known_ids | doubt


def test_a_stream_that_is_late(make_rig, forwarder):
    rig = make_rig(confirm_timeout="500ms")
    forwarder.mute.add("packs")
    with Caller(rig.gateway, rig.key) as caller:
        jobs, _ = check(send(caller, [{"type": "noop"}] * 10))
    assert [job["told"] for job in jobs] == [False] * 10
    forwarder.heal("packs")
    until(lambda: not rig.is_untold(), what="the stream is told")
    assert len(rig.queued()) == 10
    assert rig.metrics()["warren_submissions_told_late_total"] == 10


def test_no_broker(make_rig, forwarder):
    rig = make_rig()
    forwarder.shut()
    until(lambda: not rig.gateway.is_ready(), what="the links are down")
    with Caller(rig.gateway, rig.key) as caller:
        jobs, _ = check(send(caller, [{"type": "noop"}] * 3))
    for job in jobs:
        assert refused(job, 503)["retry_after"] == 1
    forwarder.open()
    rig.gateway.wait_ready()
