# SPDX-License-Identifier: Apache-2.0
"""The dlx-monitor or its broker is killed or stopped: each burial is archived once, and each replay is
finished in the end."""
import contextlib
import datetime
import os
import pathlib
import signal
import sqlite3
import threading
import uuid

import pika
import pytest
import requests

from harness.until import until
from harness.warren import free_port
from monitor_rig import Monitor, archived_jobs, burial, one_letter


@pytest.fixture()
def own_monitor(broker, tmp_path_factory):
    made = Monitor(broker, tmp_path_factory.mktemp("dlx-monitor"))
    made.add_tenant("acme")
    yield made
    assert not made.program.end()


def letter(monitor):
    """Buries one job of tenant acme; returns the letter's id and the job's."""
    properties = burial()
    monitor.publish("dead", "acme.high", b"{}", properties)
    return one_letter(monitor, job=properties.message_id)["id"], properties.message_id


def crash_in_mid_replay(monitor, run):
    """Leaves every letter as a crash between the first commit and the confirm leaves it."""
    monitor.program.kill()
    with contextlib.closing(sqlite3.connect(monitor.archive)) as db:
        db.execute("UPDATE letters SET replaying = 1, replay_run = ?", (run,))
        db.commit()


def test_no_tenant_is_gone_before_all_are_known(own_monitor):
    """A monitor started while the broker is away cannot know that a tenant does not exist."""
    monitor = own_monitor
    monitor.program.start()
    id, _ = letter(monitor)
    assert monitor.program.stop() == 0
    urls = monitor.program.settings["amqp_urls"]
    monitor.program.settings["amqp_urls"] = f"amqp://127.0.0.1:{free_port()}/warren"
    monitor.program.start(ready=False)

    def ask():
        with contextlib.suppress(requests.ConnectionError):
            return [monitor.request("POST", f"/dlq/{id}/requeue")]
        return None

    [answer] = until(ask, 30, "an answer")
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert monitor.letter(id)["state"] == "dead"
    monitor.program.settings["amqp_urls"] = urls
    monitor.program.restart()
    assert monitor.request("POST", f"/dlq/{id}/requeue").status_code == 202


def test_a_replay_left_by_a_crash_is_finished(own_monitor):
    monitor = own_monitor
    monitor.program.start()
    id, _ = letter(monitor)
    crash_in_mid_replay(monitor, run=5)
    monitor.program.start()
    _, got, _ = monitor.take("jobs.acme.high")
    assert (got.headers["x-run"], got.headers["x-again"]) == (5, 1)
    until(lambda: monitor.letter(id)["state"] == "replayed", 30, "replayed")


def test_replays_of_a_deleted_tenant_keep_none_back(own_monitor):
    monitor = own_monitor
    monitor.program.start()
    bodies = 120
    with monitor.broker.pika(monitor.vhost) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for _ in range(bodies):
            channel.basic_publish("dead", "ghost.high", b"{}", burial())
    until(lambda: len(monitor.letters(tenant="ghost", limit=500)) == bodies, 60, "archived")
    id, _ = letter(monitor)
    crash_in_mid_replay(monitor, run=2)
    monitor.program.start()
    until(lambda: monitor.letter(id)["state"] == "replayed", 30, "replayed")
    until(lambda: not replaying(monitor), 30, "the others dead again")
    assert all(letter["state"] == "dead" for letter in monitor.letters(tenant="ghost", limit=500))


def replaying(monitor):
    with contextlib.closing(sqlite3.connect(monitor.archive, timeout=30)) as db:
        return db.execute("SELECT count(*) FROM letters WHERE replaying = 1").fetchone()[0]


