# SPDX-License-Identifier: Apache-2.0
"""Marks and parked jobs when the broker or a consumer dies. The test makes the marks, in the place of the
primary."""
from harness.events import Events
from harness.load import queues_are_on_disk
from harness.operator_rig import Operator, events_of
from harness.pauses import park, resume, unparked
from harness.until import until

MANY = 300


def unread(warren):
    return warren.consumer.metrics()["warren_marks_unread"]


def restart(warren):
    until(lambda: queues_are_on_disk(warren.broker), 60, "the queues are on disk", every=0.2)
    warren.broker.kill()
    warren.broker.start()
    for program in (warren.status_store, warren.gateway, warren.consumer):
        program.wait_ready(60)


def test_marks_are_in_force_after_the_broker_was_killed(faulty_warren):
    """Those from before, and those that are published then."""
    operator = Operator(faulty_warren)
    before = faulty_warren.api.submit("noop", delay="20s")["id"]
    mark = operator.cancel(before, told=False)
    operator.await_seen(mark, faulty_warren.consumer)
    restart(faulty_warren)
    after = faulty_warren.api.submit("noop", delay="5s")["id"]
    mark = operator.cancel(after, told=False)
    operator.await_seen(mark, faulty_warren.consumer)
    until(lambda: unread(faulty_warren) == 0, 30, "the marks are read again")
    for id in (before, after):
        assert faulty_warren.api.wait(id)["status"] == "cancelled"
        assert not events_of(faulty_warren, id, "started")


def test_a_cancelled_run_whose_consumer_dies_is_not_run_again(fresh_warren):
    operator = Operator(fresh_warren)
    id = fresh_warren.api.submit("sleep", {"ms": 60000})["id"]
    fresh_warren.api.wait(id, "running")
    fresh_warren.consumer.hang()
    operator.cancel(id, told=False)
    fresh_warren.consumer.kill()
    fresh_warren.consumer.start()
    assert fresh_warren.api.wait(id)["status"] == "cancelled"
    assert len(events_of(fresh_warren, id, "started")) == 1


def test_parking_goes_on_after_the_broker_was_killed(faulty_warren, tally):
    """Amid the parking, and amid the way back."""
    warren = faulty_warren
    first, queue = park(warren, 1)
    ids = first + [warren.api.submit("echo", 1)["id"] for _ in range(MANY)]
    restart(warren)
    until(lambda: warren.depth("jobs.acme.medium") == 0 and
          warren.consumer.metrics()["warren_deliveries_held"] == 0, 120, "all are parked")
    resume(warren, "echo")
    until(lambda: unparked(warren) > 0, 30, "some are on their way", every=0.01)
    restart(warren)
    events = Events(warren)
    events.until(lambda: events.ended(ids) == set(ids), 120, "all have ended")
    events.close()
    assert warren.depth(queue) == 0
    tally("broker kill -9 amid parking", ids, events.ended(ids), events.starts(set(ids)))
