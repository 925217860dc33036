# SPDX-License-Identifier: Apache-2.0
"""What has not started within a second of the answer to its cancel never starts, at any consumer. One that could
not be asked whether it has read the mark is named in the answer."""

import time

import pytest

from acts_rig import act, all_settled, ask, at_once, noting
from harness.events import Events
from harness.forwarder import Forwarder
from harness.status_rig import now_ms
from harness.until import until

SETTINGS = {"drain": "1s", "concurrency": 4}


@pytest.fixture(scope="module")
def warren(broker, tmp_path_factory):
    """With a second consumer, warren.other, whose way to the broker is warren.way."""
    with noting(broker, tmp_path_factory.mktemp("warren"), consumer=SETTINGS) as whole:
        whole.way = Forwarder(broker.port).open()
        whole.other = whole.add_consumer(amqp_urls=whole.way.url(whole.vhost))
        yield whole


def name_of(warren, program):
    return f"{warren.api.run('note')['worker'].rsplit('/', 1)[0]}/{program.pid}"


def settled(warren):
    all_settled(warren, warren.consumer, warren.other)


def all_told(warren, events):
    last = warren.api.run("note")["id"]
    events.until(lambda: events.of(last, "completed"), 30, "all that was told before")


def fill(warren):
    """Every worker of both consumers runs a job; returns their ids."""
    ids = [warren.api.submit("gate")["id"] for _ in range(8)]
    for id in ids:
        warren.api.wait(id, "running")
    return ids


def end(warren, ids):
    for answer in at_once(*[lambda id=id: ask(warren, "POST", f"{id}/cancel") for id in ids]):
        assert answer.status_code == 202
    settled(warren)


def submit_many(warren, count):
    answer = warren.api_at(warren.gateway).request("POST", "/jobs/batch", json=[
        {"type": "sleep", "payload": {"ms": 10}}] * count).json()
    assert answer["accepted"] == count, answer
    return [job["id"] for job in answer["jobs"]]


def test_nothing_starts_after_the_answer(warren):
    """Jobs come and start all the time, and some that wait are cancelled, four at once."""
    cancelled, submitted = {}, []

    def cancel(ids):
        for id in ids:
            answer = ask(warren, "POST", f"{id}/cancel")
            if answer.status_code == 202 and answer.json()["status"] == "cancelled":
                assert answer.json()["workers_behind"] == [], answer.text
                cancelled[id] = now_ms()

    for _ in range(4):
        submitted += submit_many(warren, 500)
        at_once(*[lambda n=n: cancel(submitted[-400 + 100 * n::25][:8]) for n in range(4)])
    for id in submitted[::10] + list(cancelled):
        warren.api.wait(id)
    settled(warren)
    events = Events(warren)
    all_told(warren, events)
    late = [line for line in events.lines if line["event"] == "started" and
            line["at"] > cancelled.get(line["id"], line["at"])]
    assert not late
    assert max(events.starts(set(submitted)).values()) == 1
    never = set(cancelled) - {line["id"] for line in events.lines if line["event"] == "started"}
    print(f"{len(submitted)} jobs, {len(cancelled)} cancelled, {len(never)} of them never started")
    assert never, "some were cancelled before they started"
    for id in never:
        assert warren.api.get(id)["status"] == "cancelled"
    events.close()


def test_a_new_consumer_knows(warren):
    """It reads the marks before it takes a job. While no consumer runs, nobody is waited for."""
    for consumer in (warren.consumer, warren.other):
        assert consumer.stop() == 0
    ids = [warren.api.submit("note")["id"] for _ in range(20)]
    for answer in at_once(*[lambda id=id: ask(warren, "POST", f"{id}/cancel") for id in ids]):
        assert (answer.status_code, answer.json()["workers_behind"]) == (202, []), answer.text
    stays = warren.api.submit("note")["id"]
    for consumer in (warren.consumer, warren.other):
        consumer.start()
    assert warren.api.wait(stays)["status"] == "completed"
    settled(warren)
    assert [warren.starts(id) for id in ids] == [0] * len(ids)
    assert {warren.api.get(id)["status"] for id in ids} == {"cancelled"}


def wait_at_both(warren):
    """Jobs that wait at the consumers for a worker; and the jobs that have the workers, for 2 s."""
    busy = [warren.api.submit("sleep", {"ms": 2000})["id"] for _ in range(8)]
    for id in busy:
        warren.api.wait(id, "running")
    ids = [warren.api.submit("note", priority="high")["id"] for _ in range(8)]
    until(lambda: sum(consumer.metrics()["warren_deliveries_held"] for consumer in
                      (warren.consumer, warren.other)) == len(busy) + len(ids), 10, "all wait at a consumer")
    return busy, ids


def test_a_stopped_consumer_asks(warren):
    """Named as behind; and when it goes on, it asks before it starts what the cancel's mark is of."""
    name = name_of(warren, warren.other)
    busy, ids = wait_at_both(warren)
    warren.other.hang()
    try:
        answers = at_once(*[lambda id=id: ask(warren, "POST", f"{id}/cancel") for id in ids])
        for answer in answers:
            assert (answer.status_code, answer.json()["workers_behind"]) == (202, [name]), answer.text
    finally:
        warren.other.go_on()
    for id in busy:
        assert warren.api.wait(id)["status"] == "completed"
    settled(warren)
    assert [warren.starts(id) for id in ids] == [0] * len(ids)
    id = warren.api.submit("note", delay="1h")["id"]
    assert act(warren.api, "POST", f"{id}/cancel")["workers_behind"] == [], "it has read on"


def test_a_lagging_consumer_is_named(warren):
    """It hears nothing of the marks, and knows that: it asks a store before each start."""
    name = name_of(warren, warren.other)
    busy, ids = wait_at_both(warren)
    warren.way.mute.add("marks")
    try:
        for answer in at_once(*[lambda id=id: ask(warren, "POST", f"{id}/cancel") for id in ids]):
            assert (answer.status_code, answer.json()["workers_behind"]) == (202, [name]), answer.text
    finally:
        warren.way.heal("marks")
    for id in busy:
        warren.api.wait(id)
    settled(warren)
    id = warren.api.submit("note", delay="1h")["id"]
    until(lambda: act(warren.api, "POST", f"{id}/cancel")["workers_behind"] == [], 20, "it reads them again")


@pytest.mark.soak
def test_one_that_was_stopped_for_long(warren):
    """It counts as lost by then and is not waited for; when it goes on it asks all the same."""
    busy, ids = wait_at_both(warren)
    warren.other.hang()
    try:
        time.sleep(16)
        for answer in at_once(*[lambda id=id: ask(warren, "POST", f"{id}/cancel") for id in ids]):
            assert (answer.status_code, answer.json().get("workers_behind")) in ((202, []), (409, None)), answer.text
    finally:
        warren.other.go_on()
    for id in busy + ids:
        warren.api.wait(id)
    settled(warren)
    for id in ids:
        assert warren.starts(id) == (warren.api.get(id)["status"] == "completed")
