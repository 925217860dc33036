# SPDX-License-Identifier: Apache-2.0
"""The live feed: what each event looks like, the rule by which a client knows a job's status, filters, counts."""
import json
import random
import subprocess

import pytest

from harness.api import in_ms
from harness.until import until
from harness.live import Feed, documented, refused, shown

ORDER = 8


@pytest.fixture()
def feed(warren):
    with Feed(warren.url, warren.tenant("acme").key) as made:
        yield made


def kinds_of(feed, id):
    return [event["kind"] for event in feed.events() if event["id"] == id]


def test_the_life_of_a_job(warren, feed):
    assert feed.hello["tenant"] == "acme" and feed.hello["mode"] == "events" and feed.hello["resumed"] is False
    job = warren.api.submit("echo", {"password": "s3cret"}, priority="high")
    done = feed.event(kind="job_completed", id=job["id"])
    assert done["status"] == "completed" and done["tenant"] == "acme" and done["type"] == "echo"
    assert done["run"] == 1 and done["attempt"] == 1 and done["ms"] >= 0 and len(done["order"]) == ORDER
    started = feed.event(kind="job_started", id=job["id"])
    assert started["status"] == "running" and "/" in started["worker"] and started["priority"] == "high"
    submitted = feed.event(kind="job_submitted", id=job["id"])
    assert submitted["status"] == "pending" and submitted["priority"] == "high"
    assert submitted["order"] < started["order"] < done["order"]
    assert "s3cret" not in json.dumps(feed.seen) and "payload" not in json.dumps(feed.seen)
    history = warren.admin.request("GET", "/stats").json()["history"]
    assert history["skipped_events"] == 0  # what the feed publishes to find its place is none
    assert all(frame["offset"] > feed.hello["offset"] for frame in feed.seen if frame.get("events"))


def test_retry_and_burial(warren, feed):
    job = warren.api.submit("fail", {"message": "no"}, max_retries=1)
    dead = feed.event(kind="job_dlq", id=job["id"])
    failed = feed.event(kind="job_failed", id=job["id"])
    again = feed.event(kind="job_retry", id=job["id"])
    assert failed["status"] == "failed" and failed["attempt"] == 1 and failed["run_at"] and failed["error"]
    assert again["status"] == "pending" and again["attempt"] == 2
    assert dead["status"] == "dead" and dead["reason"] == "exhausted" and dead["attempt"] == 2
    assert dead["error_kind"] == failed["error_kind"] == "error" and dead["type"] == "fail"


def test_scheduled_moved_cancelled_forgotten(warren, feed):
    job = warren.api.submit("echo", delay="1h")
    assert feed.event(kind="job_submitted", id=job["id"])["status"] == "scheduled"
    assert warren.api.request("PATCH", f"/jobs/{job['id']}", json={"run_at": in_ms(7200000)}).status_code == 202
    moved = feed.next(lambda m: any(event.get("copy") for event in m.get("events", [])))["events"][0]
    assert moved["id"] == job["id"] and moved["kind"] == "job_submitted" and moved["status"] == "scheduled"
    assert warren.api.request("POST", f"/jobs/{job['id']}/cancel").status_code == 202
    cancelled = feed.event(kind="job_cancelled", id=job["id"])
    assert cancelled["status"] == "cancelled" and cancelled["by"].startswith("key ") and cancelled["type"] == "echo"
    assert warren.api.request("DELETE", f"/jobs/{job['id']}").status_code == 204
    forgotten = feed.event(kind="job_forgotten", id=job["id"])
    assert forgotten["status"] is None and forgotten["order"] > cancelled["order"]


def test_progress(make_warren):
    warren = make_warren(handlers={"types": {"report": {"exec": [
        "/bin/sh", "-c", "cat >/dev/null; echo '{\"progress\": 0.5, \"message\": \"half\"}' >&3; echo null"]}}})
    with Feed(warren.url, warren.tenant("acme").key, kinds="job_progress", types="report") as feed:
        id = warren.api.submit("report")["id"]
        event = feed.event(id=id)
        assert event["progress"] == 0.5 and event["message"] == "half" and event["status"] == "running"
        assert event["type"] == "report"  # which the event itself does not say


def settled(warren, ids):
    return until(lambda: all(warren.api.get(id)["status"] in ("completed", "dead", "cancelled") for id in ids) and ids,
                 60, "all have ended")


def node_says(events):
    """What the rule in JavaScript makes of them: [[tenant, id, status, type], …]."""
    program = (documented("js") + "const jobs = new Map(); for (const e of JSON.parse(require('fs').readFileSync(0))) "
               "take(jobs, e); console.log(JSON.stringify([...jobs.values()].map("
               "(e) => [e.tenant, e.id, e.status, e.type])))")
    answer = subprocess.run(["node", "-e", program], input=json.dumps(events).encode(), capture_output=True, check=True)
    return {(tenant, id): (status, type) for tenant, id, status, type in json.loads(answer.stdout)}


