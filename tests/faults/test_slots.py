# SPDX-License-Identifier: Apache-2.0
"""A tenant's running limit over three consumers, counted by the jobs themselves, while consumers, links
and the broker fail and the limit changes."""
import statistics
import time

import pytest

from harness.running import at_once, check_limit, last_over, most_at_once, settled
from harness.until import until
from limits_rig import Feeder, Limited, random_times

LIMIT = 5


@pytest.fixture()
def make(make_warren, tmp_path):
    """make("short"): a Limited with these types, and tenant acme that may run LIMIT jobs at once."""
    made = []

    def make(*types, limit=LIMIT, **options):
        made.append(Limited(make_warren, tmp_path, *types, **options))
        made[-1].warren.tenant("acme", max_running=limit)
        return made[-1]

    yield make
    for limited in made:
        limited.shut()


def all_of(limited, consumer):
    return [run for run in limited.recorder.runs() if run.consumer == consumer.pid]


def running_at(limited, consumer):
    """What it runs now."""
    return [run for run in all_of(limited, consumer) if run.end > time.monotonic()]


def test_never_more_and_not_fewer(make, tally):
    limited = make("short")
    limited.submit_all("acme", "short", random_times(400))
    submitted = time.monotonic()
    limited.await_ended(tally, "running limit 5, 3 consumers",
                        note=lambda: str(limited.kept(LIMIT, submitted)))
    used = limited.kept(LIMIT, submitted)
    # A single gap proves nothing on a busy machine; many would mean that tokens lie idle.
    assert used.mean >= 0.8 * LIMIT and used.long_share <= 0.1, used
    share = [len(all_of(limited, consumer)) for consumer in limited.consumers]
    assert min(share) >= 40, f"one consumer had none: {share}"
    assert max(limited.recorder.started().values()) == 1


@pytest.mark.parametrize("limit", [LIMIT, 2], ids=["5 tokens", "2 tokens"])
def test_a_critical_job_gets_a_token_soon(make, tally, limit):
    """Each consumer has more low jobs waiting than there are tokens. Of two tokens one consumer has none: when
    the critical job is there, others must leave theirs to it."""
    limited = make("low", "critical", limit=limit)
    waits, passed = [], []
    with Feeder(limited, "acme", "low", ms=(100, 100), priority="low"):
        for _ in range(12):
            limited.await_starts(10, type="low")
            at = time.monotonic()
            id = limited.submit("acme", "critical", 10, priority="critical")
            start = until(lambda: [run.start for run in limited.recorder.runs() if run.id == id], 30,
                          "it starts")[0]
            waits.append(start - at)
            passed.append(sum(at < run.start < start for run in limited.recorder.runs(type="low")))
    ms = [round(wait * 1000) for wait in sorted(waits)]
    limited.await_ended(tally, f"critical among low ones, {limit} tokens",
                        note=f"waits of {len(ms)} in ms: {ms}; low ones that started before it: {passed}")
    check_limit(limited.recorder.counted(), limit)
    # 200 ms is two rounds of low jobs. A single wait includes pauses of a busy machine, so it is counted in low
    # jobs only, which share most of them; four rounds allow for a slow submission.
    assert statistics.median(waits) <= 0.2, ms
    assert statistics.median(passed) <= 2 * limit, passed
    assert max(passed) <= 4 * limit, passed


def test_consumers_killed(make, tally):
    """Their tokens come back at once; the jobs run again."""
    limited = make("short")
    with Feeder(limited, "acme", "short"):
        first = time.monotonic()
        for consumer in limited.consumers:
            limited.await_starts(40)
            limited.recorder.kill(consumer)
            limited.await_starts(40)
            consumer.start(ready=False)
        limited.await_starts(60)
    limited.await_ended(tally, "running limit, each consumer kill -9",
                        note=lambda: str(limited.kept(LIMIT, first)))
    assert limited.kept(LIMIT, first).mean >= 0.6 * LIMIT


def test_all_consumers_killed_at_once(make, tally):
    limited = make("short")
    with Feeder(limited, "acme", "short"):
        limited.await_starts(40)
        for consumer in limited.consumers:
            limited.recorder.kill(consumer)
        for consumer in limited.consumers:
            consumer.start(ready=False)
        limited.await_starts(60)
    limited.await_ended(tally, "running limit, all consumers kill -9")
    runs = limited.recorder.counted()
    check_limit(runs, LIMIT)
    assert most_at_once(runs) == LIMIT


