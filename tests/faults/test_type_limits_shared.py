# SPDX-License-Identifier: Apache-2.0
"""A type's running limit and its rate over three consumers, counted by the jobs themselves."""
import time

import pika
import pytest

from harness.events import Events
from harness.running import (below, busiest_window, check_limit, check_rate, last_wait, most_at_once,
                             settled)
from harness.until import until
from limits_rig import Feeder, Limited, random_times

TENANTS = 20


@pytest.fixture()
def make(make_warren, tmp_path):
    """make("short", "api"): a Limited with these types."""
    def make(*types, **options):
        return Limited(make_warren, tmp_path, *types, **options)

    return make


def completions(limited, **wanted):
    return [run for run in limited.recorder.runs(**wanted) if run.end < time.monotonic()]


def test_limit_of_a_type_over_all_tenants(make, tally):
    limited = make("short", "other")
    limited.limit("types/short", max_running=4)
    for tenant in ("acme", "beta", "gamma"):
        limited.submit_all(tenant, "short", random_times(100))
    submitted = time.monotonic()
    limited.await_ended(tally, "type limit 4, 3 tenants",
                        note=lambda: str(limited.kept(4, submitted, type="short")))
    assert limited.kept(4, submitted, type="short").mean >= 0.6 * 4


def test_limit_of_a_type_with_consumers_killed(make, tally):
    limited = make("short")
    limited.limit("types/short", max_running=4)
    first = time.monotonic()
    with Feeder(limited, "acme", "short"):
        for consumer in limited.consumers:
            limited.await_starts(30)
            limited.recorder.kill(consumer)
            limited.await_starts(30)
            consumer.start(ready=False)
        limited.await_starts(40)
    limited.await_ended(tally, "type limit, each consumer kill -9",
                        note=lambda: str(limited.kept(4, first, type="short")))


def test_a_full_tenant_slows_no_other(make, tally):
    """A has as many long jobs of the type running as it may, and more waiting. It holds no token of the type
    for those, so B's jobs of the type run as if A's did not wait."""
    limited = make("shared", handler="obey")
    limited.limit("types/shared", max_running=4)
    limited.warren.tenant("acme", max_running=2)
    limited.warren.tenant("beta")
    for _ in range(30):
        limited.submit("acme", "shared", 60000)
    until(lambda: len(limited.recorder.runs(tenant="acme")) == 2, 30, "A is full")
    ids = limited.submit_all("beta", "shared", random_times(100))
    submitted = time.monotonic()
    limited.await_ended(tally, "type shared with a full tenant", ids)
    runs = limited.recorder.runs(tenant="beta")
    used = below(runs, 2, submitted, last_wait(runs, 6))
    check_limit(limited.recorder.runs(), 4)
    check_limit(limited.recorder.runs(tenant="acme"), 2)
    assert used.mean >= 0.7 * 2, used


def test_a_full_type_idles_no_other_type(make, tally):
    """Another tenant fills the type. A's jobs of it wait, and A's tokens run its other jobs."""
    limited = make("full", "free", handler="obey")
    limited.limit("types/full", max_running=1)
    limited.warren.tenant("beta")
    limited.warren.tenant("acme", max_running=3)
    limited.submit("beta", "full", 60000)
    until(lambda: limited.recorder.runs(type="full"), 30, "the type is full")
    limited.submit_all("acme", "full", 60 * [10])
    ids = limited.submit_all("acme", "free", random_times(150))
    submitted = time.monotonic()
    limited.await_ended(tally, "other types beside a full one", ids)
    runs = limited.recorder.runs(type="free")
    used = below(runs, 3, submitted, last_wait(runs, 9))
    check_limit(limited.recorder.runs(tenant="acme"), 3)
    assert len(limited.recorder.runs(type="full")) == 1
    assert used.mean >= 0.7 * 3, used


def test_many_tenants_on_one_full_type(make, tally):
    """Each holds its own token and asks for the type's. None starves, and none keeps the others from it."""
    limited = make("full")
    limited.limit("types/full", max_running=2)
    names = [f"tenant-{number}" for number in range(TENANTS)]
    for name in names:
        limited.warren.tenant(name, max_running=1)
    for number, name in enumerate(names):
        limited.submit_all(name, "full", random_times(8, 10, 60, seed=number))
    done, last, slowest = 0, time.monotonic(), 0.0

    def progress():
        nonlocal done, last, slowest
        count, now = len(completions(limited)), time.monotonic()
        if count > done:
            done, last = count, now
        slowest = max(slowest, now - last)
        return count == len(limited.ids)

    until(progress, 60, "all run", every=0.05)
    runs = limited.recorder.runs()
    seconds = max(run.end for run in runs) - min(run.start for run in runs)
    limited.await_ended(tally, f"{TENANTS} tenants on a full type", note=(
        f"{len(runs) / seconds:.0f} jobs/s, longest without progress {slowest:.2f} s"))
    check_limit(runs, 2)
    for name in names:
        check_limit([run for run in runs if run.tenant == name], 1, name)
    assert slowest < 5
    assert most_at_once(runs) == 2