def test_the_documented_rule_gives_the_status_of_each_job_in_any_order(warren, feed):
    api = warren.api
    ids = [api.submit("noop")["id"] for _ in range(20)]
    ids += [api.submit("fail", {"message": "no"}, max_retries=1)["id"] for _ in range(5)]
    ids += [api.submit("echo", delay="200ms")["id"] for _ in range(5)]
    settled(warren, ids)
    last = api.submit("noop")["id"]
    feed.event(kind="job_completed", id=last)
    events = [event for event in feed.events() if event["id"] in ids]
    want = {("acme", id): (job["status"], job["type"]) for id in ids for job in [api.get(id)]}
    for seed in range(20):
        shuffled = events + random.Random(seed).sample(events, len(events) // 2)
        random.Random(seed).shuffle(shuffled)
        assert {key: (event["status"], event["type"]) for key, event in shown(shuffled).items()} == want
        if seed == 0:
            assert node_says(shuffled) == want


def test_filters(warren):
    key = warren.tenant("acme").key
    with Feed(warren.url, key, types="echo") as by_type, Feed(warren.url, key, status="dead") as by_status, \
            Feed(warren.url, key, kinds=["job_started", "job_dlq"]) as by_kind:
        fails = warren.api.submit("fail", {"message": "no"}, max_retries=0)["id"]
        echo = warren.api.submit("echo")["id"]
        with Feed(warren.url, key, job=[fails]) as by_job:
            warren.api.wait(fails)
            later = warren.api.submit("echo")["id"]
            for feed in (by_type, by_kind):
                feed.event(id=later)
            by_status.event(id=fails)
            by_kind.event(id=fails, kind="job_dlq")
            assert {event["type"] for event in by_type.events()} == {"echo"}
            assert echo in {event["id"] for event in by_type.events()}
            assert {event["status"] for event in by_status.events()} == {"dead"}
            assert {event["kind"] for event in by_kind.events()} == {"job_started", "job_dlq"}
            before = by_job.offset or 0  # without events the offset goes on
            by_job.next(lambda m: m.get("events") == [] and m["offset"] > before)
            assert {event["id"] for event in by_job.events()} <= {fails}


def test_a_filter_is_changed_by_a_message(warren, feed):
    assert feed.filter(types=["echo"], kinds=["job_submitted"]) == {
        "kinds": ["job_submitted"], "types": ["echo"], "status": [], "jobs": [], "tenant": "acme", "mode": "events"}
    warren.api.submit("noop")
    id = warren.api.submit("echo")["id"]
    feed.event(id=id)
    assert {(event["kind"], event["type"]) for event in feed.events()} == {("job_submitted", "echo")}
    assert feed.filter(tenant="acme")["types"] == []
    id = warren.api.submit("noop")["id"]
    feed.event(id=id, kind="job_completed")


@pytest.mark.parametrize("message, detail", [
    ("no json", ""), ("[]", ""), ("{}", "either"), ('{"filter": {}, "ping": 1}', "either"),
    ('{"filter": {"kinds": ["job_x"]}}', "no kind"), ('{"filter": {"types": ["A b"]}}', "type"),
    ('{"filter": {"jobs": ["7"]}}', "no id"), ('{"filter": {"status": "dead"}}', ""),
    ('{"filter": {"mode": "all"}}', "events"), ('{"filter": {"tenant": "other"}}', "tenant"),
    ('{"filter": {"nothing": 1}}', ""), ('{"filter": {"types": ' + json.dumps(["t"] * 101) + "}}", "more than 100"),
    ("[" * 1000 + "]" * 1000, "")])
def test_a_message_that_is_not_understood(feed, message, detail):
    feed.say(message)
    assert detail in feed.next(lambda m: "error" in m)["error"]["detail"]
    feed.say({"ping": {"a": [1, "ä"]}})
    assert feed.next(lambda m: "pong" in m)["pong"] == {"a": [1, "ä"]}


@pytest.mark.parametrize("query", [
    {"kinds": "job_x"}, {"types": "A"}, {"status": "gone"}, {"job": "7"}, {"mode": "all"}, {"offset": "-1"},
    {"offset": "x"}, {"offset": "9" * 16}, {"offset": "1", "mark": "x"}, {"mark": "9" * 16}, {"mask": "a"},
    {"kind": "job_started"}, {"tenant": "*x"},
    {"types": ",".join(f"t{i}" for i in range(101))}])
def test_a_query_that_is_refused(warren, query):
    assert refused(warren.url, warren.tenant("acme").key, **query) == 400


def test_counts(warren, feed):
    acme = warren.api.submit("echo", delay="1h")
    other = warren.tenant("other").api.submit("echo", delay="1h")
    with Feed(warren.url, warren.admin_key, mode="counts") as counting:
        assert counting.hello["mode"] == "counts" and counting.hello["tenant"] == "*"

        def both(message):
            tenants = (message.get("counts") or {"tenants": {}})["tenants"]
            return all(tenants.get(name, {}).get("scheduled", 0) > 0 for name in ("acme", "other"))

        counts = counting.next(both)["counts"]
        assert counts["statuses"]["scheduled"] == sum(t["scheduled"] for t in counts["tenants"].values())
        assert counts["as_of"] and counts["lag_ms"] >= 0 and counting.events() == []
        assert counting.filter(mode="events")["mode"] == "events"
        id = warren.api.submit("noop")["id"]
        counting.event(id=id)
        counting.filter(mode="counts", tenant="other")
        assert set(counting.next(lambda m: "counts" in m)["counts"]["tenants"]) == {"other"}
    feed.filter(mode="counts")
    assert set(feed.next(lambda m: "counts" in m)["counts"]["tenants"]) == {"acme"}
    for api, job in ((warren.api, acme), (warren.tenant("other").api, other)):
        assert api.request("POST", f"/jobs/{job['id']}/cancel").status_code == 202
