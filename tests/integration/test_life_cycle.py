# SPDX-License-Identifier: Apache-2.0
"""The life of a job, once submitted over HTTP and once published by an independent AMQP client."""
import signal
import time

import pika
import pytest
import requests

from harness.events import Events
from harness.publish import publish
from harness.until import until
from harness.warren import default_handlers


class Http:
    name = "http"

    def __init__(self, warren, tenant="acme"):
        self.api = warren.tenant(tenant, amqp_login=True).api

    def submit(self, type, payload=None, priority="medium", max_retries=3, timeout_ms=None,
               delay_ms=0):
        members = {"timeout": f"{timeout_ms}ms"} if timeout_ms else {}
        if delay_ms:
            members["delay"] = f"{delay_ms}ms"
        return self.api.submit(type, payload, priority=priority, max_retries=max_retries,
                               **members)["id"]


class Amqp:
    name = "amqp"

    def __init__(self, warren, tenant="acme"):
        self.tenant = warren.tenant(tenant, amqp_login=True)

    def submit(self, type, payload=None, priority="medium", max_retries=3, timeout_ms=None,
               delay_ms=0):
        headers = {"x-max-retries": max_retries}
        if timeout_ms:
            headers["x-timeout-ms"] = timeout_ms
        if delay_ms:
            headers["x-run-at"] = int(time.time() * 1000) + delay_ms
        with self.tenant.pika() as connection:
            channel = connection.channel()
            return publish(channel, self.tenant.name, type, payload, lane=priority, headers=headers)


@pytest.fixture(params=[Http, Amqp], ids=lambda submitter: submitter.name)
def submitter(request, warren):
    return request.param(warren)


def outcomes(warren, id):
    return [attempt["outcome"] for attempt in warren.api.attempts(id)["attempts"]]


def test_a_job_runs_and_is_completed(warren, submitter):
    payload = {"price": 1.10, "text": "ünïcode ☃", "deep": [[[{}]]], "big": 2**53 + 1}
    job = warren.api.wait(submitter.submit("echo", payload))
    assert job["status"] == "completed"
    assert job["result"] == payload
    # That it completed may be known before its submission is.
    until(lambda: warren.api.get(job["id"])["payload"] == payload, 10, "the payload")
    assert (job["attempt"], job["run"], job["error"]) == (1, 1, None)
    assert outcomes(warren, job["id"]) == ["completed"]


def test_a_failure_is_tried_again(warren, submitter):
    job = warren.api.wait(submitter.submit("fail", {"times": 2}))
    assert (job["status"], job["attempt"]) == ("completed", 3)
    assert outcomes(warren, job["id"]) == ["failed", "failed", "completed"]


def test_retries_are_exhausted(warren, submitter):
    job = warren.api.wait(submitter.submit("fail", {}, max_retries=1))
    assert (job["status"], job["reason"], job["attempt"]) == ("dead", "exhausted", 2)
    assert outcomes(warren, job["id"]) == ["failed", "dead"]
    assert "attempt 2" in job["error"]


def test_no_retries_at_all(warren, submitter):
    job = warren.api.wait(submitter.submit("fail", {}, max_retries=0))
    assert (job["status"], job["reason"], job["attempt"]) == ("dead", "exhausted", 1)


def test_a_permanent_failure_is_not_tried_again(warren, submitter):
    job = warren.api.wait(submitter.submit("fail", {"permanent": True}))
    assert (job["status"], job["reason"], job["attempt"]) == ("dead", "permanent", 1)


def test_a_crash_fails_its_attempt(warren, submitter):
    job = warren.api.wait(submitter.submit("fail", {"crash": True}, max_retries=1))
    assert (job["status"], job["reason"], job["attempt"]) == ("dead", "exhausted", 2)
    assert job["error_kind"] == "crash"
    assert warren.api.wait(submitter.submit("noop"))["status"] == "completed"


