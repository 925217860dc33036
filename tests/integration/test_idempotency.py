# SPDX-License-Identifier: Apache-2.0
"""Idempotency keys: one key, one job; the same request gets the first answer again, another one none."""
import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway_rig import check_problem
from harness.api import Api
from harness.until import until
from keyed_rig import behind  # noqa: F401 (a fixture)
from keyed_rig import (REUSED, Moment, accepted, check_in_flight, check_one_job, check_replay, send, send_many,
                       until_accepted, until_asked, until_waiting)


def claims(program, outcome):
    return program.metrics().sum("warren_claims_total", outcome=outcome)


def refused(program, reason):
    return program.metrics().sum("warren_submissions_refused_total", reason=reason)


def test_replay(warren, api, key):
    replays = claims(warren.gateway, "settled")
    submitted = warren.gateway.metrics().sum("warren_jobs_submitted_total")
    first = accepted(send(api, key, payload={"a": 1}))
    check_replay(send(api, key, payload={"a": 1}), first)
    assert api.wait(first["id"])["status"] == "completed"
    until(lambda: api.get(first["id"])["idempotency_key"] == key, what="its submission is read")
    check_replay(send(api, key, payload={"a": 1}), first)
    assert [attempt["attempt"] for attempt in api.attempts(first["id"])["attempts"]] == [1]
    assert claims(warren.gateway, "settled") == replays + 2
    assert warren.gateway.metrics().sum("warren_jobs_submitted_total") == submitted + 1


@pytest.mark.parametrize("members", [
    {"delay": "1h"},
    {"run_at": "2000-01-01T00:00:00Z"},
    {"delay": 0.2, "priority": "critical", "timeout": "1h", "max_retries": 0},
])
def test_replay_says_what_the_first_said(api, key, members):
    first = accepted(send(api, key, **members))
    check_replay(send(api, key, **members), first)


def test_replay_of_a_job_that_died(api, key):
    first = accepted(send(api, key, type="fail", payload={"permanent": True}))
    assert api.wait(first["id"])["status"] == "dead"
    check_replay(send(api, key, type="fail", payload={"permanent": True}), first)


def test_status_of_a_job_that_comes_due_while_its_key_is_claimed(fresh_warren, key):
    """The first answer and its replay say the same."""
    api = fresh_warren.api
    api.run("noop")
    fresh_warren.status_store.hang()
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send, api, key, delay=1)
        until_waiting(fresh_warren.gateway, 1)
        Moment(1).until_past()
        fresh_warren.status_store.go_on()
        first = accepted(sent.result())
    assert first["status"] == "scheduled"
    check_replay(send(api, key, delay=1), first)


@pytest.mark.parametrize("write", [
    lambda key: ({"Idempotency-Key": f'"{key}"'}, {}),
    lambda key: ({"Idempotency-Key": f'{key}  '}, {}),
    lambda key: ({}, {"idempotency_key": key}),
    lambda key: ({"Idempotency-Key": f'"{key}"'}, {"idempotency_key": key}),
    lambda key: ({"Idempotency-Key": key}, {"idempotency_key": None, "priority": None}),
], ids=["quoted", "blanks", "member", "both", "null"])
def test_one_key_in_many_forms(api, key, write):
    first = accepted(send(api, key, payload=7))
    headers, members = write(key)
    answer = api.request("POST", "/jobs", json={"payload": 7, **members, "type": "noop"}, headers=headers)
    check_replay(answer, first)


def test_another_request(warren, api, key):
    before = refused(warren.gateway, "key_reused")
    first = accepted(send(api, key, payload=1))
    by_header = check_problem(send(api, key, payload=2), 422, words="Idempotency-Key")
    assert by_header["type"] == REUSED and "errors" not in by_header
    assert first["id"] in by_header["detail"] and f'the key "{key}" was' in by_header["detail"]
    by_member = check_problem(send(api, None, payload=2, idempotency_key=key), 422, "/idempotency_key")
    assert by_member["type"] == REUSED
    assert refused(warren.gateway, "key_reused") == before + 2
    check_replay(send(api, key, payload=1), first)


@pytest.mark.parametrize("header", ["", "a b", '"a', '""', '"a";x=1', '"a\\n"', "k" * 256])
def test_header_that_is_no_key(api, header):
    problem = check_problem(send(api, header), 400, words="Idempotency-Key")
    assert problem["type"] == "about:blank"


def test_longest_key(api):
    key = '"' * 100 + "k" * 155
    first = accepted(send(api, None, idempotency_key=key))
    check_replay(send(api, '"' + key.replace('"', '\\"') + '"'), first)
    assert api.wait(first["id"])["idempotency_key"] == key


def test_header_and_member_differ(api, key):
    answer = send(api, key, idempotency_key=key + "-")
    assert check_problem(answer, 422, "/idempotency_key")["type"] == "about:blank"
    accepted(send(api, key))


