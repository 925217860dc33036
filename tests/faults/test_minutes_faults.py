# SPDX-License-Identifier: Apache-2.0
"""Statistics that outlive the projection's database, when the status-store is killed between a save of
them and the next commit, and the database is lost."""
import sqlite3

import pytest

from harness.status_rig import StatusStore, event, now_ms, uuid7
from harness.until import until


@pytest.fixture()
def store(broker, tmp_path):
    made = StatusStore(broker, tmp_path)
    made.start()
    yield made
    made.end()


def ended(store, count):
    """Jobs that ended just now."""
    for _ in range(count):
        job = uuid7()
        store.stream.job(job)
        store.stream.events(event("started", job, worker="host/1"), event("completed", job, ms=5))


def completed(store):
    day = store.get("/stats/timeseries", minutes=1440)["buckets"]
    total = store.get("/stats")["completed_total"]
    assert sum(bucket["completed"] for bucket in day) == total
    return total


def saved_clock(store):
    database = sqlite3.connect(f"file:{store.folder}/status-store.db.minutes?mode=ro", uri=True, timeout=10)
    try:
        row = database.execute("SELECT clock FROM saved").fetchone()
        return row[0] if row else 0
    finally:
        database.close()


def forget_the_database(store):
    for suffix in ("", "-wal", "-shm"):
        (store.folder / f"status-store.db{suffix}").unlink(missing_ok=True)


def test_killed_between_save_and_commit(store):
    """It saves soon after its start. What it folds then is counted in its database only; the killed one's
    successor counts it again from the stream, and what was saved not twice."""
    wanted = 0
    for lost in (True, False, True):
        ended(store, 20)
        wanted += 20
        store.until_current()
        assert completed(store) == wanted
        store.program.stop()  # saves
        begun = now_ms()
        ended(store, 20)
        wanted += 20
        store.program.start()
        store.until_current()
        ended(store, 5)
        wanted += 5
        store.until_current()
        assert saved_clock(store) > 0 and now_ms() > begun
        store.program.kill()
        if lost:
            forget_the_database(store)
        ended(store, 5)
        wanted += 5
        store.program.start()
        store.until_current()
        assert completed(store) == wanted


def test_killed_at_any_moment(store):
    """While events come, several times, each time without its database afterwards."""
    wanted = 0
    for _ in range(3):
        ended(store, 30)
        wanted += 30
        until(lambda: store.get("/stats")["completed_total"] > 0, 30, "some are counted")
        store.program.kill()
        forget_the_database(store)
        store.program.start()
    store.until_current()
    assert completed(store) == wanted
