# SPDX-License-Identifier: Apache-2.0
"""What ran when, as the jobs themselves wrote it down (tests/integration/record_runs.c), and whether
that kept a limit. Times are seconds of the monotonic clock, which all processes share."""
import bisect
import collections
import contextlib
import math
import time
import typing

from harness.broker import BIN


class Run(typing.NamedTuple):
    """One run of a job. `end` is math.inf while it runs."""
    start: float
    end: float
    consumer: int  # its process
    tenant: str
    type: str
    id: str


class Cut(typing.NamedTuple):
    """A consumer (None: each) whose tokens went back to the broker while it ran on. What it was running
    then holds none until it ends; `until` is when it could start jobs again."""
    consumer: int | None
    at: float
    until: float

    def excuses(self, run):
        """Whether the run was going on as the cut came. What was on its way to a host counts too."""
        return self.consumer in (None, run.consumer) and run.start < self.until and run.end > self.at


class Recorder:
    """The file that jobs write to. Says also which consumers the test killed: their jobs wrote no end."""

    def __init__(self, path):
        self.path = path
        self.path.touch()
        self.killed = {}
        self.cuts = []

    def handlers(self, *types, handler="work", **members):
        """A handlers.json with these types; `members` are those of each type."""
        return {
            "plugins": {"record": {"file": str(BIN.parent / "handlers/record_runs.so"),
                                   "settings": {"file": str(self.path)}}},
            "defaults": {"timeout": "10m", "retry": {"base": "100ms", "factor": 1, "jitter": 0}},
            "types": {type: {"plugin": "record", "handler": handler, **members} for type in types},
        }

    def kill(self, consumer):
        """kill -9. What it runs ends with it."""
        self.killed[consumer.pid] = time.monotonic()
        consumer.kill()

    @contextlib.contextmanager
    def cut(self, consumer=None):
        """A cut from here on, until the end of the `with`, when the consumer is let back."""
        pid, at = consumer and consumer.pid, time.monotonic()
        try:
            yield
        finally:
            self.cuts.append(Cut(pid, at, time.monotonic()))

    def runs(self, **wanted):
        """All runs so far, in the order of their starts: runs(tenant="acme", type="short")."""
        open_runs, found = {}, []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            what, ns, consumer, host, tenant, type, id = line.split()
            at = int(ns) / 1e9
            if what == "start":
                # A host has one job at a time: what is open there never ended.
                assert host not in open_runs, line
                open_runs[host] = Run(at, math.inf, int(consumer), tenant, type, id)
            else:
                run = open_runs.pop(host)
                assert run.id == id, line
                found.append(run._replace(end=at))
        for run in open_runs.values():
            found.append(run._replace(end=self.killed.get(run.consumer, math.inf)))
        return sorted(run for run in found
                      if all(getattr(run, key) == value for key, value in wanted.items()))

    def counted(self, **wanted):
        """Those that must keep the limit: not what a cut-off consumer was running."""
        return [run for run in self.runs(**wanted) if not any(cut.excuses(run) for cut in self.cuts)]

    def started(self, **wanted):
        """How often each job was started."""
        return collections.Counter(run.id for run in self.runs(**wanted))


def steps(runs):
    """[(time, how many run from then on), …]. A run that ends at the time another starts is over."""
    changes = sorted([(run.start, 1) for run in runs] + [(run.end, -1) for run in runs])
    found, count = [], 0
    for at, change in changes:
        count += change
        found.append((at, count))
    return found


def most_at_once(runs):
    return max((count for _, count in steps(runs)), default=0)


def at_once(runs, at):
    return sum(run.start <= at < run.end for run in runs)


def check_limit(runs, limit, what=""):
    """Never more than that at once."""
    for at, count in steps(runs):
        if count > limit:
            there = [run for run in runs if run.start <= at < run.end]
            lines = "\n".join(str(run) for run in there)
            raise AssertionError(f"{what}: {count} ran at once at {at:.6f}, the limit is {limit}:\n{lines}")


def last_over(runs, limit, since):
    """How long after `since` more than the limit ran for the last time; 0.0: never."""
    changes = steps(runs)
    over = [after for (_, count), (after, _) in zip(changes, changes[1:]) if count > limit]
    return max(0.0, max(over, default=since) - since)


class Below(typing.NamedTuple):
    """How much of a span fewer ran than could."""
    seconds: float  # of the span
    mean: float  # how many ran, on average
    longest: float  # stretch with fewer
    long_share: float  # of the span: the stretches with fewer that were longer than a round trip

    def __str__(self):
        return (f"{self.seconds:.1f} s, on average {self.mean:.2f} at once, longest stretch below "
                f"{self.longest * 1000:.0f} ms, in long ones {self.long_share * 100:.1f} %")


def below(runs, limit, first, last, round_trip=0.25):
    """The time between two moments while jobs waited."""
    assert last > first, "no jobs waited"
    edges = [(at, count) for at, count in steps(runs) if first < at < last]
    moments = [(first, at_once(runs, first)), *edges, (last, limit)]
    area = longest = long_sum = 0.0
    since = None  # when it fell below
    for (at, count), (after, _) in zip(moments, moments[1:]):
        area += count * (after - at)
        if count < limit and since is None:
            since = at
        if since is not None and (count >= limit or after == last):
            stretch = (after if count < limit else at) - since
            longest = max(longest, stretch)
            long_sum += stretch if stretch > round_trip else 0
            since = None
    return Below(last - first, area / (last - first), longest, long_sum / (last - first))


def last_wait(runs, left):
    """When only so many had still to start."""
    return runs[-left - 1].start


def busiest_window(starts, seconds):
    """The most starts in any window of that length, its end not included."""
    starts = sorted(starts)
    return max((bisect.bisect_left(starts, at + seconds) - number
                for number, at in enumerate(starts)), default=0)


def check_rate(starts, count, per, what=""):
    """`starts`: as consumers tell them in events (Limited.starts), because a host writes a job's start a
    moment later than that."""
    found = busiest_window(starts, per)
    assert found <= count, f"{what}: {found} starts within {per} s, the limit is {count}"


def settled(runs, limit, changed):
    """How long after `changed` a new limit was kept by all that started from then on. Jobs that started
    earlier may run on under the old one."""
    after = [run for run in runs if run.start >= changed]
    for number, run in enumerate(after):
        if most_at_once(after[number:]) <= limit:
            return run.start - changed if number else 0.0
    return 0.0