def test_a_timeout_kills(warren, submitter):
    job = warren.api.wait(submitter.submit("sleep", {"ms": 600000}, max_retries=0, timeout_ms=300))
    assert (job["status"], job["error_kind"]) == ("dead", "timeout")


def test_a_program_runs(warren, submitter):
    job = warren.api.wait(submitter.submit("word_count", {"text": "one two three two"}))
    assert job["status"] == "completed", job["error"]


@pytest.mark.parametrize("delay_ms", [60, 130, 770, 1500])
def test_a_delayed_job_is_never_early(warren, submitter, delay_ms):
    before = int(time.time() * 1000)
    id = submitter.submit("noop", delay_ms=delay_ms)
    warren.api.wait(id, "completed")
    events = Events(warren)
    started = events.until(lambda: events.of(id, "started"), what="started")
    events.close()
    assert started[0]["at"] >= before + delay_ms
    assert len(started) == 1


def test_a_type_without_handler_is_buried(warren, submitter):
    job = warren.api.wait(submitter.submit("nobody.knows"))
    assert (job["status"], job["reason"]) == ("dead", "no_handler")
    assert "nobody.knows" in job["error"]


def test_a_long_job_runs_in_its_own_lane(warren, submitter):
    id = submitter.submit("echo", "long", timeout_ms=660000, priority="high")
    job = warren.api.wait(id)
    assert (job["status"], job["result"], job["priority"]) == ("completed", "long", "high")
    events = Events(warren)
    events.until(lambda: events.of(id, "completed"), what="completed")
    events.close()
    keys = [key for _, key, properties, _ in events.messages if properties.message_id == id]
    assert keys[-1] in ("long", "acme.long")
    assert len(events.of(id, "started")) == 1


def test_a_result_is_any_json(warren, submitter):
    for payload in (None, True, 0, -1.5e300, "", "nul \u0000 inside", [], {}):
        job = warren.api.wait(submitter.submit("echo", payload))
        assert (job["status"], job["result"]) == ("completed", payload)


def gated_handlers(warren_folder):
    """Handlers with a type `gate`, whose jobs run until the file `open` is there."""
    handlers = default_handlers()
    script = f"while [ ! -e {warren_folder}/open ]; do sleep 0.02; done; echo true"
    handlers["types"]["gate"] = {"exec": ["/bin/sh", "-c", script]}
    return handlers


@pytest.fixture()
def gated(make_warren):
    """A Warren with one worker; jobs of type `gate` occupy it until open_gate()."""
    whole = make_warren(settings={"consumer": {"concurrency": 1}}, start=False)
    whole.write_handlers(gated_handlers(whole.folder))
    whole.start()
    whole.open_gate = (whole.folder / "open").touch
    yield whole
    whole.open_gate()


def wait_held(warren, count):
    until(lambda: warren.held() == count, 30, f"{count} deliveries held")


def started_order(warren, ids):
    events = Events(warren)
    events.until(lambda: len(events.ended(ids)) == len(ids), what="all ended")
    events.close()
    return [line["id"] for line in events.lines if line["event"] == "started" and line["id"] in ids]


def test_the_highest_priority_goes_first(gated):
    api = gated.api
    first = api.submit("gate")["id"]
    api.wait(first, "running")
    ids = {}
    for priority in ("low", "medium", "high", "critical"):
        ids[priority] = api.submit("noop", priority=priority)["id"]
    wait_held(gated, 5)
    gated.open_gate()
    order = started_order(gated, set(ids.values()))
    assert order == [ids[p] for p in ("critical", "high", "medium", "low")]


def test_tenants_take_turns(gated):
    """Many jobs of one tenant do not delay another tenant's job."""
    first = gated.api.submit("gate")["id"]
    gated.api.wait(first, "running")
    crowd = [gated.tenant("crowd").api.submit("noop")["id"] for _ in range(2)]
    late = gated.tenant("late").api.submit("noop")["id"]
    wait_held(gated, 4)
    gated.open_gate()
    order = started_order(gated, {*crowd, late})
    assert order.index(late) <= 1


