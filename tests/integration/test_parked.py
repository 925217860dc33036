# SPDX-License-Identifier: Apache-2.0
"""Jobs of a paused type leave for the queue of that pause, once, and come back when it ends, once."""
import pika
import pytest

from harness.events import Events
from harness.operator_rig import events_of
from harness.pauses import park, parked_queue, pause, resume, unparked
from harness.until import until
from harness.warren import Warren

MANY = 200


@pytest.fixture(name="warren", scope="module")
def warren_(broker, tmp_path_factory):
    """Shared by the tests, which leave nothing paused."""
    made = Warren(broker, tmp_path_factory.mktemp("warren"), settings={
        "consumer": {"drain": "1s"}, "status-store": {"tenant_delete_after": "300ms"}})
    yield made
    made.end()


def parked(warren):
    return warren.consumer.metrics().sum("warren_jobs_parked_total")


def assert_run_once(warren, ids):
    events = Events(warren)
    assert events.await_ended(ids) == set(ids)
    events.close()
    assert set(events.starts(set(ids)).values()) == {1}


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_they_pass_once_and_nothing_behind_them_waits(warren, tenant):
    hops, before = warren.consumer.metrics().sum("warren_hops_total"), parked(warren)
    ids, queue = park(warren, MANY, tenant=tenant)
    assert warren.api.run("noop", timeout=10)["status"] == "completed"
    assert parked(warren) == before + len(ids)
    assert warren.consumer.metrics().sum("warren_hops_total") == hops
    assert {warren.api.get(id)["status"] for id in ids[:5]} == {"pending"}
    moved = unparked(warren)
    resume(warren, "echo", tenant)
    assert_run_once(warren, ids)
    until(lambda: warren.depth(queue) == 0, 30, "all are back")
    until(lambda: unparked(warren) >= moved + len(ids), 10, "they are counted")


def test_those_that_wait_here_are_parked(warren):
    """With a worker for none of them."""
    busy = [warren.api.submit("sleep", {"ms": 3000})["id"] for _ in range(4)]
    for id in busy:
        warren.api.wait(id, "running")
    ids = [warren.api.submit("echo", 1, priority="high")["id"] for _ in range(10)]
    until(lambda: warren.held() > len(busy), 30, "some wait here")
    queue = pause(warren, "echo")
    until(lambda: warren.depth(queue) == len(ids), 10, "they are parked")
    for id in busy:
        assert warren.api.wait(id)["status"] == "completed", "what runs goes on"
    assert not [id for id in ids if events_of(warren, id, "started")]
    resume(warren, "echo")
    assert_run_once(warren, ids)


def test_delayed_jobs_and_retries_are_parked_when_due(warren):
    delayed = warren.api.submit("echo", 1, delay="1500ms")["id"]
    failing = warren.api.submit("fail", {"times": 1}, max_retries=1)["id"]
    queues = [pause(warren, type) for type in ("echo", "fail")]
    until(lambda: warren.depth(queues[0]) == 1, 30, "it is parked")
    assert not events_of(warren, delayed, "started")
    for type in ("echo", "fail"):
        resume(warren, type)
    for id in (delayed, failing):
        assert warren.api.wait(id)["status"] == "completed"


def test_of_two_pauses_each_holds_its_own(warren):
    """First in the queue of the tenant's pause, then in that of the type's. Other tenants meet only the
    latter."""
    other = warren.tenant("other").api
    theirs, of_type = park(warren, 3, api=other)
    ids, of_tenant = park(warren, 5, tenant="acme")
    assert warren.depth(of_type) == len(theirs)
    resume(warren, "echo", "acme")
    until(lambda: warren.depth(of_type) == len(theirs) + len(ids), 30, "parked in the other queue")
    assert warren.depth(of_tenant) == 0
    assert not [id for id in ids if events_of(warren, id, "started")]
    resume(warren, "echo")
    assert_run_once(warren, [*ids, *theirs])


def test_of_another_tenant_they_run(warren):
    ids, _ = park(warren, 1, tenant="acme")
    assert warren.tenant("other").api.run("echo", 1)["status"] == "completed"
    resume(warren, "echo", "acme")
    assert_run_once(warren, ids)


def test_a_cancel_and_an_expiry_reach_what_is_parked(warren):
    ids, queue = park(warren, 5)
    late = warren.api.submit("echo", 1, expires="1s")["id"]
    for id in ids[1:]:
        answer = warren.api.request("POST", f"/jobs/{id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelled"), answer.text
    answer = warren.api.request("POST", f"/jobs/{ids[0]}/run-now")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:warren:problem:not-delayed")
    assert answer.json()["detail"] == "type echo is paused"
    assert warren.api.wait(late)["reason"] == "expired", "told while it is parked"
    assert warren.depth(queue) == len(ids) + 1, "the messages stay"
    resume(warren, "echo")
    assert warren.api.wait(ids[0])["status"] == "completed"
    until(lambda: warren.depth(queue) == 0 and warren.held() == 0, 30, "all are through")
    for id in (*ids[1:], late):
        assert warren.api.get(id)["status"] == "cancelled"
        assert not events_of(warren, id, "started")


