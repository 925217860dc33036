# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a private broker for the session, a Warren for a module, fresh ones for fault tests, and the
tally of what each fault cost."""
import os
import shutil

import pytest

from harness.broker import Broker
from harness.forwarder import Forwarder
from harness.processes import become_subreaper, command_line, descendants, reap
from harness.tally import Tally, lines
from harness.warren import Warren

become_subreaper()


@pytest.fixture(scope="session")
def broker(nothing_left_behind, tmp_path_factory):
    """The session's broker. Do not stop or kill it: take `private_broker` for that. (It names the
    last check so that it ends before it.)"""
    node = Broker(tmp_path_factory.mktemp("broker"))
    yield node
    node.kill()


@pytest.fixture()
def private_broker(tmp_path_factory):
    """A broker of the test's own, to be stopped, killed and blocked."""
    node = Broker(tmp_path_factory.mktemp("private-broker"))
    yield node
    node.kill()


@pytest.fixture(scope="module")
def warren(broker, tmp_path_factory):
    """A whole Warren on a vhost of its own, shared by a module's tests."""
    yield from _warren(broker, tmp_path_factory)


@pytest.fixture()
def fresh_warren(broker, tmp_path_factory):
    """A Warren for one test alone, which may kill its programs."""
    yield from _warren(broker, tmp_path_factory)


@pytest.fixture()
def faulty_warren(private_broker, tmp_path_factory):
    """A Warren on a broker of its own (`faulty_warren.broker`), which the test may kill."""
    yield from _warren(private_broker, tmp_path_factory)


@pytest.fixture()
def make_warren(broker, tmp_path_factory):
    """make_warren(settings={"gateway": {"payload_max": "1KiB"}}, handlers={…}, start=True)."""
    made = []

    def make(on=None, **options):
        made.append(Warren(on or broker, tmp_path_factory.mktemp("warren"), **options))
        return made[-1]

    yield make
    _end_all(made)


@pytest.fixture()
def forwarder(broker):
    """The way of a program to the broker, which the test can cut."""
    way = Forwarder(broker.port).open()
    yield way
    way.shut()


@pytest.fixture()
def tally(record_property):
    """tally("broker kill -9", ids, ended, starts): none lost, and a line of the run's summary."""
    return Tally(record_property)


def _warren(broker, tmp_path_factory):
    whole = Warren(broker, tmp_path_factory.mktemp("warren"), start=False)
    try:
        whole.start()
        yield whole
    finally:
        whole.end()


def _end_all(made):
    problems = []
    for whole in made:
        try:
            whole.end()
        except AssertionError as wrong:
            problems.append(str(wrong))
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    """At the end of the session no process that the tests started may still run."""
    yield
    for pid in descendants(os.getpid()):
        reap(pid)
    left = [(pid, command_line(pid)) for pid in descendants(os.getpid())]
    assert not left, f"left behind: {left}"


def pytest_terminal_summary(terminalreporter):
    """Prints what each fault or upgrade cost, also for tests that pass."""
    told = lines(report for reports in terminalreporter.stats.values() for report in reports)
    if told:
        terminalreporter.section("what it cost")
        for line in told:
            terminalreporter.write_line(line)


def pytest_sessionfinish(session):
    """Deletes the temporary folders of a session without failures: brokers are large."""
    if session.exitstatus == 0 and os.environ.get("WARREN_KEEP") != "1":
        base = session.config._tmp_path_factory.getbasetemp()
        shutil.rmtree(base, ignore_errors=True)
