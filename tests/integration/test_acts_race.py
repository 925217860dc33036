# SPDX-License-Identifier: Apache-2.0
"""Acts at once with each other, and with the job's start: it runs once."""
import collections
import random
import time

import pytest

from acts_rig import act, all_settled, ask, at_once, kind_of, noting, passed
from harness.api import in_ms
from harness.events import Events
from harness.forwarder import Forwarder
from harness.until import until

SETTINGS = {"drain": "1s", "concurrency": 8}


@pytest.fixture(scope="module")
def warren(broker, tmp_path_factory):
    """With a second gateway and a second consumer. What the first consumer publishes to the stream goes
    through warren.way."""
    with noting(broker, tmp_path_factory.mktemp("warren"), consumer=SETTINGS) as whole:
        whole.way = Forwarder(broker.port).open()
        whole.consumer.settings["amqp_urls"] = whole.way.url(whole.vhost)
        whole.consumer.restart()
        whole.second = whole.add_gateway()
        whole.other = whole.add_consumer()
        yield whole


@pytest.fixture
def alone(warren):
    """The first consumer alone."""
    assert warren.other.stop() == 0
    yield warren
    warren.other.start()


def both(warren, id, *calls):
    """The answers to two acts (method, path, options) on a job, at once, through two gateways. Each has the time
    at which it came, `at`."""
    def timed(gateway, method, path, options):
        answer = ask(warren, method, f"{id}{path}", gateway, **options)
        answer.at = in_ms(0)
        return answer
    return at_once(*[lambda c=call, g=gateway: timed(g, *c)
                     for call, gateway in zip(calls, (warren.gateway, warren.second))])


def settled(warren, *consumers):
    all_settled(warren, *(consumers or (warren.consumer, warren.other)))


def delayed(warren, type="note", delay="1h", **members):
    id = warren.api_at(warren.gateway).submit(type, delay=delay, **members)["id"]
    warren.api_at(warren.gateway).wait(id, "scheduled")
    return id


def move(ms):
    return "PATCH", "", {"json": {"run_at": in_ms(ms)}}


CANCEL, RUN_NOW, RETRY = ("POST", "/cancel", {}), ("POST", "/run-now", {}), ("POST", "/retry", {})
FORGET, URGENT = ("DELETE", "", {}), ("PATCH", "", {"json": {"priority": "critical"}})


def test_two_reschedules_run_once(warren):
    ids = [delayed(warren) for _ in range(6)]
    answers = at_once(*[lambda id=id: both(warren, id, move(1200), move(1500)) for id in ids])
    for id, (one, two) in zip(ids, answers):
        assert (one.status_code, two.status_code) == (202, 202), (one.text, two.text)
        last = max((one.json(), two.json()), key=lambda answer: answer["copy"])
        job = warren.api.wait(id)
        assert (job["status"], job["run_at"]) == ("completed", last["run_at"])
    passed(warren)
    settled(warren)
    assert [warren.starts(id) for id in ids] == [1] * len(ids)


def run_soon(warren, n):
    """A job that is due in a second and is run now at about that time; returns its id and the answer."""
    id = delayed(warren, "note", "1s")
    time.sleep(random.uniform(0.7, 1.05))
    return id, ask(warren, *RUN_NOW[:1], f"{id}/run-now", (warren.gateway, warren.second)[n % 2])


def test_run_now_races_start(warren):
    found = []
    for _ in range(4):
        found += at_once(*[lambda n=n: run_soon(warren, n) for n in range(15)])
    codes = collections.Counter(answer.status_code for _, answer in found)
    assert set(codes) <= {202, 409}, codes
    for id, answer in found:
        assert warren.api.wait(id)["status"] == "completed"
    passed(warren, 1100)  # longer than a copy is put off
    settled(warren)
    assert {warren.starts(id) for id, _ in found} == {1}
    print(f"run now while it starts: {dict(codes)}")
    assert codes[202], "some came before the start"


def hide_starts(warren):
    """What the consumer tells from here on is not known to anybody."""
    warren.way.deaf.add("publish")


def show_starts(warren):
    warren.way.heal("publish")


