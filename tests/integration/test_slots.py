# SPDX-License-Identifier: Apache-2.0
"""A tenant's running limit over all consumers: never more jobs at once, and no slot lost."""
import random
import time

import pytest

from harness.until import until
from slots_rig import Limited, handlers_with_job, idle, most_at_once


def start(make_warren, consumers=1, on_link_loss="finish", tenants=("acme",), **settings):
    whole = make_warren(settings={"consumer": {"concurrency": 4, **settings}}, start=False)
    whole.write_handlers(handlers_with_job(whole, on_link_loss))
    whole.start()
    for tenant in tenants:
        whole.tenant(tenant, amqp_login=True)
    limited = Limited(whole)
    limited.consumers += [whole.add_consumer() for _ in range(consumers - 1)]
    return limited


@pytest.mark.parametrize("consumers,limit", [(1, 2), (3, 5)])
def test_never_more_at_once(make_warren, consumers, limit):
    limited = start(make_warren, consumers)
    limited.limit("acme", limit)
    ids = limited.submit_each("acme", [random.choice((0.01, 0.05, 0.1, 0.2)) for _ in range(80)])
    runs = limited.await_ended(ids)
    assert most_at_once(runs) == limit
    assert len([line for line in runs if line.start]) == len(ids)
    took = runs[-1].at - runs[0].at
    lost, longest = idle(runs, limit)
    print(f"took {took} ms, fewer than {limit} for {lost} ms, at most {longest} ms at a time")
    limited.await_free("acme", limit)
    for consumer in limited.consumers:
        until(lambda c=consumer: c.metrics().sum("warren_slots", tenant="acme") == 0, 10,
              "no slot held or wanted")


def test_a_slot_is_kept_for_its_turn_only(make_warren):
    """Two consumers share one slot in turns, and jobs in a turn need no round trip each."""
    limited = start(make_warren, 2)
    limited.limit("acme", 1)
    ids = limited.submit("acme", 60, 0)
    runs = limited.await_ended(ids)
    assert most_at_once(runs) == 1
    limited.await_free("acme", 1)


def test_a_critical_job_goes_before_low_ones_elsewhere(make_warren):
    limited = start(make_warren, 2)
    limited.limit("acme", 2)
    low = limited.submit("acme", 60, 0.15, lane="low")
    limited.await_started(6)
    waits = []
    for _ in range(5):
        at = int(time.time() * 1000)
        critical, = limited.submit("acme", 1, 0.01, lane="critical")
        runs = limited.await_ended([critical])
        began, = (line.at for line in runs if line.id == critical and line.start)
        waits.append(began - at)
    print(f"waits of critical jobs: {waits} ms")
    assert max(waits) < 700, waits  # a low job takes about 150 ms, and the machine may be busy
    runs = limited.await_ended(low)
    assert most_at_once(runs) == 2


def test_a_tenant_that_waits_for_slots_blocks_no_other(make_warren):
    """The limited tenant's jobs neither keep workers free nor take more of them than their slots."""
    limited = start(make_warren, tenants=("acme", "other"), concurrency=2)
    limited.limit("acme", 1)
    long = limited.submit("acme", 20, 0.5)
    limited.await_started(1)
    others = limited.submit("other", 10, 0.02)
    runs = limited.await_ended(others)
    assert len([line for line in runs if line.start and line.id in long]) < 8
    limited.limit("acme", None)
    limited.await_ended(long)


def test_a_busy_consumer_gives_a_limited_tenant_its_share(make_warren):
    """Every worker is always busy with another tenant's jobs; still the limited one gets its turns."""
    limited = start(make_warren, tenants=("acme", "other"), concurrency=2)
    limited.limit("acme", 1)
    others = limited.submit("other", 200, 0.02)
    limited.await_started(4)
    few = limited.submit("acme", 10, 0.02)
    runs = limited.await_ended(few)
    left = len(others) - len([line for line in runs if not line.start and line.id in others])
    assert left > 60, "the limited tenant's jobs came after the other's"
    limited.await_ended(others)


def test_the_limit_changes_under_load(make_warren):
    limited = start(make_warren, 2)
    limited.limit("acme", 4)
    ids = limited.submit("acme", 40, 0.1)
    limited.await_started(8)
    limited.limit("acme", 1)
    until(lambda: limited.free("acme", 1) == 4, 20, "the old slots are free")
    mark = len(limited.runs())
    ids += limited.submit("acme", 5, 0.1)
    time.sleep(1)
    middle = len(limited.runs())
    running = [line for line in limited.runs()[mark:middle]]
    assert most_at_once(running) <= 1
    limited.limit("acme", 3)
    runs = limited.await_ended(ids)
    assert most_at_once(runs) <= 5
    assert most_at_once(runs[middle:]) >= 2
    limited.await_free("acme", 3)
    assert limited.free("acme", 2) == 1


def test_the_slots_of_a_killed_consumer_come_back(make_warren):
    limited = start(make_warren, 2)
    limited.limit("acme", 2)
    limited.submit("acme", 2, 4)
    limited.await_started(2)
    assert limited.free("acme") == 0
    for consumer in limited.consumers:
        consumer.kill()
    limited.await_free("acme", 2)
    limited.consumers[0].start()
    limited.await_ended(limited.submit("acme", 4, 0.1))
    limited.await_free("acme", 2)


def test_what_runs_takes_its_slots_again_after_a_reconnect(make_warren):
    limited = start(make_warren)
    limited.limit("acme", 2)
    ids = limited.submit("acme", 2, 8)
    limited.await_started(2)
    more = limited.submit("acme", 3, 0.1)
    limited.close(limited.consumers[0], "slots")
    until(lambda: limited.consumers[0].log().count('"link":"slots"') >= 3, 30, "connected again")
    runs = limited.await_ended(ids + more)
    assert most_at_once(runs) == 2
    assert len([line for line in runs if line.start]) == 5
    limited.await_free("acme", 2)


def test_a_job_may_stop_with_its_slot(make_warren):
    limited = start(make_warren, on_link_loss="stop")
    limited.limit("acme", 1)
    id, = limited.submit("acme", 1, 30)
    limited.await_started(1)
    limited.close(limited.consumers[0], "slots")
    limited.await_started(2)
    assert [line.id for line in limited.runs()] == [id, id]


def test_a_paused_or_deleted_tenant_keeps_no_slot(make_warren):
    limited = start(make_warren)
    limited.limit("acme", 1)
    ids = limited.submit("acme", 3, 0.3)
    limited.await_started(1)
    limited.limit("acme", 1, paused=True)
    limited.await_free("acme", 1, version=1)
    limited.await_free("acme", 1)
    limited.limit("acme", 1)
    limited.await_ended(ids)
    limited.await_free("acme", 1)


def test_a_drain_returns_every_slot(make_warren):
    limited = start(make_warren)
    limited.limit("acme", 2)
    limited.submit("acme", 10, 0.2)
    limited.await_started(2)
    assert limited.consumers[0].stop() == 0
    limited.await_free("acme", 2)
