# SPDX-License-Identifier: Apache-2.0
"""Types that not every consumer handles: a job goes to a consumer that handles its type or waits for one.
It is buried only when no consumer had a handler for long enough."""
import json
import signal
import time

import pytest
import requests

from cli_rig import Cli
from harness.events import Events
from harness.publish import publish
from harness.until import until
from harness.warren import default_handlers


def write_handlers(warren, name, *types):
    """Writes a handlers file of that name with only these types; returns its path."""
    handlers = default_handlers()
    handlers["types"] = {type: {"plugin": "basic", "handler": type.split(".")[0]}
                         for type in types}
    path = warren.folder / f"{name}.json"
    path.write_text(json.dumps(handlers), encoding="utf-8")
    return path


def make(make_warren, wait, *types):
    whole = make_warren(settings={"consumer": {"no_handler_wait": wait}}, start=False)
    write_handlers(whole, "handlers", *types)
    whole.start()
    whole.tenant("acme", amqp_login=True)
    return whole


def hops_of(events, id):
    return [headers for _, headers in events.hops(id)]


def test_each_consumer_leaves_to_others_what_it_does_not_handle(make_warren):
    whole = make(make_warren, "1s", "echo")
    whole.add_consumer(handlers=write_handlers(whole, "other", "noop"))
    with whole.tenant("acme").pika() as connection:
        channel = connection.channel()
        ids = [publish(channel, "acme", type, 1) for type in ("echo", "noop") for _ in range(30)]
    events = Events(whole)
    assert events.await_ended(ids) == set(ids)
    events.close()
    assert not events.burials()
    assert all(count == 1 for count in events.starts(ids).values())
    told = [line for line in events.lines if line["event"] == "started"]
    assert {line["attempt"] for line in told} == {1}
    assert any(hops_of(events, id) for id in ids)


def test_a_job_that_hops_before_it_is_due_is_not_early(make_warren):
    whole = make(make_warren, "1m", "echo")
    whole.add_consumer(handlers=write_handlers(whole, "other", "noop"))
    before = time.time() * 1000
    with whole.tenant("acme").pika() as connection:
        channel = connection.channel()
        ids = [publish(channel, "acme", type, 1, headers={"x-delay": 950})
               for type in ("echo", "noop") for _ in range(30)]
    events = Events(whole)
    assert events.await_ended(ids) == set(ids)
    events.close()
    assert any(hops_of(events, id) for id in ids), "each job met its own consumer first"
    early = [line["at"] - before for line in events.lines
             if line["event"] == "started" and line["at"] < before + 950]
    assert not early


def test_a_deployment_adds_a_type(make_warren):
    """Jobs of a type that only later consumers handle: the first of these takes all jobs."""
    whole = make(make_warren, "10m", "noop")
    ids = [whole.api.submit("echo.new", n)["id"] for n in range(20)]
    until(lambda: '"type":"echo.new"' in whole.consumer.log(), 30, "the type named in the log")
    assert whole.consumer.log().count("no live consumer handles a type") == 1
    assert whole.api.run("noop")["status"] == "completed"
    assert whole.api.stats()["unhandled_types"] == ["echo.new"]
    doctor = Cli(whole, whole.tenant("acme").key, whole.folder)("doctor", "--json")
    wrong = [check for check in json.loads(doctor.stdout)["checks"] if check["state"] == "wrong"]
    assert [check["check"] for check in wrong] == ["handlers"]
    assert "echo.new" in wrong[0]["problem"] and "handlers.json" in wrong[0]["remedy"]
    whole.add_consumer(handlers=write_handlers(whole, "next", "noop", "echo.new"))
    for id in ids:
        job = whole.api.wait(id)
        assert (job["status"], job["attempt"]) == ("completed", 1)
    until(lambda: whole.api.stats()["unhandled_types"] == [], 30, "none unhandled")


