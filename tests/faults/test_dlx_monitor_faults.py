# SPDX-License-Identifier: Apache-2.0
"""The dlx-monitor ends while jobs are buried: each job has exactly one letter in the end."""
import contextlib
import sqlite3

import pytest

from harness.until import until

JOBS = 150
TAKEN = 100  # the monitor's prefetch


def archived(monitor):
    """The job ids of all archived letters."""
    with contextlib.closing(sqlite3.connect(monitor.settings["archive"], timeout=30)) as db:
        return [row[0] for row in db.execute("SELECT job_id FROM letters")]


@pytest.mark.parametrize("how, name", [("stop", "SIGTERM"), ("kill", "kill -9")])
def test_dlx_monitor_ends_while_jobs_die(fresh_warren, tally, how, name):
    warren = fresh_warren
    monitor = warren.dlx_monitor
    # The monitor hangs until all letters are in `dead`; then a lock prevents its commit until it ends.
    # So it ends with some letters delivered but not archived, and others still in the queue.
    monitor.hang()
    ids = [warren.api.submit("fail", {"permanent": True})["id"] for _ in range(JOBS)]
    until(lambda: warren.depth("dead") == JOBS - TAKEN, 60, "all dead, some taken")
    with contextlib.closing(sqlite3.connect(monitor.settings["archive"],
                                            isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        monitor.go_on()
        until(monitor.is_ready, 30, "it works on")
        left = warren.depth("dead")
        assert left > 0, "too late"
        monitor.hang()
        db.execute("ROLLBACK")
    assert not archived(monitor)
    getattr(monitor, how)()
    monitor.start()
    until(lambda: len(archived(monitor)) >= JOBS, 60, "all archived")
    until(lambda: warren.depth("dead") == 0, 30, "nothing is left in `dead`")
    repeated = monitor.metrics()["warren_dead_letters_repeated_total"]
    tally.letters(f"dlx-monitor {name} while jobs die", ids, archived(monitor),
                  f"still queued then {left}, delivered again and kept once {repeated:.0f}")
    assert len(warren.api.letters(limit=500)) == JOBS
    assert all(warren.api.wait(id)["status"] == "dead" for id in ids)
