# SPDX-License-Identifier: Apache-2.0
"""Programs and the broker die while many act on jobs: an act that was answered is done, one that was begun is
ended, none is done by half, and every job ends."""
import contextlib
import os
import pathlib
import random
import sqlite3
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from harness.api import in_ms
from harness.forwarder import Forwarder
from harness.load import queues_are_on_disk
from harness.until import until
from harness.warren import Warren

JOBS, ACTORS = 40, 10
STATUS = {"cancel": "cancelled", "run-now": "completed"}


def call(warren, method, path, **options):
    """Status of the answer; None: there was none."""
    try:
        return warren.api_at(warren.gateway).request(method, path, **options).status_code
    except requests.RequestException:
        return None


def delayed(warren, count=JOBS):
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: warren.api_at(warren.gateway).submit("noop", n, delay="1h")["id"],
                            range(count)))
    for id in ids:
        warren.api.wait(id, "scheduled")
    return ids


@contextlib.contextmanager
def act_on_all(warren, ids):
    """Half is cancelled, half run at once. Job id → (act, status of the answer), as far as they are answered; at
    the end all are."""
    answers = {}

    def act(n, id):
        what = ("cancel", "run-now")[n % 2]
        answers[id] = (what, call(warren, "POST", f"/jobs/{id}/{what}"))

    with ThreadPoolExecutor(ACTORS) as pool:
        done = [pool.submit(act, n, id) for n, id in enumerate(ids)]
        yield answers
    assert [one.result() for one in done] == [None] * len(ids)


def none_is_left(warren):
    until(lambda: warren.status_store.metrics().sum("warren_acts_unfinished") == 0, 60, "no act is left")


def check_whole(warren, answers):
    """Waits until no act is left; then each job is as its act says, or untouched: an act on that is done."""
    for program in warren.programs:
        program.wait_ready(60)
    none_is_left(warren)
    for id, (what, code) in answers.items():
        if code == 202:
            job = warren.api.wait(id)
            assert job["status"] == STATUS[what], (what, job)
    for id, (what, code) in answers.items():
        if warren.api.get(id)["status"] == "scheduled":
            assert call(warren, "POST", f"/jobs/{id}/run-now") in (202, 409)
            ends = {"completed", STATUS[what]}
        else:
            ends = {STATUS[what]}
        job = warren.api.wait(id)
        assert job["status"] in ends, (what, code, job)
        attempts = warren.api.attempts(id)["attempts"]
        assert len(attempts) == (job["status"] == "completed"), (what, code, attempts)


@pytest.fixture(scope="module")
def way(broker):
    """The primary's connections to the broker."""
    made = Forwarder(broker.port).open()
    yield made
    made.shut()


@pytest.fixture(scope="module")
def acted(broker, way, tmp_path_factory):
    """A Warren with two consumers whose programs the tests kill and start again."""
    whole = Warren(broker, tmp_path_factory.mktemp("warren"), start=False)
    whole.status_store.settings["amqp_urls"] = way.url(whole.vhost)
    try:
        whole.start()
        whole.second = whole.add_consumer()
        whole.tenant()
        yield whole
    finally:
        way.deaf.clear()
        way.mute.clear()
        whole.end()


def one_of_each(warren):
    """(name, method, path, options) of one act of each kind, and the jobs by these names."""
    api, later = warren.api, in_ms(7_200_000)
    ids = {name: api.submit("noop", 1, delay="1h")["id"] for name in ("cancel", "run-now", "move", "priority")}
    ids["retry"] = api.submit("noop", 1)["id"]
    ids["stop"] = api.submit("sleep", {"ms": 60000})["id"]
    ids["late"] = api.submit("noop", 1, delay="2s")["id"]  # its old message is due before its copy
    for name, id in ids.items():
        api.wait(id, {"retry": "completed", "stop": "running"}.get(name, "scheduled"))
    acts = [("cancel", "POST", "/cancel", {}), ("stop", "POST", "/cancel", {}),
            ("run-now", "POST", "/run-now", {}), ("retry", "POST", "/retry", {}),
            ("move", "PATCH", "", {"json": {"run_at": later}}),
            ("priority", "PATCH", "", {"json": {"priority": "high"}}),
            ("late", "PATCH", "", {"json": {"run_at": in_ms(4_000)}})]
    return [(name, method, f"/jobs/{ids[name]}{path}", options) for name, method, path, options in acts], ids, later


def check_each(warren, ids, later):
    api = warren.api
    assert {name: api.wait(ids[name])["status"] for name in ("cancel", "stop", "run-now", "late")} == {
        "cancel": "cancelled", "stop": "cancelled", "run-now": "completed", "late": "completed"}
    again = until(lambda: (lambda job: job if job["run"] == 2 and job["status"] == "completed" else None)(
        api.get(ids["retry"])), 30, "the second run")
    assert again["attempt"] == 1
    moved, raised = api.get(ids["move"]), api.get(ids["priority"])
    assert (moved["status"], moved["run_at"]) == ("scheduled", later)
    assert (raised["status"], raised["priority"]) == ("scheduled", "high")
    assert api.attempts(ids["cancel"])["attempts"] == []
    assert [a["outcome"] for a in api.attempts(ids["run-now"])["attempts"]] == ["completed"]


@pytest.mark.parametrize("how, link", [("deaf", "moves"),   # the intents are stored, and no more
                                       ("mute", "moves"),   # the copies and lines are published
                                       ("deaf", "marks"),   # they are confirmed
                                       ("mute", "marks")])  # the marks are published, the end is not stored