def test_what_nobody_handles_is_buried_after_a_while(make_warren):
    whole = make(make_warren, "4s", "noop")
    id = whole.api.submit("nobody.knows", {"a": 1})["id"]
    job = whole.api.wait(id)
    assert (job["status"], job["reason"], job["payload"]) == ("dead", "no_handler", {"a": 1})
    assert "nobody.knows" in job["error"]
    events = Events(whole)
    events.until(lambda: events.burials(id), what="a burial")
    events.close()
    headers = hops_of(events, id)
    found = {h["x-unhandled-at"] for h in headers if "x-unhandled-at" in h}
    assert len(found) == 1, "when it was first found does not change"
    buried = events.burials(id)[0][0].headers
    assert buried["x-queued-at"] - found.pop() >= 4000
    assert len(headers) <= 12
    assert not events.of(id, "started")


def test_nothing_is_buried_while_nobody_can_say_who_handles_it(make_warren):
    whole = make(make_warren, "0s", "noop")
    whole.status_store.stop()
    id = whole.api.submit("nobody.knows")["id"]
    events = Events(whole)
    events.until(lambda: len(hops_of(events, id)) >= 6, what="hops")
    assert not events.burials()
    whole.status_store.start()
    events.until(lambda: events.burials(id), what="a burial")
    events.close()


def test_what_is_buried_by_none_can_be_replayed_to_one(make_warren):
    """A replay starts a new wait for a handler."""
    whole = make(make_warren, "1s", "noop")
    id = whole.api.submit("echo.late", 7)["id"]
    assert whole.api.wait(id)["reason"] == "no_handler"
    letter = until(lambda: whole.api.letters(job=id), 30, "the letter")[0]
    write_handlers(whole, "handlers", "noop", "echo.late")
    whole.consumer.signal(signal.SIGHUP)
    until(lambda: "handlers were read again" in whole.consumer.log(), 30, "a reload")
    whole.api.requeue(letter["id"])
    job = whole.api.wait(id, "completed")
    assert (job["run"], job["result"]) == (2, 7)


def test_a_reload_is_told_at_once(make_warren):
    """Three reloads within the 5 s between two worker records."""
    whole = make(make_warren, "1s", "noop")
    for n in range(1, 4):
        write_handlers(whole, "handlers", "noop", f"echo.{n}")
        whole.consumer.signal(signal.SIGHUP)
        until(lambda: whole.consumer.log().count("handlers were read again") == n, 30, "a reload")
    events = Events(whole)

    def told():
        return {type for line in events.lines if line["event"] == "worker"
                for type in line["types"]} >= {"echo.1", "echo.2", "echo.3"}

    events.until(told, what="all three sets of types")
    events.close()


def test_a_claim_from_outside_does_not_count(make_warren):
    """Only consumers may set x-unhandled-at."""
    whole = make(make_warren, "1h", "noop")
    with whole.tenant("acme").pika() as connection:
        channel = connection.channel()
        id = publish(channel, "acme", "nobody.knows", headers={"x-unhandled-at": 1})
    events = Events(whole)
    events.until(lambda: [h for h in hops_of(events, id) if "x-unhandled-at" in h], what="a hop")
    events.until(lambda: len(hops_of(events, id)) >= 4, what="hops")
    events.close()
    assert not events.burials(id)
    first = [h for h in hops_of(events, id) if "x-unhandled-at" in h][0]
    assert first["x-unhandled-at"] > 1732250000000


@pytest.mark.parametrize("body,status", [
    ({"types": ["noop", "nobody.knows", "noop"]}, 200), ({"types": []}, 200), ({}, 422),
    ({"types": "noop"}, 422), ({"types": ["no such"]}, 422), ({"types": [1]}, 422),
    ({"types": ["noop"] * 257}, 422), ("nothing", 400)])
def test_the_status_store_says_who_handles_a_type(warren, body, status):
    token = (warren.folder / "internal.token").read_text(encoding="utf-8").strip()

    def ask():
        return requests.post(
            f"http://127.0.0.1:{warren.status_store.port}/internal/v1/types/check",
            headers={"Authorization": f"Bearer {token}"}, json=body, timeout=30)

    assert ask().status_code == status, ask().text
    if status != 200:
        return
    want = [{"type": type, "workers": int(type == "noop")} for type in body["types"]]
    until(lambda: ask().json()["types"] == want, 30, "an answer")
    assert ask().json()["lag_ms"] >= 0