def test_jobs_do_not_wait_behind_a_busy_consumer_while_another_is_idle(gated):
    """Quick jobs widen the consumer's window; then one job takes very long. The jobs that the consumer
    holds are requeued."""
    own = gated.tenant("stuck", amqp_login=True)  # a login is valid for the whole broker

    def publish_many(count):
        with own.pika() as connection:
            channel = connection.channel()  # its close comes after all publishes
            return [publish(channel, "stuck", "noop", headers={"x-submitted-at": now_ms()})
                    for _ in range(count)]

    def is_wide():
        for id in publish_many(50):
            own.api.wait(id, "completed")
        return '"msg":"window changed"' in gated.consumer.log()

    until(is_wide, 60, "a wide window")
    gate = own.api.submit("gate")["id"]
    own.api.wait(gate, "running")
    behind = publish_many(60)
    until(lambda: gated.held() > 1, 30, "some are taken; how many depends on how quick the jobs were")
    gated.add_consumer()

    def left():
        return [id for id in behind if own.api.get(id)["status"] != "completed"]

    until(lambda: not left(), 25, "all completed")
    assert own.api.get(gate)["status"] == "running"
    gated.open_gate()
    assert own.api.wait(gate)["status"] == "completed"


def test_what_a_busy_consumer_gave_back_comes_in_order_when_it_is_free(gated):
    """The only worker is busy for long: the consumer holds no other job, and serves the lanes in order
    afterwards."""
    api = gated.api
    first = api.submit("gate")["id"]
    api.wait(first, "running")
    ids = {p: api.submit("noop", priority=p)["id"] for p in ("low", "medium", "high")}
    wait_held(gated, 4)
    wait_held(gated, 1)
    ids["critical"] = api.submit("noop", priority="critical")["id"]
    late = gated.tenant("late").api.submit("noop")["id"]
    until(lambda: gated.depth("jobs.acme.critical") == 1 and gated.depth("jobs.late.medium") == 1,
          30, "what comes goes back")
    wait_held(gated, 1)
    gated.open_gate()
    order = started_order(gated, {*ids.values(), late})
    assert [id for id in order if id != late] == [
        ids[p] for p in ("critical", "high", "medium", "low")]
    assert order.index(late) <= 1


RETURNS = 500  # how often, at most, a consumer that is busy for long requeues a job


def test_what_went_back_too_often_is_kept(gated):
    """The consumer holds a job that was requeued too often: the broker buries a message that is returned
    1000 times, even if it never ran."""
    gated.tenant("worn")
    at_primary(gated, "/tenants/worn/pause?tenant=*")
    until(lambda: gated.broker.queues(gated.vhost)["jobs.worn.medium"].get("consumers") == 0, 30,
          "unsubscribed", every=0.2)
    worn = gated.tenant("worn").api.submit("noop")["id"]
    with gated.pika() as connection:
        channel = connection.channel()
        for _ in range(RETURNS):
            method, _, _ = channel.basic_get("jobs.worn.medium")
            channel.basic_reject(method.delivery_tag, requeue=True)
    gated.api.wait(gated.api.submit("gate")["id"], "running")
    fresh = gated.tenant("worn").api.submit("noop")["id"]
    at_primary(gated, "/tenants/worn/resume?tenant=*")
    wait_held(gated, 3)
    wait_held(gated, 2)
    until(lambda: gated.depth("jobs.worn.medium") == 1, 30, "the other one is back")
    with gated.pika() as connection:
        _, properties, _ = connection.channel().basic_get("jobs.worn.medium")
        assert properties.message_id == fresh
    gated.open_gate()
    for id in worn, fresh:
        assert gated.tenant("worn").api.wait(id)["status"] == "completed"


def now_ms():
    return int(time.time() * 1000)