def test_a_replay_of_a_deleted_tenant_never_reaches_its_successor(own_monitor):
    """A letter still "replaying" when its tenant is deleted becomes a dead letter again."""
    monitor = own_monitor
    monitor.program.start()
    id, _ = letter(monitor)
    crash_in_mid_replay(monitor, run=5)
    monitor.say_tenant("acme", version=2, deleted=True)
    monitor.program.start()
    until(lambda: monitor.letter(id)["replay"] is None, 30, "dead again")
    assert monitor.letter(id)["state"] == "dead"
    monitor.say_tenant("acme", version=3)
    until(lambda: monitor.request("POST", f"/dlq/{id}/requeue").status_code == 202, 30, "requeued")
    _, got, _ = monitor.take("jobs.acme.high")
    assert got.headers["x-run"] == 6 and "x-again" not in got.headers
    assert monitor.broker.depth(monitor.vhost, "jobs.acme.high") == 0


def take_and_lose(monitor, queue, count):
    """Takes messages and closes, like a monitor that dies before it has archived them."""
    with monitor.broker.pika(monitor.vhost) as connection:
        channel = connection.channel()
        taken = channel.consume(queue)
        for _ in range(count):
            next(taken)


def test_a_redelivery_is_told_from_a_message_much_like_it(own_monitor):
    """The broker sorts the headers of a redelivery, and adds a delivery count to them."""
    monitor = own_monitor
    monitor.program.start()
    id = str(uuid.uuid4())

    def publish(urgent):
        monitor.publish("unroutable", "acme.high", b"{}", pika.BasicProperties(
            message_id=id, type="echo", content_type="application/json", delivery_mode=2,
            headers={"urgent": urgent, "at": datetime.datetime(2024, 11, 22), "x": {"n": None}}))

    publish(True)
    until(monitor.letters, 30, "its letter")
    monitor.program.kill()
    publish(True)
    publish(False)
    take_and_lose(monitor, "unroutable", 2)
    monitor.program.start()
    until(lambda: len(monitor.letters()) == 2, 30, "the other message")
    assert monitor.program.metrics()["warren_dead_letters_repeated_total"] == 1
    assert [monitor.letter(letter["id"])["headers"]["urgent"] for letter in monitor.letters()] == \
        [False, True]


def test_kill_in_the_middle_of_the_intake(own_monitor, tally):
    """Every burial is archived once, although many deliveries were unacknowledged at the kill."""
    monitor = own_monitor
    total = 4000
    ids = [str(uuid.uuid4()) for _ in range(total)]

    def publish_all():
        with monitor.broker.pika(monitor.vhost) as connection:
            channel = connection.channel()
            channel.confirm_delivery()  # unconfirmed messages may be lost
            for id in ids:
                channel.basic_publish("dead", "acme.high", b"{}", burial(id))

    def archived():
        if not monitor.archive.exists():
            return 0
        with contextlib.closing(sqlite3.connect(monitor.archive, timeout=30)) as db:
            return db.execute("SELECT count(*) FROM letters").fetchone()[0]

    monitor.program.start()
    publisher = threading.Thread(target=publish_all)
    publisher.start()
    kills = 0
    for share in (0.1, 0.3, 0.5):
        until(lambda part=share: archived() >= total * part, 60, f"{share} archived")
        before = archived()
        monitor.program.kill()
        assert before < total, "the kill came too late to prove anything"
        kills += 1
        monitor.program.start()
    publisher.join()
    assert kills == 3
    until(lambda: archived() >= total, 60, "all archived")
    until(lambda: monitor.broker.depth(monitor.vhost, "dead") == 0, 30, "queue empty")
    with contextlib.closing(sqlite3.connect(monitor.archive)) as db:
        found = [row[0] for row in db.execute("SELECT job_id FROM letters")]
    tally.letters("dlx-monitor kill -9, three times", ids, found)