def test_the_primary_is_killed_after_a_step(acted, way, how, link):
    """One act of each kind is ended by the next start."""
    acts, ids, later = one_of_each(acted)
    getattr(way, how).add(link)
    with ThreadPoolExecutor(len(acts)) as pool:
        answers = [pool.submit(call, acted, method, path, **options) for _, method, path, options in acts]
        until(lambda: acted.status_store.metrics().sum("warren_acts_unfinished") == len(acts), 20,
              "all are begun", every=0.02)
        acted.status_store.kill()
    assert 202 not in [answer.result() for answer in answers]
    getattr(way, how).discard(link)
    acted.status_store.start()
    none_is_left(acted)
    check_each(acted, ids, later)


def test_a_registry_that_cannot_be_written(acted):
    """As on a full disk: 503, and nothing is done."""
    acts, ids, _ = one_of_each(acted)
    path = acted.status_store.settings["registry"]
    before = {name: acted.api.get(id) for name, id in ids.items() if name != "late"}
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(len(acts)) as pool:
            answers = [pool.submit(call, acted, method, path, **options) for _, method, path, options in acts]
        assert [answer.result() for answer in answers] == [503] * len(acts)
        other.execute("ROLLBACK")
    none_is_left(acted)
    for name, old in before.items():
        new = acted.api.get(ids[name])
        assert {key: new[key] for key in ("status", "run", "run_at", "priority", "act_by")} == {
            key: old[key] for key in ("status", "run", "run_at", "priority", "act_by")}, name
    until(lambda: call(acted, "POST", f"/jobs/{ids['stop']}/cancel") == 202, 30, "it can be written again")
    assert acted.api.wait(ids["stop"])["status"] == "cancelled"
    assert acted.api.wait(ids["late"])["status"] == "completed"


def has_asked(program, port):
    """What this program has sent to the port lies unread: the program there is suspended."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    sockets = {os.readlink(fd) for fd in pathlib.Path(f"/proc/{program.pid}/fd").iterdir()}
    own = {row[1] for row in rows if f"socket:[{row[9]}]" in sockets}
    return any(row[1].endswith(f":{port:04X}") and row[2] in own and int(row[4].split(":")[1], 16) > 0
               for row in rows)


def test_the_dlx_monitor_is_killed_between_grant_and_commit(acted):
    """The same letter gets the same run again."""
    id = acted.api.submit("no-such-type", 1)["id"]
    assert acted.api.wait(id)["status"] == "dead"
    letter = until(lambda: acted.api.letters(job=id), 30, "its letter")[0]["id"]
    acted.status_store.hang()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, acted, "POST", f"/dlq/{letter}/requeue", json={})
        until(lambda: has_asked(acted.dlx_monitor, acted.status_store.port), 20, "the run is asked for", every=0.02)
        acted.dlx_monitor.kill()
        acted.status_store.go_on()
        assert answer.result() != 202
    with contextlib.closing(sqlite3.connect(acted.status_store.settings["registry"], timeout=30)) as db:
        until(lambda: db.execute("SELECT run FROM runs WHERE id = ?", (uuid.UUID(id).bytes,)).fetchall() == [(2,)],
              10, "the run was granted")
    acted.dlx_monitor.start()
    until(lambda: call(acted, "POST", f"/jobs/{id}/retry") == 202, 30, "retried")
    job = until(lambda: (lambda job: job if job["run"] >= 2 and job["status"] == "dead" else None)(
        acted.api.get(id)), 30, "its second run")
    assert job["run"] == 2


def kill_and_start(*programs):
    for program in programs:
        program.kill()
    for program in programs:
        program.start(ready=False)
    for program in programs:
        program.wait_ready(60)


def term_and_start(*programs):
    for program in programs:
        assert program.stop() == 0, program.log()[-3000:]
    for program in programs:
        program.start(ready=False)
    for program in programs:
        program.wait_ready(60)


def without_its_projection(warren):
    warren.status_store.kill()
    for file in warren.folder.glob("status.db*"):
        file.rename(warren.folder / f"old.{file.name}")
    warren.status_store.start()


FAULTS = {
    "a consumer is killed": lambda w: kill_and_start(w.consumer),
    "both consumers are killed": lambda w: kill_and_start(w.consumer, w.second),
    "the gateway is killed": lambda w: kill_and_start(w.gateway),
    "the primary is killed": lambda w: kill_and_start(w.status_store),
    "the primary gets SIGTERM": lambda w: term_and_start(w.status_store),
    "status.db is moved away": without_its_projection,
    "all get SIGTERM": lambda w: term_and_start(*w.programs),
    "all are killed": lambda w: kill_and_start(*w.programs),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_programs_end_while_many_act(acted, fault):
    ids = delayed(acted)
    first = random.randrange(JOBS // 2)
    with act_on_all(acted, ids) as answers:
        until(lambda: len(answers) >= first, 30, f"{first} answers", every=0.001)
        assert len(answers) < JOBS, "it comes amid the acts"
        FAULTS[fault](acted)
    check_whole(acted, answers)


def test_the_broker_is_killed_twice(faulty_warren):
    """The second time while what was interrupted is being ended."""
    warren = faulty_warren
    warren.tenant()
    ids = delayed(warren)
    until(lambda: queues_are_on_disk(warren.broker), 60, "the queues are on disk", every=0.2)
    with act_on_all(warren, ids) as answers:
        until(lambda: answers, 30, "an answer", every=0.001)
        for _ in range(2):
            warren.broker.kill()
            warren.broker.start()
    started = time.monotonic()
    check_whole(warren, answers)
    assert time.monotonic() - started < 60