def at_primary(warren, path):
    """Changes a tenant at the primary status-store."""
    token = (warren.folder / "internal.token").read_text(encoding="utf-8").strip()
    answer = requests.post(f"http://127.0.0.1:{warren.status_store.port}/internal/v1{path}",
                           headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.ok, answer.text


def test_a_paused_tenant_waits(gated):
    gated.tenant("sleepy")
    at_primary(gated, "/tenants/sleepy/pause?tenant=*")
    until(lambda: gated.broker.queues(gated.vhost)["jobs.sleepy.medium"].get("consumers") == 0, 30,
          "unsubscribed", every=0.2)
    id = gated.tenant("sleepy").api.submit("noop")["id"]
    assert gated.api.wait(gated.api.submit("noop")["id"])["status"] == "completed"
    assert gated.depth("jobs.sleepy.medium") == 1
    assert gated.tenant("sleepy").api.wait(id, "pending")["attempt"] <= 1
    at_primary(gated, "/tenants/sleepy/resume?tenant=*")
    assert gated.tenant("sleepy").api.wait(id)["status"] == "completed"


def test_a_deleted_tenant_is_left_alone(warren):
    """Only the deleted tenant's queues lose their consumers."""
    assert warren.tenant("brief").api.run("noop")["status"] == "completed"

    def consumers(tenant):
        row = warren.broker.queues(warren.vhost).get(f"jobs.{tenant}.medium", {})
        return row.get("consumers")

    until(lambda: consumers("brief") == 1, 30, "subscribed", every=0.2)
    assert warren.admin.request("DELETE", "/tenants/brief").status_code == 204
    until(lambda: not consumers("brief"), 30, "unsubscribed", every=0.2)
    assert warren.api.run("noop")["status"] == "completed"
    assert warren.consumer.is_ready()


def pause(warren, name):
    """Pauses the tenant: no consumer takes its jobs any more, running jobs go on. Records are read in
    order, so a consumer that runs a job of a tenant made later has read the pause."""
    at_primary(warren, f"/tenants/{name}/pause?tenant=*")
    later = f"later-{len(warren.tenants)}"
    assert warren.tenant(later).api.run("noop")["status"] == "completed"


class Witness:
    """Reads a job's state again and again. Only the next expected state may come, and perhaps `passing`:
    a state too short to be read reliably."""

    def __init__(self, api, id):
        self.api, self.id, self.seen = api, id, []

    def sees(self, status, passing=None):
        def there():
            answer = self.api.request("GET", f"/jobs/{self.id}")
            if answer.status_code == 404:  # a job published over AMQP may not be in the projection yet
                return None
            read = answer.json()["status"]
            known = {status, passing, *self.seen[-1:]}
            assert read in known, f"{read} after {self.seen}, not {status}"
            return read == status and answer.json()

        job = until(there, 60, f"{status} after {self.seen}")
        self.seen.append(status)
        return job


@pytest.mark.parametrize("kind", [Http, Amqp], ids=lambda kind: kind.name)
def test_each_state_is_read(make_warren, kind):
    """A delayed job that fails once. A pause of its tenant, or a file that its attempt waits for, holds it
    in a state; `scheduled` and `failed` last for the 5 s of the delay."""
    whole = make_warren(start=False)
    handlers = default_handlers()
    gate = f'while [ ! -e {whole.folder}/end-"$WARREN_JOB_ATTEMPT" ]; do sleep 0.02; done'
    handlers["types"]["twice"] = {
        "exec": ["/bin/sh", "-c", gate + '; [ "$WARREN_JOB_ATTEMPT" = 2 ] && echo true'],
        "retry": {"base": "5s", "cap": "5s"}}
    whole.write_handlers(handlers)
    whole.start()
    submitter = kind(whole, "staged")  # a login is valid for the whole broker
    api = whole.tenant("staged").api
    pause(whole, "staged")
    before = now_ms()
    witness = Witness(api, submitter.submit("twice", delay_ms=5000))

    if kind is Http:
        job = witness.sees("scheduled")
        assert witness.sees("pending")["started_at"] is None
        at_primary(whole, "/tenants/staged/resume?tenant=*")
    else:  # a consumer takes it to its delay queue, from one to the next
        witness.sees("pending")
        at_primary(whole, "/tenants/staged/resume?tenant=*")
        job = witness.sees("scheduled")
    assert (job["started_at"], job["attempt"], job["run_at"] is None) == (None, 1, False)
    job = witness.sees("running", passing="pending")
    assert (job["attempt"], job["finished_at"]) == (1, None)
    assert job["worker"].endswith(f"/{whole.consumer.pid}")
    pause(whole, "staged")
    (whole.folder / "end-1").touch()
    job = witness.sees("failed")
    assert (job["error_kind"], job["finished_at"], job["run"]) == ("error", None, 1)
    assert witness.sees("pending")["attempt"] == 2
    at_primary(whole, "/tenants/staged/resume?tenant=*")
    assert witness.sees("running")["attempt"] == 2
    (whole.folder / "end-2").touch()
    job = witness.sees("completed")
    assert (job["attempt"], job["result"]) == (2, True)
    assert [a["outcome"] for a in api.attempts(job["id"])["attempts"]] == ["failed", "completed"]
    events = Events(whole)
    events.until(lambda: events.of(job["id"], "completed"), what="completed")
    events.close()
    first, second = sorted(line["at"] for line in events.of(job["id"], "started"))
    assert before + 5000 <= first < second


def test_a_type_at_its_own_limit_does_not_block_others(make_warren):
    whole = make_warren(settings={"consumer": {"concurrency": 2}}, start=False)
    handlers = gated_handlers(whole.folder)
    handlers["types"]["gate"]["concurrency"] = 1
    whole.write_handlers(handlers)
    whole.start()
    gates = [whole.api.submit("gate")["id"] for _ in range(20)]
    whole.api.wait(gates[0], "running")
    assert whole.api.run("noop")["status"] == "completed"
    (whole.folder / "open").touch()
    for id in gates:
        assert whole.api.wait(id)["status"] == "completed"


def test_handlers_are_read_again(gated):
    handlers = gated_handlers(gated.folder)
    handlers["types"]["echo2"] = {"plugin": "basic", "handler": "echo"}
    del handlers["types"]["echo"]
    gated.write_handlers(handlers)
    gated.consumer.signal(signal.SIGHUP)
    until(lambda: "handlers were read again" in gated.consumer.log(), 30, "a reload")
    assert gated.api.run("echo2", [1])["result"] == [1]
    assert gated.api.run("echo", [1])["reason"] == "no_handler"

    gated.handlers_path.write_text('{"types": {"echo2": {"plugin": "none"}}}', encoding="utf-8")
    gated.consumer.signal(signal.SIGHUP)
    until(lambda: "the old handlers stay in force" in gated.consumer.log(), 30, "a refusal")
    assert gated.api.run("echo2", [2])["result"] == [2]


def test_the_worker_is_told(warren):
    events = Events(warren)
    record = events.until(lambda: [line for line in events.lines if line["event"] == "worker"],
                          what="a worker record")[0]
    events.close()
    assert record["state"] == "up"
    assert record["concurrency"] == 4
    assert record["worker"].endswith(f"/{warren.consumer.pid}")
    assert {"noop", "echo", "word_count"} <= set(record["types"])


def test_a_tenants_login_reaches_its_own_exchange_alone(warren):
    tenant = warren.tenant("lone", amqp_login=True)
    warren.tenant("other")
    refused = ["jobs.other", "work", "due", "dead", "events", "control", "marks", "delay.1s",
               "hold.1s", "unroutable", "sync", ""]
    for exchange in refused:
        with tenant.pika() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            with pytest.raises(pika.exceptions.ChannelClosedByBroker) as why:
                channel.basic_publish(exchange, "medium", b"1")
            assert why.value.reply_code == 403
    with tenant.pika() as connection, pytest.raises(pika.exceptions.ChannelClosedByBroker):
        connection.channel().basic_get("jobs.lone.medium")
