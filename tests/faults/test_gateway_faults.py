# SPDX-License-Identifier: Apache-2.0
"""Faults while jobs are submitted over HTTP: a job answered with 202 ends exactly once, one answered with
"unknown" may exist or not, and every program recovers by itself."""
import contextlib
import shutil
import sqlite3
import time
import uuid

import pytest

from harness.load import (CLIENTS, Load, check_ends, check_told, known_before, queues_are_on_disk,
                          unconfirmed)
from harness.until import until

AWAY = 10  # seconds
NAMES = {"kill": "kill -9", "stop": "SIGTERM"}


@pytest.fixture()
def faulty(faulty_warren):
    """A Warren whose tenant was made before the fault, with its queues on disk."""
    assert faulty_warren.api.run("noop")["status"] == "completed"
    until(lambda: queues_are_on_disk(faulty_warren.broker), 30, "the tenant's queues on disk")
    return faulty_warren


def test_broker_killed_while_publishing(faulty, tally):
    load = Load(faulty)
    load.until(300)
    in_flight = unconfirmed(faulty)
    faulty.broker.kill()
    until(lambda: load.unknown, 30, "a publish was not confirmed when the broker died")
    until(lambda: load.codes[503] > len(load.unknown), 30, "refused while it is away")
    assert not faulty.gateway.is_ready()
    faulty.broker.start()
    before = len(load.accepted)
    load.until(before + 300)
    load.stop()
    check_told(faulty, load, tally, "broker kill -9")
    load.accepted += known_before(faulty, load)
    check_ends(faulty, load, tally, "broker kill -9", f"unconfirmed then {in_flight}")


def test_broker_stopped_for_a_while(faulty, tally):
    """Answers are 503 with Retry-After meanwhile (Load checks each); then all goes on by itself."""
    load = Load(faulty)
    load.until(300)
    sleeper = faulty.api.submit("sleep", {"ms": 20000}, priority="critical")["id"]
    faulty.api.wait(sleeper, "running")
    in_flight = unconfirmed(faulty)
    faulty.broker.stop()
    away_since = time.monotonic()
    assert faulty.consumer.metrics()["warren_workers_active"] >= 1, "no job was running"
    until(lambda: not any(program.is_ready() for program in faulty.programs), 30, "none is ready")
    accepted, refused = len(load.accepted), load.codes[503]
    until(lambda: time.monotonic() > away_since + AWAY, AWAY + 1, "the time is over")
    assert load.codes[503] >= refused + 100 and len(load.accepted) == accepted

    faulty.broker.start()
    until(lambda: all(program.is_ready() for program in faulty.programs), 90, "all ready again")
    load.until(accepted + 300)
    load.stop()
    load.accepted += known_before(faulty, load)
    check_ends(faulty, load, tally, f"broker stopped for {AWAY} s", f"unconfirmed then {in_flight}")
    assert faulty.api.wait(sleeper)["status"] == "completed"
    assert [attempt["outcome"] for attempt in faulty.api.attempts(sleeper)["attempts"]] == ["completed"]
    dead = faulty.api.submit("fail", {"permanent": True})["id"]
    until(lambda: faulty.api.letters(job=dead), 60, "its letter is archived")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_gateway_ends_under_load(fresh_warren, tally, how):
    """SIGTERM: every job that the broker confirmed was answered. SIGKILL: no job answered with 202 is lost."""
    warren = fresh_warren
    warren.tenant()
    load = Load(warren)
    load.until(300)
    in_flight = unconfirmed(warren)
    getattr(warren.gateway, how)()
    warren.gateway.start()
    before = len(load.accepted)
    load.until(before + 100)
    load.stop()
    if how == "stop":
        assert not load.unknown and load.codes.keys() <= {202, 503}
    else:
        # The gateway was killed between confirm and answer: the job exists, the client has no id.
        load.unknown += [job["id"] for job in warren.api.list_all(type="noop", limit=500)
                         if job["id"] not in set(load.accepted)]
        assert len(load.unknown) <= CLIENTS
    check_ends(warren, load, tally, f"gateway {NAMES[how]}", f"unconfirmed then {in_flight}")


def folded(warren, folder):
    """The ids of the jobs of which the hanging status-store has a row. Reads a copy: opening the database
    itself would recover it."""
    database = warren.status_store.settings["database"]
    for file in database.parent.glob(f"{database.name}*"):
        shutil.copy(file, folder)
    with contextlib.closing(sqlite3.connect(folder / database.name)) as db:
        return {str(uuid.UUID(bytes=row[0])) for row in db.execute("SELECT id FROM jobs")}


def rows_of(program):
    """The database rows of a status-store's jobs, without counts of 0: such a count may have a row or
    none."""
    with contextlib.closing(sqlite3.connect(program.settings["database"])) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr)
                for table in ("jobs", "bodies", "attempts", "starts", "names", "counters",
                              "counts WHERE n <> 0")}


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_status_store_ends_under_load(fresh_warren, tally, tmp_path, how):
    """The status-store ends in the middle of folding. Submitting and running go on without it; reading
    answers 503 until it is back. Afterwards its rows equal those of a store rebuilt from the beginning."""
    warren = fresh_warren
    warren.tenant()
    load = Load(warren)
    load.until(300)
    warren.status_store.hang()
    load.until(len(load.accepted) + 200)
    known = folded(warren, tmp_path)
    behind = set(load.accepted) - known
    assert known and behind, "it was not in the middle of anything"
    getattr(warren.status_store, how)()
    load.until(len(load.accepted) + 100)
    load.stop()
    assert not load.unknown and load.codes.keys() == {202}
    answer = warren.api.request("GET", f"/jobs/{load.accepted[0]}")
    assert (answer.status_code, int(answer.headers["Retry-After"]) >= 1) == (503, True)
    warren.status_store.start()
    check_ends(warren, load, tally, f"status-store {NAMES[how]}", f"not folded then {len(behind)}")
    rebuilt = warren.add_status_store()
    until(lambda: rows_of(rebuilt) == rows_of(warren.status_store), 60, "a rebuild equals it",
          every=0.5)