def test_suspended_consumer(make, tally):
    """The broker gives its tokens to others once two heartbeats have passed. What it was running may overlap
    until it ends; being lost, it is run by another too. Back again, the consumer takes tokens for what it
    still runs before it starts more."""
    limited = make("short", "long")
    id = limited.submit("acme", "long", 34000)
    run = until(lambda: limited.recorder.runs(type="long"), 30, "it runs")[0]
    victim = limited.consumer_of(run)
    with Feeder(limited, "acme", "short", waiting=40):
        limited.await_starts(20)
        with limited.recorder.cut(victim):
            victim.hang()
            hung = time.monotonic()
            until(lambda: at_once([r for r in limited.recorder.runs(type="short")
                                   if r.consumer != victim.pid], time.monotonic()) == LIMIT, 30,
                  "the others have all tokens", every=0.05)
            noticed = time.monotonic() - hung
            victim.go_on()
        resumed = limited.recorder.cuts[-1].until
        until(lambda: limited.recorder.runs(type="long")[0].end < time.monotonic(), 40, "it ends")
    adopted = last_over(limited.recorder.runs(), LIMIT, resumed)
    limited.await_ended(tally, "running limit, consumer SIGSTOP", note=(
        f"tokens back after {noticed:.1f} s; over the limit for {adopted:.2f} s after it was resumed, "
        f"its job ran on for {limited.recorder.runs(type='long')[0].end - resumed:.1f} s"))
    assert limited.recorder.started()[id] <= 2
    check_limit(limited.recorder.counted(), LIMIT)
    assert most_at_once(limited.recorder.runs()) <= 2 * LIMIT
    assert adopted < 5


def test_lost_link_of_the_tokens(make, tally):
    """Its tokens are void at once, what it runs goes on and gets tokens before anything else starts there."""
    limited = make("short", "long", forwarded=True)
    ids = [limited.submit("acme", "long", 8000) for _ in range(2)]
    runs = until(lambda: len(limited.recorder.runs(type="long")) == 2 and
                 limited.recorder.runs(type="long"), 30, "they run")
    victim = limited.consumer_of(runs[0])
    with Feeder(limited, "acme", "short", waiting=40):
        limited.await_starts(20)
        with limited.recorder.cut(victim):
            limited.ways[victim].reset("slots")
        reset = limited.recorder.cuts[-1].until
        until(lambda: all(run.end < time.monotonic() for run in limited.recorder.runs(type="long")), 30,
              "the long ones end")
    adopted = last_over(limited.recorder.runs(), LIMIT, reset)
    limited.await_ended(tally, "running limit, link of tokens lost", note=(
        f"over the limit for {adopted:.2f} s"))
    assert all(limited.recorder.started()[id] == 1 for id in ids)
    check_limit(limited.recorder.counted(), LIMIT)
    assert adopted < 5
    assert len([run for run in all_of(limited, victim) if run.start > reset]) > 0


def test_lost_link_of_the_tokens_stops_jobs(make, tally):
    """Jobs of a type with on_link_loss: stop end soon after the link of the tokens is lost."""
    limited = make("short", forwarded=True, handler="obey", on_link_loss="stop")
    limited.submit_all("acme", "short", 8 * [3000])
    until(lambda: len(limited.recorder.runs()) == LIMIT, 30, "they run")
    victim = limited.consumer_of(limited.recorder.runs()[0])
    with limited.recorder.cut(victim):
        limited.ways[victim].reset("slots")
    reset = limited.recorder.cuts[-1].until
    struck = [run.id for run in running_at(limited, victim)]
    limited.await_ended(tally, "running limit, on_link_loss stop", note=f"running then {len(struck)}")
    check_limit(limited.recorder.counted(), LIMIT)
    late = [run for run in all_of(limited, victim) if run.start < reset and run.end > reset + 2]
    assert not late, late