def test_a_rescheduled_job_leaves_its_parked_copy_behind(warren):
    (id, *_), _ = park(warren, 1)
    answer = warren.api.request("PATCH", f"/jobs/{id}", json={"priority": "high"})
    assert answer.status_code == 202, answer.text
    until(lambda: warren.depth(parked_queue("echo")) >= 2, 30, "both are parked")
    resume(warren, "echo")
    assert_run_once(warren, [id])
    until(lambda: warren.held() == 0, 30, "the old message is dropped")
    assert len(events_of(warren, id, "started")) == 1


def test_one_that_is_parked_late_comes_back(warren):
    """By a consumer that was cut off when the pause ended."""
    ids, queue = park(warren, 1)
    with warren.pika() as connection:
        channel = connection.channel()
        method, properties, body = channel.basic_get(queue)
        resume(warren, "echo")
        assert warren.api.run("echo", 1)["status"] == "completed"
        channel.confirm_delivery()
        properties.user_id = "warren-admin"
        channel.basic_publish(queue, method.routing_key, body, pika.BasicProperties(
            user_id="warren-admin", message_id=properties.message_id, type=properties.type,
            content_type=properties.content_type, delivery_mode=2, headers=properties.headers))
        channel.basic_ack(method.delivery_tag)
    assert_run_once(warren, ids)


def test_those_of_a_deleted_tenant_are_dropped(warren):
    gone = warren.tenant("gone").api
    of_all, queue = park(warren, 2, api=gone)
    of_tenant, own = park(warren, 2, tenant="gone", api=gone)
    before = unparked(warren, "dropped")
    assert warren.admin.request("DELETE", "/tenants/gone", params={"force": "true"}).status_code == 204
    until(lambda: "jobs.gone.medium" not in warren.broker.queues(warren.vhost), 30, "its queues are gone")
    until(lambda: warren.depth(own) == 0, 30, "its own pause has ended")
    resume(warren, "echo")
    until(lambda: warren.depth(queue) == 0 and unparked(warren, "dropped") >= before + len(of_all), 30,
          "its jobs are dropped")
    assert "parked jobs are dropped: their tenant was deleted" in warren.status_store.log()
    assert warren.api.run("echo", 1)["status"] == "completed"
    assert not [id for id in (*of_all, *of_tenant) if events_of(warren, id, "started")]


def test_what_is_no_job_is_left(warren):
    ids, queue = park(warren, 2)
    with warren.pika() as connection:
        connection.channel().basic_publish(queue, "acme.medium", b"{")
    resume(warren, "echo")
    assert_run_once(warren, ids)
    assert "a parked message is no job: it is left in its queue" in warren.status_store.log()
    pause(warren, "echo")
    with warren.pika() as connection:
        connection.channel().queue_purge(queue)
    resume(warren, "echo")


def test_when_its_queue_is_missing_it_hops(warren):
    queue = pause(warren, "sleep")
    with warren.pika() as connection:
        connection.channel().exchange_delete(queue)
    until(lambda: warren.api.submit("sleep", {"ms": 0}) and warren.depth("delay.10s"), 30, "a hop", every=0.2)
    assert warren.consumer.metrics().sum("warren_hops_total", reason="paused") > 0
    assert "cannot be parked, so it hops" in warren.consumer.log()
    resume(warren, "sleep")


def test_a_consumer_that_dies_parks_nothing_twice(warren):
    """What it had published without an ack comes again and is parked again: it runs once."""
    first, queue = park(warren, 1)
    ids = first + [warren.api.submit("echo", 1)["id"] for _ in range(MANY)]
    warren.consumer.kill()
    warren.consumer.start()
    until(lambda: warren.depth(queue) >= len(ids) and warren.held() == 0, 60, "all are parked")
    resume(warren, "echo")
    assert_run_once(warren, ids)


def test_the_primary_dies_while_it_brings_back(warren):
    """What it had published without an ack is brought back again, and asked about: it runs once."""
    ids, queue = park(warren, MANY)
    warren.status_store.kill()
    warren.status_store.start()
    until(lambda: warren.admin.request("GET", "/pauses").status_code == 200, 30, "it serves")
    assert warren.depth(queue) >= len(ids)
    resume(warren, "echo")
    until(lambda: warren.depth(queue) < len(ids), 30, "some are on their way", every=0.01)
    warren.status_store.kill()
    warren.status_store.start()
    assert_run_once(warren, ids)
    until(lambda: warren.depth(queue) == 0, 30, "all are back")
