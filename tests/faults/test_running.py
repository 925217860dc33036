# SPDX-License-Identifier: Apache-2.0
"""The checker of the limit tests finds what it is there to find."""
import math

import pytest

from harness.running import (Cut, Recorder, Run, at_once, below, busiest_window, check_limit, check_rate,
                             last_over, most_at_once, settled)


def run(start, end, consumer=1, id="a", tenant="acme", type="t"):
    return Run(start, end, consumer, tenant, type, id)


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path / "runs")


def write(recorder, *lines):
    recorder.path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def test_runs_are_read(recorder):
    write(recorder, "start 1000000000 10 11 acme t a", "start 1500000000 10 12 acme u b",
          "end 2000000000 10 11 acme t a", "start 2000000000 10 11 acme t c")
    assert recorder.runs() == [run(1, 2, 10), run(1.5, math.inf, 10, "b", type="u"),
                               run(2, math.inf, 10, "c")]
    assert [found.id for found in recorder.runs(type="t")] == ["a", "c"]
    assert recorder.started() == {"a": 1, "b": 1, "c": 1}


def test_a_killed_consumers_runs_end_with_it(recorder):
    write(recorder, "start 1000000000 10 11 acme t a", "start 1500000000 20 21 acme t b",
          "start 3500000000 30 31 acme t c")
    recorder.killed[10] = 3.0
    assert [found.end for found in recorder.runs()] == [3.0, math.inf, math.inf]
    assert most_at_once(recorder.runs()) == 2


def test_a_host_that_runs_two_jobs_is_found(recorder):
    write(recorder, "start 1000000000 10 11 acme t a", "start 1500000000 10 11 acme t b")
    with pytest.raises(AssertionError):
        recorder.runs()


@pytest.mark.parametrize("runs, most", [
    ([], 0),
    ([run(0, 1), run(1, 2), run(2, 3)], 1),
    ([run(0, 1), run(0.999, 2)], 2),
    ([run(0, 10), run(1, 2), run(1.5, 3), run(4, 5)], 3),
    ([run(0, math.inf), run(1, math.inf)], 2),
])
def test_most_at_once(runs, most):
    assert most_at_once(runs) == most
    check_limit(runs, most)
    if most > 0:
        with pytest.raises(AssertionError, match=f"{most} ran at once"):
            check_limit(runs, most - 1)


def test_a_cut_excuses_what_ran_then_and_nothing_else(recorder):
    write(recorder, "start 1000000000 10 11 acme t ran", "start 1000000000 20 21 acme t elsewhere",
          "end 1800000000 20 21 acme t elsewhere", "end 2500000000 10 11 acme t ran",
          "start 500000000 10 12 acme t before", "end 900000000 10 12 acme t before",
          "start 5000000000 10 12 acme t after")
    recorder.cuts.append(Cut(10, 1.5, 4.0))
    assert {found.id for found in recorder.counted()} == {"elsewhere", "before", "after"}
    recorder.cuts.append(Cut(None, 1.5, 4.0))
    assert {found.id for found in recorder.counted()} == {"before", "after"}


def test_below():
    always = below([run(0, 5), run(0, 2), run(2.1, 5)], 2, 0, 5)
    assert always.seconds == 5 and math.isclose(always.mean, 1.98)
    assert math.isclose(always.longest, 0.1) and always.long_share == 0
    idle = below([run(0, 5), run(0, 2), run(4, 5)], 2, 0, 5)
    assert math.isclose(idle.longest, 2) and math.isclose(idle.long_share, 0.4)
    never = below([run(0, 1)], 2, 2, 4)
    assert (never.mean, never.longest, never.long_share) == (0, 2, 1)
    at_the_end = below([run(0, 3), run(0, 5)], 2, 0, 5)
    assert math.isclose(at_the_end.longest, 2)


def test_below_counts_a_stretch_once():
    one = below([run(0, 4), run(0, 1), run(0, 2), run(3, 4)], 3, 0, 4)
    assert math.isclose(one.longest, 3) and math.isclose(one.long_share, 0.75)


@pytest.mark.parametrize("starts, most", [
    ([], 0), ([1], 1), ([0, 1, 2], 1), ([0, 0.5, 0.999, 1], 3), ([0, 0.2, 0.9, 1.1, 1.15], 4),
])
def test_busiest_window(starts, most):
    assert busiest_window(starts, 1) == most


def test_a_rate_that_is_broken_is_found():
    check_rate([number / 10 for number in range(50)], 10, 1)
    with pytest.raises(AssertionError, match="11 starts"):
        check_rate([number / 10 for number in range(50)] + [3.05], 10, 1)


def test_settled():
    old = [run(0, 3), run(0, 3), run(0.5, 3)]
    new = [run(1.2, 2), run(1.3, 2), run(2.5, 4)]
    assert settled(old + new, 2, 1) == 0
    assert math.isclose(settled(old + new, 1, 1), 0.3)
    assert at_once(old + new, 1.5) == 5


def test_last_over():
    assert last_over([run(0, 2), run(1, 3)], 2, 0) == 0
    assert last_over([run(0, 2), run(1, 3)], 1, 0.5) == 1.5
    assert last_over([run(0, 2), run(1, 3)], 1, 2.5) == 0