def test_stop_in_the_middle_of_the_intake(own_monitor, tally):
    """SIGTERM: deliveries already taken are archived and acknowledged, the rest stays in its queue."""
    monitor = own_monitor
    monitor.program.start()
    ids = [str(uuid.uuid4()) for _ in range(600)]
    # A lock prevents the commit until the signal was sent.
    with contextlib.closing(sqlite3.connect(monitor.archive, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with monitor.broker.pika(monitor.vhost) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for id in ids:
                channel.basic_publish("dead", "acme.high", b"{}", burial(id))
        until(lambda: monitor.broker.depth(monitor.vhost, "dead") == len(ids) - 100, 60, "100 taken")
        monitor.program.signal(signal.SIGTERM)
        db.execute("ROLLBACK")
    monitor.program.ended_by_test = True
    assert monitor.program.process.wait(60) == 0
    archived = len(archived_jobs(monitor))
    assert archived + monitor.broker.depth(monitor.vhost, "dead") == len(ids)
    assert 100 <= archived < len(ids), "the stop came too late to prove anything"
    monitor.program.start()
    until(lambda: len(archived_jobs(monitor)) == len(ids), 60, "all archived")
    tally.letters("dlx-monitor SIGTERM", ids, [row[0] for row in archived_jobs(monitor)])


def test_kill_of_the_broker_in_the_middle_of_the_intake(private_broker, tmp_path, tally):
    """Every confirmed burial is archived once, whatever was under way at the kill."""
    monitor = Monitor(private_broker, tmp_path)
    monitor.program.start()
    confirmed = set()

    def publish(count):
        with monitor.broker.pika(monitor.vhost) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for _ in range(count):
                id = str(uuid.uuid4())
                channel.basic_publish("dead", "acme.high", b"{}", burial(id))
                confirmed.add(id)

    publish(1)
    until(lambda: archived_jobs(monitor), 30, "the intake runs")
    # A lock prevents the commit, so the deliveries are not acknowledged yet.
    with contextlib.closing(sqlite3.connect(monitor.archive, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        publish(500)
        until(lambda: monitor.broker.depth(monitor.vhost, "dead") == 400, 30, "100 delivered")
        private_broker.kill()
        assert len(archived_jobs(monitor)) == 1
        db.execute("ROLLBACK")
    private_broker.start()
    publish(10)
    until(lambda: confirmed <= {row[0] for row in archived_jobs(monitor)}, 90, "all archived")
    until(lambda: monitor.broker.depth(monitor.vhost, "dead") == 0, 30, "queue empty")
    repeated = monitor.program.metrics()["warren_dead_letters_repeated_total"]
    tally.letters("broker kill -9 under the dlx-monitor", confirmed,
                  [row[0] for row in archived_jobs(monitor)],
                  note=f"delivered again and kept once: {repeated:.0f}")
    assert not monitor.program.end()


def all_stand_still(pid):
    return all(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"
               for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"))


def test_a_replay_without_a_confirm_is_sent_again(private_broker, tmp_path):
    """The broker hangs: 202 says that the letter is still replaying. Later the replay is sent again, with
    x-again."""
    monitor = Monitor(private_broker, tmp_path)
    monitor.program.settings["confirm_timeout"] = "500ms"
    monitor.add_tenant("acme")
    monitor.program.start()
    id, job = letter(monitor)
    pid = int(private_broker.ctl("eval", "os:getpid().").strip().strip('"'))
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: all_stand_still(pid), 30, "all its threads stand still")
        answer = monitor.request("POST", f"/dlq/{id}/requeue")
        assert (answer.status_code, answer.json()["state"]) == (202, "replaying"), answer.text
        assert monitor.letter(id)["replay"]["state"] == "replaying"
        assert monitor.request("POST", f"/dlq/{id}/requeue").status_code == 409
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: monitor.letter(id)["state"] == "replayed", 60, "replayed")

    def again():
        _, got, _ = monitor.take("jobs.acme.high")
        assert (got.message_id, got.headers["x-run"]) == (job, 2)
        return got.headers.get("x-again") == 1

    until(again, 30, "a copy that says it may be one")
    assert not monitor.program.end()