def test_retry_of_an_old_copy_goes_on(alone):
    """It runs while the primary takes it to wait. Its attempt fails: the next one goes on, the copy is dropped."""
    warren = alone
    id = delayed(warren, "fails_once", "1s")
    hide_starts(warren)
    try:
        until(lambda: warren.starts(id) == 1, 20, "it runs")
        answer = act(warren.api, "PATCH", id, json={"priority": "critical"})
        assert (answer["attempt"], answer["status"]) == (1, "scheduled")
    finally:
        show_starts(warren)
    job = warren.api.wait(id)
    assert (job["status"], job["attempt"]) == ("completed", 2)
    settled(warren, warren.consumer)
    assert warren.starts(id) == 2
    assert [a["outcome"] for a in warren.api.attempts(id)["attempts"]] == ["failed", "completed"]


def test_copy_in_same_consumer_does_not_join(alone):
    """It hops while the old message runs, and is dropped when that has ended."""
    warren = alone
    id = warren.api.submit("sleep", {"ms": 3500}, delay="1s")["id"]
    warren.api.wait(id, "scheduled")
    hide_starts(warren)
    try:
        until(lambda: warren.consumer.metrics()["warren_workers_active"] == 1, 20, "it runs")
        act(warren.api, "PATCH", id, json={"priority": "critical"})
    finally:
        show_starts(warren)
    events = Events(warren)
    events.until(lambda: events.hops(id), 30, "the copy hops")
    assert warren.api.wait(id)["status"] == "completed"
    settled(warren, warren.consumer)
    events.until(lambda: events.of(id, "completed"), 30, "its end")
    assert events.starts({id})[id] == 1
    assert len(events.of(id, "completed")) == 1
    events.close()


@pytest.mark.parametrize("one, two", [(CANCEL, RUN_NOW), (CANCEL, URGENT), (RUN_NOW, move(800)),
                                      (RUN_NOW, URGENT), (RUN_NOW, RUN_NOW)])
def test_two_operators_at_once(warren, one, two):
    """In turn: each answer is true of the job as the one before left it. After a cancel was answered nothing
    starts. What it stops may be told to have started and not have come to its first command."""
    ids = [delayed(warren) for _ in range(4)]
    answers = at_once(*[lambda id=id: both(warren, id, one, two) for id in ids])
    unrun, stopped = set(), set()
    for id, (first, second) in zip(ids, answers):
        assert {first.status_code, second.status_code} <= {202, 409}, (first.text, second.text)
        assert 202 in (first.status_code, second.status_code)
        job = warren.api.wait(id)
        assert job["status"] == "completed" or one is CANCEL
        if one is CANCEL and first.status_code == 202:
            assert job["started_at"] is None or job["started_at"] <= first.at
            if job["started_at"] is None or two is URGENT or second.status_code == 409:
                assert job["status"] == "cancelled"
                unrun.add(id)
        if job["status"] == "cancelled" and job["started_at"] is not None:
            stopped.add(id)
    passed(warren, 900)  # the moved ones are due
    settled(warren)
    for id in ids:
        assert warren.starts(id) in ((0,) if id in unrun else (0, 1) if id in stopped else (1,))


def test_two_retries_at_once(warren):
    """Of an ended job: one of them is a run, the other is told that the job is open, or is the run after it."""
    ids = [delayed(warren) for _ in range(4)]
    for id in ids:
        act(warren.api, "POST", f"{id}/cancel")
    answers = at_once(*[lambda id=id: both(warren, id, RETRY, RETRY) for id in ids])
    for id, two in zip(ids, answers):
        runs = sorted(answer.json()["run"] for answer in two if answer.status_code == 202)
        assert runs and runs == list(range(2, 2 + len(runs))), [answer.text for answer in two]
        for answer in two:
            assert answer.status_code == 202 or kind_of(answer.json()) == "job-open", answer.text
        until(lambda: (lambda job: job["run"] == runs[-1] and job["status"] == "completed")(
            warren.api.get(id)), 20, "the last run's end")
    settled(warren)
    for id, two in zip(ids, answers):
        assert warren.starts(id) == len([answer for answer in two if answer.status_code == 202])


def test_retry_and_forget_at_once(warren):
    """Forgotten first: there is no such job. Retried first: it is open and stays."""
    ids = [warren.api.run("note")["id"] for _ in range(4)]
    answers = at_once(*[lambda id=id: both(warren, id, RETRY, FORGET) for id in ids])
    passed(warren)
    settled(warren)
    for id, (retried, forgot) in zip(ids, answers):
        ended = (retried.status_code, forgot.status_code)
        assert ended in ((202, 409), (404, 204), (202, 204)), (retried.text, forgot.text)
        there = warren.api.request("GET", f"/jobs/{id}").status_code
        assert there == (404 if forgot.status_code == 204 else 200)
        assert warren.starts(id) == (2 if retried.status_code == 202 else 1)