def test_refused_submission_takes_no_key(api, key):
    check_problem(send(api, key, type="No"), 422, "/type")
    accepted(send(api, key))


def test_keys_are_the_tenants(warren, api, key):
    mine = accepted(send(api, key))
    theirs = accepted(send(warren.tenant("other").api, key))
    assert mine["id"] != theirs["id"]


def test_admin_uses_the_tenants_keys(warren, api, key):
    first = accepted(send(warren.admin, key, tenant_id="acme"))
    check_replay(send(warren.admin, key, tenant_id="acme"), first)
    check_replay(send(api, key, tenant_id="acme"), first)


def test_replay_is_free_of_the_rate(warren, key):
    api = warren.tenant("slow", rate="2/1h").api
    first = accepted(send(api, key))
    accepted(send(api, None))
    refusal = send(api, None)
    assert refusal.status_code == 429
    fresh = send(api, key + "-2")
    assert fresh.status_code == 429 and fresh.json()["type"] == "about:blank"
    assert int(fresh.headers["Retry-After"]) > 60
    assert send(api, key + "-2", expires="2000-01-01T00:00:00Z").status_code == 429  # 422 would be for good
    assert send(api, None, expires="2000-01-01T00:00:00Z").status_code == 422
    replay = send(api, key)
    check_replay(replay, first)
    assert ";r=0;" in replay.headers["RateLimit"]
    assert send(api, key, payload=2).json()["type"] == REUSED


def test_refusals_give_the_token_back(warren, key):
    api = warren.tenant("five", rate="5/1h").api
    first = accepted(send(api, key))
    for _ in range(10):
        check_replay(send(api, key), first)
        assert send(api, key, payload=2).status_code == 422
        assert send(api, key + "-2", expires="2000-01-01T00:00:00Z").status_code == 422
    for _ in range(4):
        accepted(send(api, None))
    assert send(api, None).status_code == 429


def test_full_backlog_releases_the_key(make_warren, key):
    warren = make_warren()
    warren.consumer.stop()
    api = warren.tenant("narrow", max_pending=1).api
    first = accepted(send(api, key))
    until(lambda: send(api, key + "-2").status_code == 429, 30, "its backlog is full")
    assert "pending" in send(api, key + "-2").json()["detail"]
    check_replay(send(api, key), first)
    warren.consumer.start()
    api.wait(first["id"])
    accepted(until(lambda: (a := send(api, key + "-2")).status_code == 202 and a, 60, "there is room"))


def check_is_released(warren, refusal):
    """The primary has no claim any more: the next request with the key makes a new job."""
    assert "id" not in refusal
    until(lambda: warren.status_store.metrics()["warren_claims"] == 0, what="the claim is released")
    return time.time()


def check_is_new(api, answer, since):
    """The first 202 to its key, for a job with an id of its own, which runs once."""
    first = accepted(answer)
    assert int(first["id"].replace("-", "")[:12], 16) >= int(since * 1000), "an id from before"
    assert api.wait(first["id"])["status"] == "completed"
    assert [attempt["attempt"] for attempt in api.attempts(first["id"])["attempts"]] == [1]


def test_full_window_releases_the_key(make_warren, forwarder, key):
    warren = make_warren(start=False)
    warren.gateway.settings.update(amqp_urls=forwarder.url(warren.vhost), confirm_timeout="20s",
                                   window_messages=1)
    warren.start()
    api = warren.api
    api.run("noop")

    def in_flight():
        return warren.gateway.metrics()["warren_publish_in_flight"]

    until(lambda: in_flight() == 0, what="the window is empty")
    forwarder.mute.add("queues")
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(send, Api(api.url, api.key), None)
        until(lambda: in_flight() == 1, what="the window is full")
        released = check_is_released(warren, check_problem(send(api, key), 503, words="not confirmed yet"))
        forwarder.renew("queues")
        assert other.result().json()["accepted"] == "unknown"
    until(lambda: in_flight() == 0, what="the window is empty")
    warren.gateway.wait_ready()
    check_is_new(api, send(api, key), released)


def test_returned_job_releases_the_key(make_warren, key):
    """The tenant's queue is not bound, as while the tenant is deleted."""
    warren = make_warren()
    api = warren.api
    api.run("noop")
    binding = {"queue": "jobs.acme.medium", "exchange": "work", "routing_key": "acme.medium"}
    with warren.pika() as connection:
        channel = connection.channel()
        channel.queue_unbind(**binding)
        refusal = check_problem(send(api, key), 503, words="no queue for this job")
        released = check_is_released(warren, refusal)
        channel.queue_bind(**binding)
    check_is_new(api, send(api, key), released)


