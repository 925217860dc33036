# SPDX-License-Identifier: Apache-2.0
"""tests/bench/peers/run: a system that is not installed is named, and the others are measured."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from bench.peers.systems import Unavailable

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests/bench/peers/run"


@pytest.fixture(name="peers")
def module(monkeypatch):
    """The script as a module; its changes to the environment are undone."""
    monkeypatch.setenv("WARREN_BIN", "unused")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("warren_peers", str(SCRIPT))
    loaded = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(loaded)
    return loaded


def run(*arguments, **env):
    return subprocess.run([sys.executable, SCRIPT, *arguments], env={**os.environ, **env}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)


def test_help():
    done = run("--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--bin", "--rounds", "--json", "--only"))


def test_an_unknown_system_is_refused():
    done = run("--only", "BullMQ,nothing")
    assert done.returncode == 2
    assert "--only" in done.stderr


def test_what_is_missing_is_named_with_its_package(tmp_path):
    """PATH has none of the programs, and the folder of Warren's is empty."""
    done = run("--only", "warren,bullmq", "--bin", str(tmp_path), "--json", str(tmp_path / "figures"),
               PATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == [
        "BullMQ is not measured: redis-server is missing (package redis-server)",
        "BullMQ is not measured: node is missing (package nodejs)",
        "BullMQ is not measured: npm is missing (package npm)"]
    assert done.stdout.startswith("Warren is not measured: warren-gateway or ")
    kept = json.loads((tmp_path / "figures").read_text(encoding="utf-8"))
    assert kept["systems"] == {}


def test_celery_is_missing(peers, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not peers.prepare(peers.SYSTEMS[2](None, None, None))
    assert capsys.readouterr().out == (
        "Celery is not measured: celery is missing (package python3-celery)\n")


def system(name, seconds, missing=(), unavailable=None):
    """A system whose rounds take these seconds, unless it lacks something or cannot be prepared."""
    class System:
        ended = False

        def __init__(self, _options, _folder, _broker):
            self.left = list(seconds)

        def missing(self):
            return list(missing)

        def prepare(self):
            assert not missing
            if unavailable:
                raise Unavailable(unavailable)

        def version(self):
            return "1.0"

        def settings(self):
            return "kept"

        def measure(self):
            return self.left.pop(0)

        def pids(self):
            return []

        def end(self):
            System.ended = True

    System.name = name
    return System


def measured(peers, monkeypatch, tmp_path, *systems):
    monkeypatch.setattr(peers, "SYSTEMS", systems)
    monkeypatch.setattr(sys, "argv", ["run", "--jobs", "1000", "--rounds", "3",
                                      "--json", str(tmp_path / "figures.json")])
    peers.main()
    return json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["systems"]


def test_the_others_are_measured(peers, monkeypatch, tmp_path, capsys):
    warren = system("Warren", [0.1, 0.2, 0.1])
    absent = system("BullMQ", [], missing=[("node", "package nodejs")])
    celery = system("Celery", [1, 1, 0.5])
    figures = measured(peers, monkeypatch, tmp_path, warren, absent, celery)
    assert list(figures) == ["Warren", "Celery"]
    assert figures["Warren"]["median"]["jobs_per_s"] == 10000
    assert figures["Celery"]["jobs_per_s"] == [1000, 1000, 2000]
    assert figures["Celery"]["warren_to_it"] == [10, 5, 5]
    assert figures["Celery"]["median"]["warren_to_it"] == 5
    shown = capsys.readouterr().out
    assert "BullMQ is not measured: node is missing (package nodejs)" in shown
    assert ("| Celery | 1.0 | kept | 1000, 1000, 2000 | 1000 | 10.00, 5.00, 5.00 | 5.00 | 0, 0, 0 | 0 |"
            in shown)
    assert all(each.ended for each in (warren, absent, celery))


def test_a_failed_installation_is_not_fatal(peers, monkeypatch, tmp_path, capsys):
    broken = system("BullMQ", [], unavailable="npm ci failed")
    figures = measured(peers, monkeypatch, tmp_path, broken, system("Celery", [1, 1, 1]))
    assert list(figures) == ["Celery"]
    assert "BullMQ is not measured: npm ci failed" in capsys.readouterr().out


def test_without_warren_there_are_no_ratios(peers, monkeypatch, tmp_path, capsys):
    figures = measured(peers, monkeypatch, tmp_path, system("Celery", [1, 1, 1]))
    assert "warren_to_it" not in figures["Celery"]
    assert "| Celery | 1.0 | kept | 1000, 1000, 1000 | 1000 |  |  | 0" in capsys.readouterr().out


def test_the_lock_file_names_no_host():
    """npm takes the packages from the registry that the machine is configured for."""
    text = (SCRIPT.parent / "bullmq/package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    packages = {path: entry for path, entry in json.loads(text)["packages"].items() if path}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
