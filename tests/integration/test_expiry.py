# SPDX-License-Identifier: Apache-2.0
"""A job that was not started when it expires is not run, wherever it waits: it ends `cancelled`, reason
`expired`."""
import datetime
import json
import time

import pika
import pytest
import requests

from cli_rig import Cli
from harness.events import Events
from harness.publish import publish
from harness.until import until
from harness.warren import Warren, default_handlers

LATE = 3  # s after it expires in which a job must be cancelled while a consumer has it
SLOW = 6  # s that a job `slow` takes: one that waits for its end ends later than LATE


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def handlers_of(folder):
    handlers = default_handlers()
    note = f"echo $WARREN_JOB_ID >>{folder}/ran; "
    handlers["types"]["note"] = {"exec": ["/bin/sh", "-c", note + "echo true"]}
    handlers["types"]["slow"] = {"exec": ["/bin/sh", "-c", note + f"sleep {SLOW}; echo true"]}
    handlers["types"]["rare"] = {**handlers["types"]["noop"]}
    handlers["types"]["late_retry"] = {
        "exec": ["/bin/sh", "-c", note + "echo broken >&2; exit 1"],
        "retry": {"base": "1m", "cap": "1m", "jitter": 0}}
    return handlers


@pytest.fixture(scope="module")
def whole(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expiry")
    made = Warren(broker, folder, settings={"consumer": {"concurrency": 2, "no_handler_wait": "1h"}},
                  start=False)
    made.write_handlers(handlers_of(folder))
    made.start()
    made.tenant("acme", amqp_login=True)
    yield made
    made.end()


def has_run(warren, id):
    path = warren.folder / "ran"
    return path.exists() and id in path.read_text(encoding="utf-8").split()


def check_expired(warren, id, attempts=0, late=LATE, api=None):
    """It was cancelled in time; returns it."""
    api = api or warren.api
    job = api.wait(id)
    assert (job["status"], job["reason"], job["result"]) == ("cancelled", "expired", None), job
    assert (job["attempt"], job["duration_ms"]) == (attempts, None)
    assert [a["attempt"] for a in api.attempts(id)["attempts"]] == list(range(1, attempts + 1))
    if late is not None:
        assert 0 <= seconds(job["finished_at"]) - seconds(job["expires_at"]) < late
    return job


def emptied(warren, queue):
    until(lambda: warren.depth(queue) == 0, 30, f"{queue} is empty")


def call_primary(warren, tenant, what):
    """Pauses or resumes the tenant; returns when the consumer knows."""
    token = (warren.folder / "internal.token").read_text(encoding="utf-8").strip()
    answer = requests.post(
        f"http://127.0.0.1:{warren.status_store.port}/internal/v1/tenants/{tenant}/{what}?tenant=*",
        headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.ok, answer.text
    consumers = 0 if what == "pause" else 1
    until(lambda: warren.broker.queues(warren.vhost)[f"jobs.{tenant}.medium"].get("consumers") == consumers,
          30, what, every=0.2)


def test_the_time_is_answered_and_shown(whole, tmp_path):
    before = time.time()
    accepted = whole.api.submit("noop", expires="1h")
    assert 3599 < seconds(accepted["expires_at"]) - before < 3601
    job = whole.api.wait(accepted["id"])
    assert (job["status"], job["expires_at"]) == ("completed", accepted["expires_at"])
    shown = Cli(whole, whole.tenant("acme").key, tmp_path)("get", job["id"])
    assert "expires at" in shown.stdout and job["expires_at"] in shown.stdout
    never = whole.api.submit("noop")
    assert never["expires_at"] is None and whole.api.wait(never["id"])["expires_at"] is None


def test_one_that_arrives_expired_is_told_and_counted(whole):
    counted = whole.consumer.metrics().sum("warren_jobs_processed_total", status="expired")
    cancelled = whole.api.stats()["cancelled"]
    with whole.tenant("acme").pika() as connection:
        id = publish(connection.channel(), "acme", "note", headers={"x-expires-at": 0})
    job = check_expired(whole, id, late=None)
    assert job["expires_at"] == "1970-01-01T00:00:00.001Z" and not has_run(whole, id)
    assert whole.api.stats()["cancelled"] == cancelled + 1
    assert whole.consumer.metrics().sum("warren_jobs_processed_total", status="expired") == counted + 1
    events = Events(whole)
    told, = events.until(lambda: events.of(id, "cancelled"), what="the event")
    events.close()
    assert (told["reason"], told["running"], told["type"]) == ("expired", False, "note")
    assert "attempt" not in told
    emptied(whole, "jobs.acme.medium")


def test_one_from_outside_that_is_due_too_late_ends_when_it_expires(whole):
    now = int(time.time() * 1000)
    with whole.tenant("acme").pika() as connection:
        ids = [publish(connection.channel(), "acme", "note",
                       headers={"x-run-at": now + delay, "x-expires-at": now + 1500})
               for delay in (1500, 2000, 60000)]
    for id in ids:
        check_expired(whole, id)
        assert not has_run(whole, id)


def test_what_runs_goes_on(whole):
    job = whole.api.run("slow", expires=4)
    assert job["status"] == "completed" and job["finished_at"] > job["expires_at"]


def test_a_delayed_one_runs_in_time(whole):
    job = whole.api.run("note", delay=1, expires=10)
    assert job["status"] == "completed" and job["run_at"] <= job["started_at"] < job["expires_at"]


def test_one_that_comes_due_too_late(whole):
    """Nothing took it in time: its consumer was stopped."""
    whole.consumer.hang()
    id = whole.api.submit("note", delay=3, expires=4)["id"]
    submitted = time.time()
    until(lambda: time.time() > submitted + 4.5, what="it has expired")
    whole.consumer.go_on()
    check_expired(whole, id, late=30)
    assert not has_run(whole, id)


def test_while_it_waits_for_a_worker(whole):
    busy = [whole.api.submit("slow")["id"] for _ in range(2)]
    for id in busy:
        whole.api.wait(id, "running")
    job = check_expired(whole, whole.api.submit("note", expires=1)["id"])
    assert not has_run(whole, job["id"])
    assert [whole.api.get(id)["status"] for id in busy] == ["running", "running"]
    for id in busy:
        assert whole.api.wait(id)["status"] == "completed"


def test_while_it_waits_for_its_tenants_slot(whole):
    tenant = whole.tenant("narrow", max_running=1)
    busy = tenant.api.submit("slow")["id"]
    tenant.api.wait(busy, "running")
    job = check_expired(whole, tenant.api.submit("note", expires=1)["id"], api=tenant.api)
    assert not has_run(whole, job["id"]) and tenant.api.get(busy)["status"] == "running"
    assert tenant.api.wait(busy)["status"] == "completed"
    assert tenant.api.run("note")["status"] == "completed", "the slot was not lost"


def record_of(warren, type):
    """The type's limits as the consumer read them last; {}: not yet."""
    whole_lines = warren.consumer.log().split("\n")[:-1]
    lines = [json.loads(line) for line in whole_lines if "a type's limits" in line]
    return ([line for line in lines if line["type"] == type] or [{}])[-1]


@pytest.mark.parametrize("limit", ({"max_running": 1}, {"max_rate": "1/1m"}), ids=lambda limit: list(limit)[0])
def test_while_it_waits_for_its_types_limit(whole, limit):
    name = list(limit)[0]
    value, version = {"max_running": ("max_running", "slots_version"), "max_rate": ("rate", "rate_version")}[name]
    before = record_of(whole, "slow").get(version, 0)
    answer = whole.admin.request("PATCH", "/types/slow", json=limit)
    assert answer.ok, answer.text
    until(lambda: (record := record_of(whole, "slow")) and record[value] == 1 and record[version] > before,
          30, "the consumer knows it")
    busy = whole.api.submit("slow")["id"]
    whole.api.wait(busy, "running")
    ids = [whole.api.submit("slow", expires=1)["id"] for _ in range(5)]
    for id in ids:
        check_expired(whole, id)
        assert not has_run(whole, id)
    assert whole.api.wait(busy)["status"] == "completed"
    assert whole.admin.request("PATCH", "/types/slow", json={name: "unlimited"}).ok
    assert whole.api.run("slow")["status"] == "completed"


def test_while_no_consumer_has_its_handler(whole):
    check_expired(whole, whole.api.submit("nobodys", expires=1)["id"])


def put_pause(warren, version, paused):
    with warren.pika("warren-provision") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        record = {"record": "pause", "key": "type:rare", "v": version, "paused": paused}
        channel.basic_publish("control", "", json.dumps(record), pika.BasicProperties(
            user_id="warren-provision", delivery_mode=2, content_type="application/json"))


def test_while_its_type_is_paused(whole):
    put_pause(whole, 1, True)
    until(lambda: whole.api.submit("rare") and whole.depth("delay.10s"), 30, "the type is paused", every=0.2)
    check_expired(whole, whole.api.submit("rare", expires=1)["id"])
    put_pause(whole, 2, False)


def test_while_it_waits_for_its_retry(whole):
    id = whole.api.submit("late_retry", expires=5)["id"]
    failed = whole.api.wait(id, "failed")
    assert failed["run_at"] == failed["expires_at"], "its wait ends then"
    job = check_expired(whole, id, attempts=1)
    assert (job["error_kind"], "broken" in job["error"]) == ("error", True), "the last error stays"
    attempt, = whole.api.attempts(id)["attempts"]
    assert attempt["outcome"] == "failed"


def test_while_its_tenant_is_paused(whole):
    """No consumer takes it: the primary tells. A consumer acks it, once it gets it."""
    tenant = whole.tenant("sleepy")
    call_primary(whole, "sleepy", "pause")
    ids = [tenant.api.submit("note", expires=1)["id"] for _ in range(3)]
    stays = tenant.api.submit("note", expires="1h")["id"]
    for id in ids:
        check_expired(whole, id, api=tenant.api, late=8)
    assert tenant.api.get(stays)["status"] == "pending"
    call_primary(whole, "sleepy", "resume")
    assert tenant.api.wait(stays)["status"] == "completed"
    emptied(whole, "jobs.sleepy.medium")
    assert not [id for id in ids if has_run(whole, id)]
    for id in ids:
        check_expired(whole, id, api=tenant.api, late=None)


def test_while_no_consumer_runs(whole):
    assert whole.consumer.stop() == 0
    try:
        ids = [whole.api.submit("note", expires=1, delay=delay)["id"] for delay in (0, 0.5)]
        many = [whole.api.submit("note", expires=1)["id"] for _ in range(250)]
        for id in ids + many[:1] + many[-1:]:
            check_expired(whole, id, late=15)
    finally:
        whole.consumer.start()
    emptied(whole, "jobs.acme.medium")
    assert whole.api.run("note")["status"] == "completed"
    assert not [id for id in ids + many if has_run(whole, id)]


def test_a_replay_does_not_expire(whole):
    id = whole.api.submit("fail", {"permanent": True}, expires=5, max_retries=0)["id"]
    dead = whole.api.wait(id)
    assert (dead["status"], dead["expires_at"] is None) == ("dead", False)
    letter, = until(lambda: whole.api.letters(job=id), 30, "its letter")
    time.sleep(max(0, seconds(dead["expires_at"]) - time.time()))
    whole.api.requeue(letter["id"])
    again = until(lambda: (job := whole.api.get(id))["run"] == 2 and job["status"] == "dead" and job, 30,
                  "its second run")
    assert (again["expires_at"], len(whole.api.attempts(id)["attempts"])) == (None, 2)
