# SPDX-License-Identifier: Apache-2.0
"""A job that is run now instead of in an hour runs once, also when its old message comes all the same: at once,
later, when its mark is gone, to another consumer."""
import time

import pytest

from acts_rig import act, all_settled, noting, passed
from harness.api import in_ms
from harness.status_rig import now_ms
from harness.until import until


@pytest.fixture(scope="module")
def warren(broker, tmp_path_factory):
    with noting(broker, tmp_path_factory.mktemp("warren"), consumer={"drain": "1s"}) as whole:
        yield whole


def take_delayed(warren, *ids):
    """Takes their messages out of delay.1h."""
    found = {}
    with warren.pika() as connection:
        channel = connection.channel()
        while set(found) != set(ids):
            method, properties, body = channel.basic_get("delay.1h")
            assert method is not None, "it is not in delay.1h"
            found[properties.message_id] = (method.routing_key, properties, body)
            channel.basic_ack(method.delivery_tag)
    return found


def hour_is_over(warren, message):
    """The message comes from delay.1h as it would in an hour."""
    key, properties, body = message
    now = now_ms()
    properties.headers.update({"x-due-at": now, "x-run-at": now})
    properties.user_id = "warren-admin"
    with warren.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("due", key, body, properties)


def delayed(warren, **members):
    id = warren.api.submit("note", {"n": 1}, delay="1h", **members)["id"]
    warren.api.wait(id, "scheduled")
    return id


def ends_once(warren, id, status="completed"):
    job = warren.api.wait(id)
    assert (job["status"], warren.starts(id)) == (status, 1), job
    return job


def test_the_hour_copy_comes(warren):
    """After the job's end, during its run, and before its copy starts."""
    after, during = delayed(warren), delayed(warren)
    old = take_delayed(warren, after, during)
    act(warren.api, "POST", f"{after}/run-now")
    ends_once(warren, after)
    hour_is_over(warren, old[after])
    act(warren.api, "POST", f"{during}/run-now")
    hour_is_over(warren, old[during])
    ends_once(warren, during)
    passed(warren)
    all_settled(warren)
    for id in (after, during):
        assert warren.api.get(id)["status"] == "completed"
        assert warren.starts(id) == 1
        attempt, = warren.api.attempts(id)["attempts"]
        assert attempt["outcome"] == "completed"


def test_while_the_copy_runs_the_hour_copy_is_dropped(warren):
    id = warren.api.submit("gate", delay="1h")["id"]
    warren.api.wait(id, "scheduled")
    old = take_delayed(warren, id)
    act(warren.api, "POST", f"{id}/run-now")
    warren.api.wait(id, "running")
    hour_is_over(warren, old[id])
    until(lambda: warren.consumer.metrics()["warren_deliveries_held"] == 1, 10, "only what runs is held")
    act(warren.api, "POST", f"{id}/cancel")
    ends_once(warren, id, "cancelled")


def test_a_consumer_that_starts_later_drops_it(warren):
    """Also one that cannot ask: the mark is enough."""
    id = delayed(warren)
    old = take_delayed(warren, id)
    act(warren.api, "POST", f"{id}/run-now")
    ends_once(warren, id)
    assert warren.consumer.stop() == 0
    hour_is_over(warren, old[id])
    warren.consumer.start()
    before = warren.consumer.metrics().sum("warren_duplicates_checked_total")
    assert warren.api.run("note")["status"] == "completed"
    all_settled(warren)
    assert warren.consumer.metrics().sum("warren_duplicates_checked_total") == before
    assert warren.starts(id) == 1


def test_moved_more_than_once(warren):
    """Later, sooner, another lane, now: four messages of one job, of which the last runs."""
    id = delayed(warren, priority="low")
    old = take_delayed(warren, id)
    act(warren.api, "PATCH", id, json={"run_at": in_ms(1500)})
    act(warren.api, "PATCH", id, json={"run_at": in_ms(2500), "priority": "critical"})
    answer = act(warren.api, "POST", f"{id}/run-now")
    due = time.monotonic() + 2.6
    job = ends_once(warren, id)
    assert (job["priority"], answer["priority"], job["attempt"]) == ("critical", "critical", 1)
    hour_is_over(warren, old[id])
    until(lambda: time.monotonic() > due, 10, "all of them came due")
    all_settled(warren)
    assert warren.starts(id) == 1


def test_of_one_that_failed(warren):
    """Its next attempt comes now, and not again in an hour."""
    id = warren.api.submit("fails_long", max_retries=1)["id"]
    warren.api.wait(id, "failed")
    old = take_delayed(warren, id)
    act(warren.api, "POST", f"{id}/run-now")
    job = warren.api.wait(id, "dead")
    assert (job["attempt"], job["reason"]) == (2, "exhausted")
    hour_is_over(warren, old[id])
    passed(warren)
    all_settled(warren)
    assert warren.starts(id) == 2
    assert len(until(lambda: warren.api.letters(job=id), 20, "its letter")) == 1


def test_with_a_key_it_stays_one_job(warren):
    """The key of its submission still names it, and its copy carries it."""
    headers = {"Idempotency-Key": '"k-1"'}
    body = {"type": "note", "payload": 1, "delay": "1h"}
    first = warren.api.request("POST", "/jobs", json=body, headers=headers).json()
    warren.api.wait(first["id"], "scheduled")
    act(warren.api, "POST", f"{first['id']}/run-now")
    again = warren.api.request("POST", "/jobs", json=body, headers=headers).json()
    assert again["id"] == first["id"]
    ends_once(warren, first["id"])
    assert warren.api.get(first["id"])["idempotency_key"] == "k-1"
