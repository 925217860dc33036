# SPDX-License-Identifier: Apache-2.0
"""A type's running limit and its rate over three consumers, counted by the jobs themselves."""
import time

import pytest

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
    submitted = time.monotonic()
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
    assert most_at_once(runs) == 2 and submitted


def rates(runs, seconds=1.0):
    """(most starts in a window, starts a second)"""
    starts = [run.start for run in runs]
    return busiest_window(starts, seconds), (len(starts) - 1) / (starts[-1] - starts[0])


def test_rate_of_a_type(make, tally):
    limited = make("api")
    limited.limit("types/api", max_rate="10/1s")
    limited.submit_all("acme", "api", 200 * [20])
    limited.await_ended(tally, "rate 10/1s, 3 consumers", note=lambda: "most in 1 s {}, {:.2f} a second".format(
        *rates(limited.recorder.runs())))
    runs = limited.recorder.runs()
    check_rate([run.start for run in runs], 10, 1.0)
    assert rates(runs)[1] >= 9
    assert len({run.consumer for run in runs}) == 3


def test_what_waits_for_the_rate_holds_no_slot(make, tally):
    limited = make("api", "free")
    limited.limit("types/api", max_rate="2/1s")
    limited.warren.tenant("acme", max_running=3)
    limited.submit_all("acme", "api", 40 * [10])
    ids = limited.submit_all("acme", "free", random_times(120))
    submitted = time.monotonic()
    limited.await_ended(tally, "other types beside a rate", ids)
    runs = limited.recorder.runs(type="free")
    used = below(runs, 3, submitted, last_wait(runs, 9))
    check_rate([run.start for run in limited.recorder.runs(type="api")], 2, 1.0)
    check_limit(limited.recorder.runs(), 3)
    assert used.mean >= 0.7 * 3, used


def test_rate_changed_and_lifted_under_load(make, tally):
    """Each version's tokens are its own: for one `per` after a change both count."""
    limited = make("api")
    limited.limit("types/api", max_rate="10/1s")
    found = []
    with Feeder(limited, "acme", "api", ms=(5, 20), waiting=80):
        for count in (10, 20, 5):
            if count != 10:
                limited.limit("types/api", max_rate=f"{count}/1s")
            changed = time.monotonic()
            until(lambda: time.monotonic() > changed + 5.5, 10, "some time")
            starts = [run.start for run in limited.recorder.runs() if run.start > changed + 1.5]
            check_rate(starts, count, 1.0, f"{count}/1s")
            found.append(f"{count}/1s: {len(starts) / 4:.1f}")
            assert len(starts) / 4 >= 0.8 * count, found
        limited.limit("types/api", max_rate="unlimited")
        lifted = time.monotonic()
        until(lambda: len([run for run in limited.recorder.runs() if run.start > lifted]) > 100, 10,
              "it is lifted", every=0.05)
    limited.await_ended(tally, "rate changed and lifted", note=", ".join(found))


def test_rate_with_consumers_killed(make, tally):
    """A consumer that dies between a start and the publish of its token may cost one start more."""
    limited = make("api")
    limited.limit("types/api", max_rate="10/1s")
    with Feeder(limited, "acme", "api", ms=(5, 20), waiting=60):
        for consumer in limited.consumers:
            limited.await_starts(15)
            limited.recorder.kill(consumer)
            limited.await_starts(15)
            consumer.start(ready=False)
        limited.await_starts(20)
        lifted = time.monotonic()
        limited.limit("types/api", max_rate="unlimited")
    limited.await_ended(tally, "rate, each consumer kill -9", note="most in 1 s {}, {:.2f} a second".format(
        *rates([run for run in limited.recorder.runs() if run.start < lifted])))
    starts = [run.start for run in limited.recorder.runs() if run.start < lifted]
    check_rate(starts, 10 + 1, 1.0)


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
