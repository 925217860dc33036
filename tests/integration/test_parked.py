# SPDX-License-Identifier: Apache-2.0
"""Jobs of a paused type leave for the queue of that pause, once, and come back when it ends. The test
acts in the place of the primary."""
import pytest

from harness.events import Events
from harness.operator_rig import Operator, events_of
from harness.until import until

MANY = 200


@pytest.fixture()
def whole(make_warren):
    warren = make_warren(settings={"consumer": {"drain": "1s"}})
    return warren, Operator(warren)


def parked(warren):
    return warren.consumer.metrics().sum("warren_jobs_parked_total")


def held(warren):
    return int(warren.consumer.metrics()["warren_deliveries_held"])


def resume(warren, operator, queue, **pause):
    """The pause is over, and the consumer knows it. Empties the queue; returns how many were in it."""
    operator.pause("echo", paused=False, **pause)

    def runs():
        before = warren.depth(queue)
        id = warren.api.submit("echo", 1)["id"]
        return until(lambda: warren.api.get(id)["status"] == "completed" and "runs" or
                     warren.depth(queue) > before and "waits", 30, "it runs or is parked") == "runs"

    until(runs, 30, "the pause is over")
    return len(operator.unpark(queue))


def park(warren, operator, count, **pause):
    """So many jobs of type echo are parked; returns their ids and the queue."""
    queue = operator.pause("echo", **pause)
    first = []
    until(lambda: first.append(warren.api.submit("echo", 1)["id"]) or warren.depth(queue), 30,
          "the type is paused", every=0.1)
    ids = first + [warren.api.submit("echo", 1)["id"] for _ in range(count - len(first))]
    started = {line["id"] for id in first for line in events_of(warren, id, "started")}
    ids = [id for id in ids if id not in started]
    until(lambda: warren.depth(queue) == len(ids), 30, "all are parked")
    return ids, queue


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_they_pass_once_and_nothing_behind_them_waits(whole, tenant):
    warren, operator = whole
    ids, queue = park(warren, operator, MANY, tenant=tenant)
    assert warren.api.run("noop", timeout=10)["status"] == "completed"
    assert parked(warren) == len(ids)
    assert warren.consumer.metrics().sum("warren_hops_total") == 0
    assert {warren.api.get(id)["status"] for id in ids[:5]} == {"pending"}
    moved = resume(warren, operator, queue, tenant=tenant)
    for id in ids:
        assert warren.api.wait(id)["status"] == "completed"
    events = Events(warren)
    assert events.await_ended(ids) == set(ids)
    events.close()
    assert set(events.starts(set(ids)).values()) == {1}
    assert parked(warren) == moved


def test_those_that_wait_here_are_parked(whole):
    """With a worker for none of them."""
    warren, operator = whole
    busy = [warren.api.submit("sleep", {"ms": 3000})["id"] for _ in range(4)]
    for id in busy:
        warren.api.wait(id, "running")
    ids = [warren.api.submit("echo", 1, priority="high")["id"] for _ in range(10)]
    until(lambda: held(warren) > len(busy), 30, "some wait here")
    queue = operator.pause("echo")
    until(lambda: warren.depth(queue) == len(ids), 10, "they are parked")
    for id in busy:
        assert warren.api.wait(id)["status"] == "completed", "what runs goes on"
    assert not [id for id in ids if events_of(warren, id, "started")]


def test_delayed_jobs_and_retries_are_parked_when_due(whole):
    warren, operator = whole
    id = warren.api.submit("echo", 1, delay="1500ms")["id"]
    queue = operator.pause("echo")
    until(lambda: warren.depth(queue) == 1, 30, "it is parked")
    assert not events_of(warren, id, "started")


def test_of_another_tenant_they_run(whole):
    warren, operator = whole
    operator.pause("echo", tenant="acme")
    until(lambda: warren.api.submit("echo", 1) and parked(warren), 30, "the type is paused", every=0.1)
    assert warren.tenant("other").api.run("echo", 1)["status"] == "completed"


def test_a_cancel_reaches_what_is_parked(whole):
    warren, operator = whole
    ids, queue = park(warren, operator, 5)
    operator.cancel(*ids[1:])
    resume(warren, operator, queue)
    assert warren.api.wait(ids[0])["status"] == "completed"
    for id in ids[1:]:
        assert warren.api.wait(id, "cancelled")["status"] == "cancelled"
        assert not events_of(warren, id, "started")


def test_when_its_queue_is_missing_it_hops(whole):
    warren, operator = whole
    operator.pause("echo", declared=False)
    id = until(lambda: warren.api.submit("echo", 1)["id"] if warren.depth("delay.10s") else
               warren.api.submit("echo", 1) and None, 30, "a hop", every=0.2)
    assert warren.consumer.metrics().sum("warren_hops_total", reason="paused") > 0
    assert "cannot be parked, so it hops" in warren.consumer.log()
    operator.pause("echo", paused=False)
    assert warren.api.wait(id)["status"] == "completed"


def test_a_consumer_that_dies_parks_nothing_twice(whole):
    """What it had published without an ack comes again and is parked again: it runs once."""
    warren, operator = whole
    first, queue = park(warren, operator, 1)
    ids = first + [warren.api.submit("echo", 1)["id"] for _ in range(MANY)]
    warren.consumer.kill()
    warren.consumer.start()
    until(lambda: warren.depth(queue) >= len(ids) and held(warren) == 0, 60, "all are parked")
    resume(warren, operator, queue)
    events = Events(warren)
    assert events.await_ended(ids) == set(ids)
    events.close()
    assert set(events.starts(set(ids)).values()) == {1}