@pytest.fixture()
def open_events():
    made = []

    def open_events(limited):
        made.append(Events(limited.warren))
        return made[-1]

    yield open_events
    for events in made:
        events.close()


def wall_ms():
    return int(time.time() * 1000)


def starts_of(limited, events, ids):
    """Once they have all ended."""
    events.until(lambda: len(events.ended(ids)) == len(set(ids)), 60, "all jobs ended")
    return limited.starts(events)


def rates(starts, ms=1000):
    """What it was, for the summary."""
    a_second = (len(starts) - 1) * 1000 / (starts[-1] - starts[0])
    return f"most in {ms} ms {busiest_window(starts, ms)}, {a_second:.2f} a second"


def a_second(starts, count):
    """After the first ones, which may all be at once."""
    return (len(starts) - count) * 1000 / (starts[-1] - starts[0])


def add_token(limited, queue, number):
    with limited.warren.pika("warren-provision") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", queue, b"", pika.BasicProperties(
            user_id="warren-provision", delivery_mode=2, message_id=str(number)))


def tokens(limited, type, version=1):
    """Those that wait to be taken and those that cool down. One that is being moved is in neither."""
    return sum(limited.warren.depth(f"{kind}-type.{type}.{version}") for kind in ("rates", "cooling"))


def resting(limited, type):
    """The numbers of the tokens, once all have cooled down."""
    until(lambda: limited.warren.depth(f"cooling-type.{type}.1") == 0, 30, "none cools down")
    with limited.warren.pika() as connection:
        channel = connection.channel()
        got = [channel.basic_get(f"rates-type.{type}.1") for _ in range(limited.warren.depth(f"rates-type.{type}.1"))]
        return [int(properties.message_id) for _, properties, _ in got]


def await_tokens(limited, type, count):
    """Once no job waits for them."""
    until(lambda: limited.warren.depth(f"rates-type.{type}.1") == count, 30, f"{count} tokens of {type}")


def test_rate_of_a_type(make, tally, open_events):
    limited = make("api")
    limited.limit("types/api", max_rate="10/1s")
    ids = limited.submit_all("acme", "api", 200 * [20])
    starts = starts_of(limited, open_events(limited), ids)
    limited.await_ended(tally, "rate 10/1s, 3 consumers", note=rates(starts))
    check_rate(starts, 10, 1000)
    assert a_second(starts, 10) >= 9
    assert len({run.consumer for run in limited.recorder.runs()}) == 3


def test_a_token_too_many_is_seen(make, tally, open_events):
    """This way of measuring finds the smallest fault there can be. (Nobody knows the number of the token, so
    it is not taken for a copy.)"""
    limited = make("api")
    limited.limit("types/api", max_rate="10/1s")
    add_token(limited, "rates-type.api.1", 10)
    ids = limited.submit_all("acme", "api", 60 * [20])
    starts = starts_of(limited, open_events(limited), ids)
    limited.await_ended(tally, "rate 10/1s with 11 tokens", note=rates(starts))
    with pytest.raises(AssertionError, match="11 starts"):
        check_rate(starts, 10, 1000)


def test_copies_of_tokens_are_removed(make, tally, open_events):
    """As a broker that is killed may leave them. A consumer finds one once it spent both of a number in one
    round, which takes some rounds when there are three."""
    limited = make("api")
    limited.limit("types/api", max_rate="10/1s")
    for number in (0, 1, 1, 7):
        add_token(limited, "rates-type.api.1", number)
    for _ in range(6):
        limited.submit_all("acme", "api", 80 * [20])
        limited.await_ended(tally, "rate 10/1s with 4 copies of tokens")
        if len(resting(limited, "api")) == 10:
            break
    await_tokens(limited, "api", 10)
    submitted_at = time.time() * 1000
    ids = limited.submit_all("acme", "api", 60 * [20])
    starts = [at for at in starts_of(limited, open_events(limited), ids) if at >= submitted_at]
    assert len(starts) == 60
    limited.await_ended(tally, "rate 10/1s without the copies", note=rates(starts))
    check_rate(starts, 10, 1000)