def test_limit_changed_under_load(make, tally):
    """Old and new overlap only while jobs run that started under the old limit."""
    limited = make("short")
    took, before = {}, LIMIT
    with Feeder(limited, "acme", "short", waiting=80):
        for now in (10, 3, "unlimited", LIMIT):
            limited.await_starts(60)
            changed = time.monotonic()
            limited.limit("tenants/acme", max_running=now)
            until(lambda: time.monotonic() > changed + 3, 10, "some time")
            if now != "unlimited":
                runs = [run for run in limited.recorder.runs() if run.end > changed]
                took[now] = settled(runs, now, changed)
                assert took[now] < 2, f"{before} to {now}: kept only after {took[now]:.1f} s"
                if before != "unlimited":
                    assert most_at_once(runs) <= before + now
            before = now
        limited.await_starts(40)
    seconds = ", ".join(f"{limit} after {after:.2f} s" for limit, after in took.items())
    limited.await_ended(tally, "running limit changed 5, 10, 3, unlimited, 5", note=f"kept: {seconds}")
    assert most_at_once(limited.recorder.runs()) > 10, "never unlimited"


def test_tenant_deleted_and_made_again(make, tally):
    """The new tenant has its limit to itself: no token of the old one counts for it."""
    limited = make("short")
    with Feeder(limited, "acme", "short"):
        limited.await_starts(40)
        answer = limited.warren.admin.request("DELETE", "/tenants/acme?force=true")
        assert answer.status_code == 204, answer.text
    made = limited.make_again("acme", max_running=LIMIT)
    ids = limited.submit_all("acme", "short", random_times(150))
    limited.await_ended(tally, "tenant made again", ids)
    runs = [run for run in limited.recorder.runs() if run.start >= made]
    check_limit(runs, LIMIT)
    assert most_at_once(runs) == LIMIT


def test_broker_killed(private_broker, make, tally):
    """Tokens survive on disk. What ran on takes tokens first when the broker is back."""
    limited = make("short", "long", on=private_broker)
    long = limited.submit_all("acme", "long", 3 * [15000])
    until(lambda: len(limited.recorder.runs(type="long")) == 3, 30, "they run")
    with Feeder(limited, "acme", "short", waiting=40):
        limited.await_starts(20)
        with limited.recorder.cut():
            private_broker.kill()
        private_broker.start()
        started = time.monotonic()
        limited.await_starts(60, type="short")
        until(lambda: all(run.end < time.monotonic() for run in limited.recorder.runs(type="long")), 30,
              "the long ones end")
        limited.await_starts(20, type="short")
    adopted = last_over(limited.recorder.runs(), LIMIT, started)
    limited.await_ended(tally, "running limit, broker kill -9",
                        note=f"over the limit for {adopted:.2f} s after its start")
    check_limit(limited.recorder.counted(), LIMIT)
    assert most_at_once(limited.recorder.counted()) == LIMIT, "tokens were lost"
    assert all(limited.recorder.started()[id] == 1 for id in long)


def test_closed_channel_of_the_tokens_stops_its_jobs_alone(make, tally):
    """The consumer asks for a slot of a queue that somebody has deleted: the broker closes that channel, and
    the tokens that came over it are lost. Jobs whose tokens came over others run on."""
    limited = make("short", handler="obey", on_link_loss="stop")
    for consumer in limited.consumers[1:]:
        limited.recorder.kill(consumer)
    limited.warren.tenant("other", max_running=1)
    limited.submit("other", "short", 10)
    until(lambda: limited.recorder.runs() and limited.warren.depth("slots.other.1") == 1, 30,
          "its slots are known, and not asked for")
    limited.submit_all("acme", "short", LIMIT * [4000])
    until(lambda: len(limited.recorder.runs()) == 1 + LIMIT, 30, "they run")
    with limited.warren.pika() as connection:
        connection.channel().queue_delete("slots.other.1")
    limited.submit("other", "short", 10)
    until(lambda: '"msg":"disconnected","link":"slots"' in limited.consumers[0].log(), 30, "the channel is closed")
    answer = limited.warren.admin.request("POST", "/tenants/other/slots")
    assert answer.status_code == 202, answer.text
    limited.await_ended(tally, "running limit, one channel of the tokens closed")
    again = [id for id, count in limited.recorder.started().items() if count > 1]
    assert len(again) <= 3, again
