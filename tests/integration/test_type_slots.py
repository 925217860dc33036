# SPDX-License-Identifier: Apache-2.0
"""A type's running limit over all consumers: never more of its jobs at once, and no other work waits."""
import time

from harness.forwarder import Forwarder
from harness.until import until
from slots_rig import most_at_once
from type_limits_rig import start


def test_never_more_at_once(make_warren):
    limited = start(make_warren, consumers=3)
    limited.limit_type("job", 3)
    ids = limited.submit("acme", 60, 0.05)
    runs = limited.await_ended(ids)
    assert most_at_once(runs) == 3
    assert len([line for line in runs if line.start]) == len(ids)
    print(f"60 jobs of 50 ms, 3 at once: {runs[-1].at - runs[0].at} ms")
    limited.await_free_type("job", 3)


def test_a_tenant_without_slots_leaves_the_type_to_others(make_warren):
    """acme's own limit is used up by long jobs of the type: its other jobs take none of the type's slots."""
    limited = start(make_warren, consumers=2, tenants=("acme", "other"))
    limited.limit("acme", 2)
    limited.limit_type("job", 3)
    long = limited.submit("acme", 2, 20)
    limited.await_started(2)
    limited.submit("acme", 20, 0.02)
    began = time.monotonic()
    ids = limited.submit("other", 30, 0.02)
    runs = limited.await_ended(ids)
    took = time.monotonic() - began
    print(f"30 jobs of 20 ms in the one slot that is left: {took:.2f} s")
    assert took < 12
    assert {line.id for line in runs if line.start and line.id not in ids} == set(long)


def test_a_full_type_idles_no_other(make_warren):
    """The type is full with long jobs. The tenant's one other slot runs its jobs of another type."""
    limited = start(make_warren)
    limited.limit("acme", 2)
    limited.limit_type("job", 1)
    limited.submit("acme", 1, 30)
    limited.await_started(1)
    limited.submit("acme", 60, 0.01)
    began = time.monotonic()
    done = [limited.whole.api.submit("noop")["id"] for _ in range(100)]
    limited.whole.api.wait(done[-1], "completed")
    until(lambda: all(limited.whole.api.get(id)["status"] == "completed" for id in done), 60,
          "the jobs of the other type")
    print(f"100 jobs beside a full type: {time.monotonic() - began:.2f} s")
    assert len([line for line in limited.runs() if line.start]) == 1, "the long job has ended"


def test_twenty_tenants_share_a_full_type(make_warren):
    """The type's slots are used while jobs wait for them, and each tenant's jobs end."""
    tenants = [f"tenant-{number}" for number in range(20)]
    limited = start(make_warren, consumers=3, tenants=tenants)
    for tenant in tenants:
        limited.limit(tenant, 2)
    limited.limit_type("job", 2)
    ids = {tenant: limited.submit(tenant, 6, 0.03) for tenant in tenants}
    runs = limited.await_ended([id for each in ids.values() for id in each])
    assert most_at_once(runs) == 2
    starts = [line.at for line in runs if line.start]
    pauses = [after - at for at, after in zip(starts, starts[1:])]
    first = [min(line.at for line in runs if line.id in each) - starts[0] for each in map(set, ids.values())]
    print(f"120 jobs of 30 ms, 2 at once, of 20 tenants: {starts[-1] - starts[0]} ms; longest without a start "
          f"{max(pauses)} ms; each tenant's first start {sorted(first)}")
    assert len(starts) == 120
    assert max(pauses) < 3000, "nothing went on for a while"
    limited.await_free_type("job", 2)
    for tenant in tenants:
        limited.await_free(tenant, 2)


def test_a_broker_that_is_slower_than_a_job_waits(make_warren):
    """All that it sends over the tokens' link is late by more than a job waits for its type's slot."""
    limited = start(make_warren)
    way = Forwarder(limited.whole.broker.port).open()
    limited.consumers[0].settings["amqp_urls"] = way.url(limited.whole.vhost)
    limited.consumers[0].restart()
    way.slow["slots"] = 0.03
    try:
        limited.limit("acme", 3)
        limited.limit_type("job", 2)
        runs = limited.await_ended(limited.submit("acme", 20, 0.05), 30)
    finally:
        way.shut()
    assert most_at_once(runs) <= 2


def test_the_limit_changes_under_load(make_warren):
    limited = start(make_warren, consumers=2)
    limited.limit_type("job", 4)
    ids = limited.submit("acme", 60, 0.1)
    limited.await_started(8)
    limited.limit_type("job", 1)
    until(lambda: limited.free_type("job", 1) == 4, 20, "the old slots are free")
    mark = len(limited.runs())
    limited.await_started(len([line for line in limited.runs() if line.start]) + 5)
    middle = len(limited.runs())
    assert most_at_once(limited.runs()[mark:middle]) <= 1
    limited.limit_type("job", None)
    runs = limited.await_ended(ids)
    assert most_at_once(runs[middle:]) > 4
    assert limited.free_type("job", 2) == 1


def test_what_runs_takes_its_slot_again_after_a_reconnect(make_warren):
    limited = start(make_warren)
    limited.limit_type("job", 2)
    ids = limited.submit("acme", 2, 8)
    limited.await_started(2)
    more = limited.submit("acme", 3, 0.1)
    limited.close(limited.consumers[0], "slots")
    until(lambda: limited.consumers[0].log().count('"link":"slots"') >= 3, 30, "connected again")
    runs = limited.await_ended(ids + more)
    assert most_at_once(runs) == 2
    assert len([line for line in runs if line.start]) == 5
    limited.await_free_type("job", 2)


def test_the_slots_of_a_killed_consumer_come_back(make_warren):
    limited = start(make_warren, consumers=2)
    limited.limit_type("job", 1)
    ids = limited.submit("acme", 4, 1)
    limited.await_started(1)
    for consumer in limited.consumers:
        consumer.kill()
        consumer.start()
    limited.await_ended(ids)
    limited.await_free_type("job", 1)
