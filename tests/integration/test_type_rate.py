# SPDX-License-Identifier: Apache-2.0
"""A type's execution rate over all consumers: never more starts in a period, and hardly fewer."""
import time

from harness.events import Events
from type_limits_rig import most_in, start, starts


def run(limited, events, ids, timeout=120):
    """The times of their starts, once they have ended."""
    assert events.await_ended(ids, timeout) == set(ids)
    return starts(events, ids)


def average(times, count, per):
    """Starts per period, after the first ones, which may all be at once."""
    return (len(times) - count) * per / (times[-1] - times[0])


def test_the_rate_is_exact_over_three_consumers(make_warren):
    limited = start(make_warren, consumers=3)
    limited.limit_rate("call", 10)
    events = Events(limited.whole)
    ids = limited.submit("acme", 100, 0, type="call")
    times = run(limited, events, ids)
    print(f"10/1s: {most_in(times, 1000)} at most, {average(times, 10, 1000):.2f} on average")
    assert most_in(times, 1000) == 10
    assert average(times, 10, 1000) >= 9
    limited.await_rate_tokens("call", 10)
    events.close()


def test_a_high_rate(make_warren):
    limited = start(make_warren, consumers=2, concurrency=8)
    limited.limit_rate("call", 200)
    events = Events(limited.whole)
    ids = limited.submit("acme", 1000, 0, type="call")
    times = run(limited, events, ids)
    print(f"200/1s: {most_in(times, 1000)} at most, {average(times, 200, 1000):.2f} on average")
    assert most_in(times, 1000) <= 200
    assert average(times, 200, 1000) >= 60  # a busy machine starts no more
    events.close()


def test_what_waits_for_the_rate_holds_no_slot(make_warren):
    """The tenant has one slot: its other jobs run while the rate lets none of the type start."""
    limited = start(make_warren)
    limited.limit("acme", 1)
    limited.limit_rate("call", 1, 20000)
    events = Events(limited.whole)
    calls = limited.submit("acme", 50, 0, type="call")
    events.until(lambda: len(starts(events, calls)) == 1, what="the first call")
    began = time.monotonic()
    others = limited.submit("acme", 20, 0, type="noop")
    run(limited, events, others)
    print(f"20 jobs beside a type that waits for its rate: {time.monotonic() - began:.2f} s")
    assert len(starts(events, calls)) == 1
    events.close()


def test_a_tenant_without_slots_leaves_the_rate_to_others(make_warren):
    limited = start(make_warren, tenants=("acme", "other"), consumers=2)
    limited.limit("acme", 1)
    limited.limit_rate("call", 5)
    limited.submit("acme", 1, 25)
    limited.await_started(1)
    limited.submit("acme", 30, 0, type="call")
    events = Events(limited.whole)
    ids = limited.submit("other", 30, 0, type="call")
    times = run(limited, events, ids)
    print(f"5/1s beside a tenant without slots: {average(times, 5, 1000):.2f} on average")
    assert most_in(times, 1000) <= 5
    assert average(times, 5, 1000) >= 4
    events.close()


def test_a_rate_and_a_running_limit_together(make_warren):
    limited = start(make_warren, consumers=2)
    limited.limit("acme", 3)
    limited.limit_type("job", 2)
    limited.limit_rate("job", 10)
    events = Events(limited.whole)
    ids = limited.submit("acme", 40, 0.05)
    times = run(limited, events, ids)
    assert most_in(times, 1000) <= 10
    print(f"10/1s and 2 at once: {average(times, 10, 1000):.2f} on average")
    limited.await_free_type("job", 2)
    limited.await_free("acme", 3)
    limited.await_rate_tokens("job", 10)
    events.close()


def test_changed_and_lifted_under_load(make_warren):
    limited = start(make_warren, consumers=2)
    limited.limit_rate("call", 20)
    events = Events(limited.whole)
    ids = limited.submit("acme", 400, 0, type="call")
    events.until(lambda: len(starts(events, ids)) >= 40, what="the first starts")
    limited.limit_rate("call", 5)
    changed = int(time.time() * 1000)
    before = len(starts(events, ids))
    events.until(lambda: len(starts(events, ids)) >= before + 20, what="starts at the new rate")
    slow = [at for at in starts(events, ids) if at > changed]
    assert most_in(slow, 1000) <= 5
    limited.limit_rate("call", None)
    lifted = int(time.time() * 1000)
    times = run(limited, events, ids, 60)
    rest = [at for at in times if at > lifted]
    print(f"{len(rest)} starts within {rest[-1] - lifted} ms of the end of the limit")
    events.close()


def test_a_killed_consumer_costs_few_starts(make_warren):
    limited = start(make_warren, consumers=2)
    limited.limit_rate("call", 10)
    events = Events(limited.whole)
    ids = limited.submit("acme", 60, 0, type="call")
    events.until(lambda: len(starts(events, ids)) >= 20, what="starts")
    limited.consumers[1].kill()
    limited.consumers[1].start()
    times = run(limited, events, ids)
    assert most_in(times, 1000) <= 10 + 4
    events.close()


def test_the_rate_holds_over_lost_links(make_warren):
    """What it was starting at that moment, at most one for each of its four workers, may be too many."""
    limited = start(make_warren)
    limited.limit_rate("call", 10)
    events = Events(limited.whole)
    ids = limited.submit("acme", 60, 0, type="call")
    for link, count in (("slots", 10), ("queues", 20)):
        events.until(lambda: len(starts(events, ids)) >= count, what="starts")
        limited.close(limited.consumers[0], link)
    times = run(limited, events, ids)
    assert most_in(times, 1000) <= 10 + 4
    events.close()