def test_many_at_once_over_two_gateways(warren, api, key):
    """100 identical requests make one job. Those that come while it has no answer are told so."""
    other = warren.api_at(warren.add_gateway())
    until(lambda: other.request("GET", "/jobs?limit=1").status_code == 200, 30, "the key is known")
    answers = send_many([api, other], key, 100, payload="once")
    codes = {answer.status_code for answer in answers}
    assert codes <= {202, 409}, codes
    for answer in answers:
        if answer.status_code == 409:
            check_in_flight(answer)
    told = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.json()["id"] for answer in told}) == 1
    first, = [answer.json() for answer in told if "Idempotent-Replayed" not in answer.headers]
    check_replay(until_accepted(other, key, payload="once"), first)  # it may not know of the 202 at once
    check_replay(send(api, key, payload="once"), first)
    assert api.wait(first["id"])["status"] == "completed"
    check_one_job(api, key, first["id"])


def test_primary_away(make_warren, key):
    """Only submissions with a key need it."""
    warren = make_warren()
    api = warren.api
    first = accepted(send(api, key))
    warren.status_store.kill()
    answer = send(api, key + "-2")
    check_problem(answer, 503, words="idempotency keys cannot be looked up just now")
    assert int(answer.headers["Retry-After"]) >= 1
    assert send(api, key).status_code == 503
    assert send(api, None).status_code == 202
    assert refused(warren.gateway, "keys") >= 2
    warren.status_store.start()
    check_replay(until_accepted(api, key), first)
    accepted(until_accepted(api, key + "-2"))


def test_registry_that_cannot_be_written(make_warren, key):
    """As on a full disk. The locked file lets the same calls fail; then all goes on."""
    warren = make_warren()
    api = warren.api
    first = accepted(send(api, key))
    path = warren.status_store.settings["registry"]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        check_problem(send(api, key + "-2"), 503, words="cannot be looked up")
        assert send(api, None).status_code == 202
        other.execute("ROLLBACK")
    made = accepted(until_accepted(api, key + "-2"))
    check_replay(until_accepted(api, key), first)
    check_replay(send(api, key + "-2"), made)
    check_one_job(api, key + "-2", made["id"])


def test_hanging_primary_does_not_hold_the_others(make_warren, key):
    """At most three quarters of the threads wait for it, which leaves the others to who needs no claim."""
    warren = make_warren(settings={"gateway": {"threads": 8}})
    api, other = warren.api, warren.tenant("other").api
    api.run("noop")
    warren.status_store.hang()
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send_many, [Api(one.url, one.key) for _ in range(10) for one in (api, other)], key, 20)
        until_waiting(warren.gateway, 6)
        assert send(Api(api.url, api.key), None).status_code == 202
        assert not sent.done()
        assert {answer.status_code for answer in sent.result()} == {503}
    warren.status_store.go_on()
    accepted(until_accepted(api, key))


def test_one_tenant_leaves_others_places_for_keys(make_warren, key):
    """Also one that is over its rate, whose keys are only looked up, and one that sends dry runs."""
    warren = make_warren(settings={"gateway": {"threads": 8}})
    api, tiny = warren.api, warren.tenant("tiny", rate="1/1h", burst=1).api
    accepted(send(api, None))
    accepted(send(tiny, None))

    def dry_run():
        return Api(tiny.url, tiny.key).request("POST", "/jobs?dry_run=true", json={"type": "noop"},
                                               headers={"Idempotency-Key": key})

    warren.status_store.hang()
    with ThreadPoolExecutor(5) as pool:
        looks = [pool.submit(look) for look in 2 * [dry_run, lambda: send(Api(tiny.url, tiny.key), key)]]
        until_waiting(warren.gateway, 4)
        for answer in (dry_run(), send(tiny, key)):
            check_problem(answer, 503, words="too many submissions with a key of this tenant")
            assert answer.headers["Retry-After"] == "1"
        others = pool.submit(send, api, key)
        until_waiting(warren.gateway, 5)
        warren.status_store.go_on()
        accepted(others.result())
        assert {look.result().status_code for look in looks} == {429}


def test_gateway_suspended_with_a_claim(make_warren, key):
    """It publishes nothing with a claim that may be over before the confirm, and gives the claim back."""
    warren = make_warren(settings={"status-store": {"claims_lease": "1s"}})
    api = warren.api
    api.run("noop")
    warren.status_store.hang()
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send, api, key)
        until_asked(warren.status_store)
        warren.gateway.hang()
        too_late = Moment(0.5)  # a third of the lease is over
        warren.status_store.go_on()
        until(lambda: warren.status_store.metrics()["warren_claims"] == 1, what="the key is claimed")
        too_late.until_past()
        warren.gateway.go_on()
        check_problem(sent.result(), 503, words="too old")
    until(lambda: warren.status_store.metrics()["warren_claims"] == 0, what="the claim is released")
    made = accepted(send(api, key))
    api.wait(made["id"])
    check_one_job(api, key, made["id"])


