# SPDX-License-Identifier: Apache-2.0
"""Dead letters are deleted from the archive by settings, and never without a log line."""
import contextlib
import json
import sqlite3

import pytest

from harness.until import until
from monitor_rig import Monitor, burial, one_letter


@pytest.fixture
def make_monitor(broker, tmp_path):
    made = []

    def make(**settings):
        monitor = Monitor(broker, tmp_path)
        monitor.program.settings.update(settings)
        monitor.add_tenant("acme")
        made.append(monitor)
        monitor.program.start()
        return monitor

    yield make
    for monitor in made:
        assert not monitor.program.end()


def bury(monitor, body=b"{}"):
    properties = burial()
    monitor.publish("dead", "acme.high", body, properties)
    return one_letter(monitor, job=properties.message_id)["id"]


def replay(monitor, letter):
    answer = monitor.request("POST", f"/dlq/{letter}/requeue")
    assert answer.status_code == 202 and answer.json()["state"] == "replayed", answer.text


def is_there(monitor, letter):
    return monitor.request("GET", f"/dlq/{letter}").status_code == 200


def lines(monitor, text):
    """The log lines of tenant acme that contain that text."""
    told = [json.loads(line) for line in monitor.program.log().splitlines() if text in line]
    return [line for line in told if line.get("tenant") == "acme"]


def expired(monitor, rule):
    return monitor.program.metrics().sum("warren_dead_letters_expired_total", rule=rule)


def test_what_was_replayed_goes(make_monitor):
    monitor = make_monitor(keep_ended="1s")
    replayed, dead = bury(monitor), bury(monitor)
    replay(monitor, replayed)
    until(lambda: not is_there(monitor, replayed), 60, "the replayed letter gone")
    assert is_there(monitor, dead)
    assert lines(monitor, "replayed or discarded long ago")[0]["letters"] == 1
    assert (expired(monitor, "ended"), expired(monitor, "untouched")) == (1, 0)


def test_what_nobody_touched_goes_by_age_and_is_told_before(make_monitor):
    """For 7 days before, a metric says how many letters will be deleted, and the log says so once a day.
    The log also says when they are deleted."""
    monitor = make_monitor(keep_dead="7d")
    letter = bury(monitor)
    metrics = monitor.program.metrics()
    assert metrics.sum("warren_dead_letters_expiring", tenant="acme") == 1
    assert metrics.sum("warren_dead_letters_bytes", tenant="acme") > 1024
    assert monitor.program.stop() == 0
    monitor.program.start()
    assert until(lambda: lines(monitor, "will be deleted within 7 days"), 30, "told")[0]["letters"] == 1
    assert is_there(monitor, letter)
    assert expired(monitor, "untouched") == 0

    assert monitor.program.stop() == 0
    monitor.program.settings["keep_dead"] = "1s"
    monitor.program.start()
    until(lambda: not is_there(monitor, letter), 60, "the letter gone")
    last = lines(monitor, "letters that nobody touched")[-1]
    assert (last["level"], last["letters"]) == ("warn", 1)
    assert "too old" in last["msg"]
    assert expired(monitor, "untouched") == 1
    assert monitor.letters() == []


def test_a_tenant_over_its_size_loses_what_was_replayed_first(make_monitor):
    """Untouched letters are never deleted for size, however much room they take."""
    monitor = make_monitor(tenant_bytes="512KiB")
    body = json.dumps("x" * 100_000).encode()
    replayed = [bury(monitor, body) for _ in range(3)]
    for letter in replayed:
        replay(monitor, letter)
    dead = [bury(monitor, body) for _ in range(4)]
    until(lambda: not is_there(monitor, replayed[0]) and not is_there(monitor, replayed[1]), 60,
          "the oldest replayed ones gone")
    assert is_there(monitor, replayed[2])
    assert lines(monitor, "take too much room")
    dead += [bury(monitor, body) for _ in range(4)]
    until(lambda: not is_there(monitor, replayed[2]), 60, "the last replayed one gone")
    assert all(is_there(monitor, letter) for letter in dead)
    assert expired(monitor, "size") == 3
    assert expired(monitor, "untouched") == 0


def test_one_that_came_late_is_kept_as_long(make_monitor):
    """A letter's time begins when it is archived, even when its job was queued years ago."""
    monitor = make_monitor(keep_dead="1h")
    properties = burial(**{"x-queued-at": 1600000000000})
    monitor.publish("dead", "acme.high", b"{}", properties)
    letter = one_letter(monitor, job=properties.message_id)["id"]
    replayed = bury(monitor)
    monitor.program.settings["keep_ended"] = "1s"
    monitor.program.restart()
    replay(monitor, replayed)
    until(lambda: not is_there(monitor, replayed), 60, "a pass over acme")
    assert is_there(monitor, letter)


DAY = 24 * 3600 * 1000


def change(monitor, *statements):
    """Stops the monitor, changes its database, and starts it again."""
    assert monitor.program.stop() == 0
    with contextlib.closing(sqlite3.connect(monitor.folder / "archive.db")) as db, db:
        for statement in statements:
            db.execute(statement)
    monitor.program.start()


def await_a_pass(monitor):
    replayed = bury(monitor)
    replay(monitor, replayed)
    until(lambda: not is_there(monitor, replayed), 60, "a pass over acme")


def test_what_was_not_told_of_for_long_enough_stays(make_monitor):
    """The warning is missing or too young: the archive is from an earlier version, or no monitor ran."""
    monitor = make_monitor(keep_ended="1s")
    letter = bury(monitor)
    change(monitor, f"UPDATE letters SET archived_at = archived_at - {91 * DAY}",
           "DROP TABLE warnings", "ALTER TABLE letters DROP COLUMN replay_copy", "PRAGMA user_version = 2")
    until(lambda: lines(monitor, "will be deleted within 7 days"), 30, "told")
    await_a_pass(monitor)
    assert is_there(monitor, letter)
    assert monitor.program.metrics().sum("warren_dead_letters_expiring", tenant="acme") == 1
    change(monitor, f"UPDATE warnings SET told_at = told_at - {6 * DAY}")
    await_a_pass(monitor)
    assert is_there(monitor, letter)
    change(monitor, f"UPDATE warnings SET told_at = told_at - {7 * DAY + 1000}")
    until(lambda: not is_there(monitor, letter), 60, "the letter gone")
    assert expired(monitor, "untouched") == 1
