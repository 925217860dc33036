# SPDX-License-Identifier: Apache-2.0
"""Why a job waits: each code is brought about, and ended."""
import signal
import time

import pytest

from harness.pauses import pause, resume, set_paused
from harness.until import until
from harness.warren import Warren, default_handlers
from why_rig import ask, await_code, await_end, seconds


def with_limits(**concurrency):
    """Handlers of which some have a running limit in each consumer."""
    handlers = default_handlers()
    for type, most in concurrency.items():
        handlers["types"][type]["concurrency"] = most
    return handlers


@pytest.fixture(name="whole", scope="module")
def whole_(broker, tmp_path_factory):
    """Shared by the tests that leave it as it was."""
    made = Warren(broker, tmp_path_factory.mktemp("warren"),
                  settings={"consumer": {"concurrency": 4, "no_handler_wait": "10m"}})
    yield made
    made.end()


def hold(api):
    """A job that runs until it is let go."""
    id = api.submit("sleep", {"ms": 25000})["id"]
    api.wait(id, "running")
    return id


def let_go(api, *ids):
    for id in ids:
        assert api.request("POST", f"/jobs/{id}/cancel").status_code == 202
        assert api.wait(id)["status"] == "cancelled"


def test_delayed(whole):
    job = whole.api.submit("noop", delay="3s")["id"]
    answer = await_code(whole, job, "delayed")
    assert answer["next"] == answer["evidence"]["run_at"] == whole.api.get(job)["run_at"]
    assert answer["since"] == whole.api.get(job)["created_at"]
    assert answer["text"] == f"it is due at {answer['next']}"
    done = await_end(whole, job)
    assert abs(seconds(done["started_at"]) - seconds(answer["next"])) < 1


def test_backoff(make_warren):
    handlers = default_handlers()
    handlers["defaults"]["retry"] = {"base": "3s", "factor": 1, "cap": "3s", "jitter": 0}
    whole = make_warren(handlers=handlers)
    job = whole.api.submit("fail", {"times": 1}, max_retries=1)["id"]
    answer = await_code(whole, job, "backoff")
    assert answer["evidence"]["attempt"] == 1 and answer["evidence"]["max_retries"] == 1
    assert answer["evidence"]["error"]
    await_end(whole, job)
    last = whole.api.attempts(job)["attempts"][1]
    assert abs(seconds(last["started_at"]) - seconds(answer["next"])) < 1


def test_tenant_paused(whole):
    set_paused(whole.api, "pause", "tenants/acme")
    job = whole.api.submit("noop")["id"]
    answer = await_code(whole, job, "tenant_paused")
    assert answer["text"] == "tenant acme is paused"
    set_paused(whole.api, "resume", "tenants/acme")
    await_end(whole, job)


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_type_paused(whole, tenant):
    pause(whole, "sleep", tenant)
    other = whole.api.submit("noop")["id"]
    job = whole.api.submit("sleep", {"ms": 0}, delay="200ms")["id"]
    answer = await_code(whole, job, "type_paused", of_tenant=tenant is not None)
    assert answer["evidence"]["by"] == f"key {whole.admin_key[3:11]}" and answer["since"]
    await_end(whole, other)
    resume(whole, "sleep", tenant)
    until(lambda: ask(whole, job)["code"] != "type_paused", 30, "not paused any more")
    await_end(whole, job)


def test_no_worker(whole):
    job = whole.api.submit("unheard_of")["id"]
    answer = await_code(whole, job, "no_worker")
    assert answer["evidence"] == {"live_workers": 0, "draining": 0, "last": None}
    assert answer["text"] == "no live worker handles type unheard_of"
    handlers = default_handlers()
    handlers["types"]["unheard_of"] = handlers["types"]["noop"]
    whole.write_handlers(handlers)
    whole.consumer.signal(signal.SIGHUP)
    await_end(whole, job)


def test_behind_says_how_many(whole):
    jobs = [hold(whole.api) for _ in range(4)]
    waiting = [whole.api.submit("noop", priority="high")["id"] for _ in range(3)]
    last = whole.api.submit("noop")["id"]
    answer = await_code(whole, last, "behind", ahead=3)
    assert answer["evidence"]["lanes"] == {"high": 3} and not answer["evidence"]["ahead_is_capped"]
    assert answer["text"] == "3 jobs of its tenant are ahead of it"
    let_go(whole.api, *jobs)
    for job in [*waiting, last]:
        await_end(whole, job)


