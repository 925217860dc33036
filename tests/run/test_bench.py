# SPDX-License-Identifier: Apache-2.0
"""tests/bench/run: what its exit status says about the measurements."""
import importlib.machinery
import importlib.util
import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DUE = "2026-01-01T00:00:30.100Z"
TOO_SOON, IN_TIME, LATE = (f"2026-01-01T00:00:30.{ms}Z" for ms in ("099", "100", "350"))


@pytest.fixture(name="bench")
def module(monkeypatch):
    """The script as a module; its changes to the environment are undone."""
    monkeypatch.setenv("WARREN_BIN", "unused")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("warren_bench", str(ROOT / "tests/bench/run"))
    loaded = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(loaded)
    return loaded


def jobs(*started):
    return [{"run_at": DUE, "started_at": each} for each in started]


def outcome(bench, monkeypatch, tmp_path, *started):
    """The outcome of a run whose delayed jobs started at these times, for each of the two kinds of delay."""
    class Measured:
        def __init__(self, _options, _folder):
            self.figures = {}

        def run(self):
            self.figures = {name: bench.lateness(jobs(each))
                            for name, each in zip(bench.DELAYED, started)}

        def end(self):
            pass

    monkeypatch.setattr(bench, "Bench", Measured)
    monkeypatch.setattr(sys, "argv", ["run", "--json", str(tmp_path / "figures.json")])
    try:
        bench.main()
        return 0
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize("p99, incoming, ends", [(9.9, 1900, True), (10.1, 2000, False), (9.9, 1899, False)])
def test_lists_are_quick_while_jobs_come_in(bench, p99, incoming, ends):
    one, several = ({"filters": {"no filter": {"p50_ms": 1, "p99_ms": ms}}} for ms in (p99, 30))
    figures = {"readers": {1: one, 4: several}, "incoming_per_s": incoming}
    if ends:
        bench.find.check(figures, 2000)
    else:
        with pytest.raises(SystemExit):
            bench.find.check(figures, 2000)


def test_form_of_the_ceiling(bench, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["run"])
    assert bench.arguments().ceiling == "packs"
    monkeypatch.setattr(sys, "argv", ["run", "--ceiling", "single"])
    assert bench.arguments().ceiling == "single"
    monkeypatch.setattr(sys, "argv", ["run", "--ceiling", "other"])
    with pytest.raises(SystemExit):
        bench.arguments()


def test_lateness(bench):
    assert bench.lateness(jobs(IN_TIME, LATE)) == {
        "p50": 250, "p99": 250, "max": 250, "jobs": 2, "early": 0}
    assert bench.lateness(jobs(TOO_SOON, TOO_SOON, LATE))["early"] == 2


@pytest.mark.parametrize("started, want", [
    ([], 0),  # no delayed jobs were requested: --only load
    ([IN_TIME, LATE], 0),
    ([TOO_SOON, IN_TIME], "1 early: no delayed job may start before its time"),
    ([LATE, TOO_SOON], "1 early: no delayed job may start before its time"),
])
def test_a_job_that_was_early_is_a_failure(bench, monkeypatch, tmp_path, started, want):
    """If `want` is a text, Python prints it and exits with 1. The figures are written in any case."""
    assert outcome(bench, monkeypatch, tmp_path, *started) == want
    kept = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert list(kept) == list(bench.DELAYED[:len(started)])
