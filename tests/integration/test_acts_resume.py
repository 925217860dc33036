# SPDX-License-Identifier: Apache-2.0
"""Acts that a crash interrupted between two of their steps: the next start of the primary ends them. The test
puts what the crash would have left into registry.db and the broker."""
import time
import uuid

from acts_rig import act, database
from harness.operator_rig import END
from harness.until import until

CANCEL, RUN_NOW, RETRY = 0, 1, 4  # the numbers of acts in the table


def interrupt(warren, id, kind, copy=0, run=1):
    """The primary has committed this act's intent and has died."""
    warren.status_store.kill()
    now = int(time.time() * 1000)
    with database(warren) as db:
        db.execute("INSERT INTO acts(tenant, id, kind, run, attempt, copy, run_at, priority, moved, due, by, at)"
                   " VALUES('acme', ?, ?, ?, 1, ?, 0, 1, 1, 0, 'key k1', ?)",
                   (uuid.UUID(id).bytes, kind, run, copy, now))
        db.commit()
    return now


def go_on(warren):
    warren.status_store.start()
    until(lambda: warren.status_store.metrics().sum("warren_acts_unfinished") == 0, 30, "no act is left")
    with database(warren) as db:
        assert db.execute("SELECT count(*) FROM acts").fetchone() == (0,)


def delayed(warren):
    id = warren.api.submit("echo", {"a": 1}, delay="1h")["id"]
    warren.api.wait(id, "scheduled")
    return id


def test_a_cancel_is_ended(warren, marks):
    id = delayed(warren)
    interrupt(warren, id, CANCEL)
    go_on(warren)
    job = warren.api.wait(id, "cancelled")
    assert job["act_by"] == "key k1"
    assert marks.of(id)[0]["copy"] == END
    with database(warren) as db:
        assert db.execute("SELECT run, copy FROM moved WHERE id = ?",
                          (uuid.UUID(id).bytes,)).fetchone() == (1, END)


def test_a_copy_is_published(warren, marks):
    id = delayed(warren)
    copy = int(time.time() * 1000) * 1024
    interrupt(warren, id, RUN_NOW, copy)
    go_on(warren)
    job = warren.api.wait(id)
    assert (job["status"], job["result"]) == ("completed", {"a": 1})
    assert marks.of(id)[0]["copy"] == copy


def test_a_retry_keeps_its_run(warren, marks):
    id = warren.api.run("echo", {"a": 2})["id"]
    interrupt(warren, id, RETRY, int(time.time() * 1000) * 1024, run=2)
    go_on(warren)
    until(lambda: warren.api.get(id)["run"] == 2, 20, "the second run")
    assert warren.api.wait(id)["result"] == {"a": 2}


def test_what_was_published_before_the_crash_is_one_delivery(warren, marks):
    """The same copy number, so the same delivery: a copy that ran already is not run again."""
    id = delayed(warren)
    answer = act(warren.api, "POST", f"{id}/run-now")
    warren.api.wait(id)
    interrupt(warren, id, RUN_NOW, answer["copy"])
    go_on(warren)
    assert len(marks.of(id, 2)) == 2
    attempts = warren.api.attempts(id)["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["completed"]


def test_an_act_on_what_is_gone_is_dropped(warren):
    interrupt(warren, str(uuid.uuid4()), RUN_NOW, 4096)
    go_on(warren)
    assert "an act cannot be ended" in warren.status_store.log()


def test_a_rebuilt_projection_ends_it_too(warren):
    id = delayed(warren)
    interrupt(warren, id, RUN_NOW, int(time.time() * 1000) * 1024)
    for file in warren.folder.glob("status.db*"):
        file.unlink()
    go_on(warren)
    assert warren.api.wait(id)["status"] == "completed"


def test_the_next_act_ends_the_one_before(warren, marks):
    """An act on the job that comes before the thread looks: first the interrupted one, then it."""
    id = delayed(warren)
    interrupt(warren, id, RUN_NOW, int(time.time() * 1000) * 1024)
    warren.status_store.start()
    warren.api.request("POST", f"/jobs/{id}/cancel")
    assert [mark["why"] for mark in marks.of(id, 1)][0] == "run_now"
    warren.api.wait(id)