def test_type_limit_of_consumers(make_warren):
    whole = make_warren(settings={"consumer": {"concurrency": 4}}, handlers=with_limits(sleep=1))
    first = hold(whole.api)
    second = whole.api.submit("sleep", {"ms": 0})["id"]
    answer = await_code(whole, second, "type_limit", scope="consumer")
    assert [(w["running"], w["concurrency"]) for w in answer["evidence"]["workers"]] == [(1, 1)]
    let_go(whole.api, first)
    await_end(whole, second)


def test_unknown_while_the_consumer_is_stopped(whole):
    until(lambda: whole.api.run("noop"), 30, "a job has run")
    whole.consumer.signal(signal.SIGSTOP)
    try:
        job = whole.api.submit("noop")["id"]
        answer = await_code(whole, job, "unknown")
        assert answer["since"] is None and answer["evidence"]["workers"] == 1
        answer = await_code(whole, job, "no_worker", timeout=40)
        assert answer["evidence"]["last"]["worker"]
    finally:
        whole.consumer.signal(signal.SIGCONT)
    await_end(whole, job)


def test_unknown_job(whole):
    other = whole.tenant("other").api
    job = whole.api.run("noop")["id"]
    for id, api in ((job, other), ("0190a000-0000-7000-8000-000000000000", whole.api)):
        assert api.request("GET", f"/jobs/{id}/why").status_code == 404
    assert whole.api.request("GET", f"/jobs/{job}/why?broker=down").status_code == 400


def limited(whole, tenant="acme", type=None, **limits):
    """Sets limits by the API, and waits until they are in force and their tokens counted."""
    path = f"/types/{type}" if type else f"/tenants/{tenant}"
    answer = whole.admin.request("PATCH", path, json=limits)
    assert answer.status_code in (200, 202), answer.text


def test_no_slot_names_the_holders(whole):
    narrow = whole.tenant("narrow", max_running=1).api
    holder = hold(narrow)
    job = narrow.submit("noop")["id"]
    answer = await_code(whole, job, "no_slot", api=narrow)
    assert answer["evidence"]["limit"] == answer["evidence"]["running"] == 1
    (held,) = answer["evidence"]["holders"]
    assert (held["id"], held["type"], held["tenant"]) == (holder, "sleep", "narrow")
    assert held["worker"] == narrow.get(holder)["worker"] and held["started_at"]
    assert answer["evidence"]["holders_left_out"] == 0
    assert answer["text"] == "all 1 slots of tenant narrow are in use"
    let_go(narrow, holder)
    await_end(whole, job, narrow)


def test_type_limit_of_all_shows_no_other_tenants_jobs(whole):
    other = whole.tenant("other").api
    limited(whole, type="sleep", max_running=1)
    until(lambda: whole.admin.request("GET", "/types/sleep").json()["type"]["slots_version"], 30, "slots")
    until(lambda: '"type":"sleep","max_running":1' in whole.consumer.log(), 20, "the consumer has the record")
    holder = hold(other)
    job = whole.api.submit("sleep", {"ms": 0})["id"]
    answer = await_code(whole, job, "type_limit", scope="all")
    assert answer["evidence"]["holders"] == [] and answer["evidence"]["others_jobs"] == 1
    assert holder not in str(answer)
    answer = await_code(whole, job, "type_limit", api=whole.admin)
    assert [held["id"] for held in answer["evidence"]["holders"]] == [holder]
    let_go(other, holder)
    await_end(whole, job)
    limited(whole, type="sleep", max_running="unlimited")


def test_rate(whole):
    limited(whole, type="echo", max_rate="1/20s")
    until(lambda: whole.admin.request("GET", "/types/echo").json()["type"]["rate_version"], 30, "tokens")
    until(lambda: '"type":"echo","max_running":-1,"slots_version":0,"rate":1,' in whole.consumer.log(), 20,
          "the consumer has the record")
    whole.api.run("echo")
    job = whole.api.submit("echo")["id"]  # counts of tokens are not used before they are 10 s old
    answer = await_code(whole, job, "rate")
    assert answer["evidence"]["rate"] == "1/20s" and answer["evidence"]["cooling"] == 1
    assert seconds(answer["next"]) - time.time() < 21
    done = await_end(whole, job)
    assert seconds(done["started_at"]) < seconds(answer["next"]) + 1