def test_rate_with_the_broker_killed(private_broker, make, tally):
    """It may double what it was moving, and loses none. Consumers remove the copies when they meet them."""
    limited = make("api", on=private_broker)
    limited.warren.tenant("acme", max_running="unlimited")
    limited.limit("types/api", max_rate="100/200ms")
    with Feeder(limited, "acme", "api", ms=(0, 1), waiting=300):
        for _ in range(2):
            limited.await_starts(400)
            private_broker.kill()
            private_broker.start()
        limited.await_starts(400)
    limited.await_ended(tally, "rate, broker kill -9")
    found = [resting(limited, "api")]
    assert set(found[0]) == set(range(100))
    while len(found[-1]) > 100 and len(found) < 6:
        limited.submit_all("acme", "api", 300 * [0])
        limited.await_ended(tally, "jobs for the copies to be met")
        found.append(resting(limited, "api"))
    assert sorted(found[-1]) == list(range(100)), [len(numbers) for numbers in found]


def test_what_waits_for_the_rate_holds_no_slot(make, tally, open_events):
    limited = make("api", "free")
    limited.limit("types/api", max_rate="2/1s")
    limited.warren.tenant("acme", max_running=3)
    limited.submit_all("acme", "api", 40 * [10])
    ids = limited.submit_all("acme", "free", random_times(120))
    submitted = time.monotonic()
    limited.await_ended(tally, "other types beside a rate", ids)
    runs = limited.recorder.runs(type="free")
    used = below(runs, 3, submitted, last_wait(runs, 9))
    events = open_events(limited)
    events.until(lambda: events.ended(ids) == set(ids), 60, "they are told of")
    check_rate(limited.starts(events, type="api"), 2, 1000)
    check_limit(limited.recorder.runs(), 3)
    assert used.mean >= 0.7 * 3, used


def test_rate_changed_and_lifted_under_load(make, tally, open_events):
    """Each version's tokens are its own: for one `per` after a change both count."""
    limited = make("api")
    limited.limit("types/api", max_rate="10/1s")
    phases = []
    with Feeder(limited, "acme", "api", ms=(5, 20), waiting=80):
        for count in (10, 20, 5, 40, 10):
            if count != 10 or phases:
                limited.limit("types/api", max_rate=f"{count}/1s")
            changed = wall_ms()
            until(lambda: wall_ms() > changed + 5500, 10, "some time")
            phases.append((count, changed + 1500, wall_ms()))
        limited.limit("types/api", max_rate="unlimited")
        lifted = time.monotonic()
        until(lambda: len([run for run in limited.recorder.runs() if run.start > lifted]) > 100, 10,
              "it is lifted", every=0.05)
    limited.await_ended(tally, "rate changed and lifted")
    starts = starts_of(limited, open_events(limited), limited.ids)
    for count, first, last in phases:
        then = [at for at in starts if first < at < last]
        check_rate(then, count, 1000, f"{count}/1s")
        assert len(then) / 4 >= 0.9 * count, (count, len(then))


def test_rate_with_consumers_killed(make, tally, open_events):
    """A consumer that dies between a start and the reject of its token may cost one start more."""
    limited = make("api")
    limited.limit("types/api", max_rate="10/1s")
    with Feeder(limited, "acme", "api", ms=(5, 20), waiting=60):
        for consumer in limited.consumers:
            limited.await_starts(15)
            limited.recorder.kill(consumer)
            limited.await_starts(15)
            consumer.start(ready=False)
        limited.await_starts(20)
        assert tokens(limited, "api") <= 10
        lifted = wall_ms()
        limited.limit("types/api", max_rate="unlimited")
    starts = [at for at in starts_of(limited, open_events(limited), limited.ids) if at < lifted]
    limited.await_ended(tally, "rate, each consumer kill -9", note=rates(starts))
    check_rate(starts, 10 + 1, 1000)


def test_limit_of_a_type_changed_under_load(make, tally):
    limited = make("short")
    limited.limit("types/short", max_running=4)
    took = {}
    with Feeder(limited, "acme", "short", waiting=80):
        for now in (8, 2, 4):
            limited.await_starts(40)
            changed = time.monotonic()
            limited.limit("types/short", max_running=now)
            until(lambda: time.monotonic() > changed + 3, 10, "some time")
            runs = [run for run in limited.recorder.runs() if run.end > changed]
            took[now] = settled(runs, now, changed)
            assert took[now] < 2, took
        limited.limit("types/short", max_running="unlimited")
    limited.await_ended(tally, "type limit changed 4, 8, 2, 4", note=", ".join(
        f"{limit} after {after:.2f} s" for limit, after in took.items()))