def test_status_database_deleted(make_warren, forwarder, key):
    """The key replays before the projection has anything again."""
    warren = make_warren()
    api = warren.api
    first = accepted(send(api, key))
    api.wait(first["id"])
    warren.status_store.stop()
    for path in warren.folder.glob("status.db*"):
        path.unlink()
    forwarder.closed.add("follow")  # it cannot read the event stream
    warren.status_store.settings["amqp_urls"] = forwarder.url(warren.vhost)
    warren.status_store.start(ready=False)
    check_replay(until_accepted(api, key), first)
    assert api.request("GET", f"/jobs/{first['id']}").status_code == 404
    forwarder.heal("follow")
    warren.status_store.wait_ready()
    api.wait(first["id"])
    check_replay(send(api, key), first)


def test_old_claims_go(make_warren, key):
    warren = make_warren(settings={"status-store": {"claims_keep": "8s", "claims_lease": "8s"}})
    api = warren.api
    first = accepted(send(api, key))
    check_replay(send(api, key), first)

    def fresh():
        answer = send(api, key)
        return "Idempotent-Replayed" not in answer.headers and answer

    second = accepted(until(fresh, 30, "the key is forgotten"))
    assert second["id"] != first["id"]


def test_tenant_made_again_has_no_keys(make_warren, key):
    """A new tenant with the name of a deleted one gets none of its answers."""
    warren = make_warren(settings={"status-store": {"tenant_delete_after": "1s"}})
    old = warren.tenant("again").api
    first = accepted(send(old, key))
    old.wait(first["id"])
    assert warren.admin.request("DELETE", "/tenants/again").status_code == 204
    made = until(lambda: (a := warren.admin.request("POST", "/tenants?reuse=true", json={"name": "again"})).
                 status_code == 201 and a.json(), 60, "the name is free")
    new = Api(warren.url, made["key"])
    until(lambda: new.request("GET", "/jobs?limit=1").status_code == 200, 30, "the new key is known")
    second = accepted(send(new, key))
    assert second["id"] != first["id"]
    assert new.wait(second["id"])["status"] == "completed"


def test_too_many_keys(make_warren, key):
    warren = make_warren(settings={"status-store": {"claims_max": "1"}})
    api = warren.api
    first = accepted(send(api, key))
    answer = send(api, key + "-2")
    assert check_problem(answer, 429)["type"] == "urn:warren:problem:keys-full"
    assert int(answer.headers["Retry-After"]) >= 1
    check_replay(send(api, key), first)
    assert send(api, None).status_code == 202


def test_in_flight_then_unknown_then_the_same_job(behind, forwarder, key):
    """The confirm of the queue does not come: the outcome is unknown, and the same key makes the same job."""
    api = behind.api
    forwarder.mute.add("queues")
    answers = send_many([Api(api.url, api.key) for _ in range(5)], key, 5)
    unknown, = [answer for answer in answers if answer.status_code == 503]
    assert unknown.json()["accepted"] == "unknown"
    assert "same idempotency key" in unknown.json()["detail"]
    for answer in answers:
        if answer is not unknown:
            check_in_flight(answer)
    forwarder.renew("queues")
    again = until_accepted(api, key).json()  # a replay, if the status-store has seen the job start
    assert again["id"] == unknown.json()["id"]
    job = api.wait(again["id"])
    assert job["status"] == "completed"
    check_replay(send(api, key), again)
    assert len(api.attempts(again["id"])["attempts"]) == 1
    check_one_job(api, key, again["id"])


@pytest.mark.parametrize("how", ["no confirm", "connection lost"])
def test_unknown_keeps_its_lease(behind, forwarder, key, how):
    """What was published may still be on its way, so that nobody publishes it again at once."""
    api = behind.api
    forwarder.deaf.add("queues")
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send, api, key)
        if how == "connection lost":
            until(lambda: forwarder.swallowed["queues"], what="it is published")
            forwarder.reset("queues")
        unknown = sent.result()
    assert unknown.json()["accepted"] == "unknown"
    check_in_flight(send(api, key))
    forwarder.renew("queues")
    again = accepted(until_accepted(api, key))
    assert again["id"] == unknown.json()["id"]
    assert api.wait(again["id"])["status"] == "completed"
    assert len(api.attempts(again["id"])["attempts"]) == 1


def test_answer_told_late_is_replayed_as_accepted(behind, forwarder, key):
    api = behind.api
    forwarder.deaf.add("packs")
    late = send(api, key)
    assert late.status_code == 202 and late.json()["told"] is False
    assert send(api, key + "-2").status_code == 503  # nothing is accepted before the stream confirms again
    check_replay(send(api, key), late.json())
    forwarder.heal("packs")
    accepted(until_accepted(api, key + "-2"))
    api.wait(late.json()["id"])
