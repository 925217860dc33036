# SPDX-License-Identifier: Apache-2.0
"""Faults between a job's queue and the event stream. A 202 without `"told": false` means that both have the
job; nothing is lost; no job shows that cannot run."""
import threading

import pytest

from harness.events import Events
from harness.forwarder import Forwarder
from harness.load import (CLIENTS, Load, check_ends, check_told, queues_are_on_disk, told,
                          unconfirmed)
from harness.until import until

QUEUE = "jobs.acme.medium"


@pytest.fixture()
def behind(make_warren, forwarder):
    """behind(confirm_timeout="1s"): a Warren whose gateway reaches the broker through the forwarder."""
    def make(**settings):
        warren = make_warren(start=False)
        warren.gateway.settings.update(amqp_urls=forwarder.url(warren.vhost), **settings)
        warren.start()
        warren.tenant()
        return warren

    return make


@pytest.fixture()
def faulty(faulty_warren):
    """A Warren on a broker of its own, whose tenant was made before the fault, with its queues on disk."""
    faulty_warren.tenant()
    until(lambda: queues_are_on_disk(faulty_warren.broker), 30, "the tenant's queues on disk")
    return faulty_warren


def untold(warren):
    return int(warren.gateway.metrics()["warren_jobs_untold"])


def on_writer(broker, vhost, do):
    """Runs Erlang code on `Writer`, the process that writes the stream `events`."""
    broker.ctl("eval", """
        Name = rabbit_misc:r(<<"%s">>, queue, <<"events">>),
        {ok, Queue} = rabbit_amqqueue:lookup(Name),
        #{leader_pid := Writer} = amqqueue:get_type_state(Queue),
        %s.""" % (vhost, do))


def test_gateway_killed_between_the_two_confirms(behind, forwarder, tally):
    """Nobody got a 202 for these jobs, and they run. They show with all but their payload."""
    warren = behind()
    load = Load(warren)
    load.until(300)
    forwarder.deaf.add("packs")
    until(lambda: untold(warren) == CLIENTS, 30, "every client's job is queued and not told", every=0)
    accepted = len(load.accepted)
    warren.gateway.kill()
    forwarder.deaf.discard("packs")
    warren.gateway.start()
    load.until(accepted + 100)
    load.stop()
    events = Events(warren)
    events.await_ended(load.accepted)
    silent = {line["id"] for line in events.lines if line["event"] == "started"} - told(events)
    check_told(warren, load, tally, "gateway killed between the confirms")
    assert len(silent) == CLIENTS and not silent & set(load.accepted)
    assert events.await_ended(silent) == silent
    load.unknown += silent
    check_ends(warren, load, tally, "gateway killed between the confirms", f"queued and untold {len(silent)}")
    for id in silent:
        job = warren.api.get(id)
        assert (job["status"], job["type"], job["priority"]) == ("completed", "noop", "medium"), job
        assert (job["payload"], job["max_retries"], job["tenant"]) == (None, 3, "acme"), job
        assert job["created_at"] and job["trace_id"], job
    events.close()


def check_untold(warren, ids):
    """They ran, and show with all but their payload."""
    for id in ids:
        job = warren.api.wait(id)
        assert (job["status"], job["type"], job["payload"]) == ("completed", "noop", None), job


def test_gateway_killed_after_it_answered_that_a_job_is_told_late(behind, forwarder):
    """What it had still to tell is gone with it. The jobs run."""
    warren = behind(confirm_timeout="1s")
    warren.consumer.stop()
    forwarder.deaf.add("packs")
    answers = in_parallel(warren, 8)
    late = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    assert late and all(answer.json()["told"] is False for answer in answers if answer.status_code == 202)
    assert warren.depth(QUEUE) == len(late)
    warren.gateway.kill()
    forwarder.deaf.discard("packs")
    warren.gateway.start()
    warren.gateway.wait_ready()
    fold_all(warren)
    assert not any(is_shown(warren, id) for id in late)
    warren.consumer.start()
    check_untold(warren, late)


def test_broker_killed_between_the_two_confirms(private_broker, make_warren, tally):
    """The queue has these jobs on disk. The gateway tells of them when the broker is back."""
    way = Forwarder(private_broker.port).open()
    warren = make_warren(on=private_broker, start=False)
    warren.gateway.settings.update(amqp_urls=way.url(warren.vhost), confirm_timeout="30s")
    warren.start()
    warren.tenant()
    until(lambda: queues_are_on_disk(private_broker), 30, "the tenant's queues on disk")
    load = Load(warren)
    load.until(100)
    way.deaf.add("packs")
    until(lambda: untold(warren) == CLIENTS, 30, "every client's job is queued and not told", every=0)
    accepted = len(load.accepted)
    private_broker.kill()
    way.deaf.discard("packs")
    private_broker.start()
    load.until(accepted + 100)
    load.stop()
    until(lambda: untold(warren) == 0, 60, "all is told")
    assert not load.late and not load.no_answer
    check_told(warren, load, tally, "broker killed between the confirms")
    check_ends(warren, load, tally, "broker killed between the confirms", f"queued and untold {CLIENTS}")
    way.shut()


def test_stream_writer_replaced_under_load(faulty, tally):
    """What the link of the packs has confirmed is in the stream: nothing else is published on it."""
    kills = 5
    load = Load(faulty)
    for _ in range(kills):
        load.until(len(load.accepted) + 200)
        unconfirmed(faulty)
        on_writer(faulty.broker, faulty.vhost, "exit(Writer, kill)")
    load.until(len(load.accepted) + 200)
    load.stop()
    until(lambda: untold(faulty) == 0, 60, "all is told")
    check_told(faulty, load, tally, f"stream writer killed {kills} times")
    check_ends(faulty, load, tally, "stream writer killed", f"{kills} kills")


def test_stream_writer_hangs_under_load(private_broker, make_warren, tally):
    """The stream takes packs and confirms none, as when its leader is away. Jobs that are queued by then
    are accepted and told late; the next ones are refused before their queue."""
    warren = make_warren(on=private_broker, settings={"gateway": {"confirm_timeout": "1s"}})
    warren.tenant()
    load = Load(warren)
    load.until(300)
    on_writer(private_broker, warren.vhost, "sys:suspend(Writer)")
    try:
        until(lambda: load.late and load.codes[503] > len(load.unknown) + CLIENTS, 60, "refused")
        assert not warren.gateway.is_ready()
        late = len(load.late)
    finally:
        on_writer(private_broker, warren.vhost, "sys:resume(Writer)")
    load.until(len(load.accepted) + 200)
    load.stop()
    assert 1 <= late <= CLIENTS
    until(lambda: untold(warren) == 0, 60, "all is told")
    check_told(warren, load, tally, "stream writer hangs")
    check_ends(warren, load, tally, "stream writer hangs", f"late then {late}")


def in_parallel(warren, count):
    """The answers to so many submissions at a time."""
    answers = []

    def submit():
        answers.append(warren.api.with_key(warren.api.key).request("POST", "/jobs", json={"type": "noop"}))

    threads = [threading.Thread(target=submit) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def test_stream_deleted(make_warren, tally):
    """The first pack is returned. The link waits for its stream; the jobs behind it are accepted, told late,
    and told once there is a stream again."""
    warren = make_warren(settings={"gateway": {"confirm_timeout": "1s"}})
    warren.tenant()
    warren.consumer.stop()
    with warren.pika() as connection:
        connection.channel().queue_delete("events")
    answers = in_parallel(warren, 8)
    late = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    assert late and all(answer.json()["told"] is False for answer in answers if answer.status_code == 202)
    assert all("id" not in answer.json() for answer in answers if answer.status_code != 202)
    until(lambda: not warren.gateway.is_ready(), 30, "it is seen")
    answer = warren.api.request("POST", "/jobs", json={"type": "noop"})
    assert answer.status_code == 503 and "id" not in answer.json()
    assert warren.depth(QUEUE) == len(late)
    warren.broker.topology(warren.vhost, "apply")
    warren.status_store.restart()  # the primary binds the tenants' exchanges again
    warren.gateway.wait_ready(60)
    until(lambda: untold(warren) == 0, 60, "all is told")
    warren.consumer.start()
    ends = [id for id in late if warren.api.wait(id)["status"] == "completed"]
    tally("stream deleted", late, ends, note=f"refused {len(answers) - len(late) + 1}")
    assert {job["id"] for job in warren.api.list_all()} == set(late)


def test_broker_blocked_under_load(private_broker, make_warren, tally):
    """The broker's memory alarm, twice."""
    warren = make_warren(on=private_broker, settings={"gateway": {"confirm_timeout": "1s"}})
    warren.tenant()
    load = Load(warren)
    for _ in range(2):
        load.until(len(load.accepted) + 200)
        refused = load.codes[503]
        private_broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            until(lambda: load.codes[503] >= refused + 50, 60, "refused")
            assert not warren.gateway.is_ready()
        finally:
            private_broker.ctl("set_vm_memory_high_watermark", "0.6")
    load.until(len(load.accepted) + 200)
    load.stop()
    until(lambda: untold(warren) == 0, 60, "all is told")
    check_told(warren, load, tally, "broker blocked")
    check_ends(warren, load, tally, "broker blocked", "2 alarms")


def test_queue_deleted_under_load(fresh_warren, tally):
    """What was in the queue is gone with it. From then on jobs are refused, not told, until the primary makes the
    queue again; then all goes on by itself."""
    warren = fresh_warren
    warren.tenant()
    load = Load(warren)
    load.until(300)
    with warren.pika() as connection:
        connection.channel().queue_delete(QUEUE)
    refused = load.codes[503]
    until(lambda: load.codes[503] >= refused + 50, 60, "refused")
    before, gone = len(load.accepted), set(load.accepted) | set(load.unknown)
    until(lambda: load.codes[503] >= refused + 150, 60, "refused on")
    assert len(load.accepted) == before, "accepted without a queue"
    warren.status_store.restart()
    load.until(before + 300)
    load.stop()
    later = [id for id in load.accepted if id not in gone]
    events = Events(warren)
    ended = events.await_ended(later)
    starts = events.starts(set(later))
    events.close()
    tally("queue deleted", later, ended, starts, note=f"unknown {len(load.unknown)}, answers "
          f"{dict(sorted(load.codes.items()))}")
    shown = {job["id"] for job in warren.api.list_all(type="noop", limit=500)}
    assert shown <= set(load.accepted) | set(load.unknown)


class Submission(threading.Thread):
    """A submission that waits for the confirm of its queue."""

    def __init__(self, warren):
        super().__init__(daemon=True)
        self.warren = warren
        self.answer = None
        self.start()
        until(lambda: unconfirmed(warren) == 1, 30, "it is published")

    def run(self):
        self.answer = self.warren.api.request("POST", "/jobs", json={"type": "noop", "payload": [1]})

    def unknown(self):
        """Its id, when its answer was that its outcome is unknown."""
        self.join(60)
        assert (self.answer.status_code, self.answer.json()["accepted"]) == (503, "unknown")
        return self.answer.json()["id"]


def is_shown(warren, id):
    return warren.api.request("GET", f"/jobs/{id}").status_code == 200


def is_listed(warren, id):
    return id in {job["id"] for job in warren.api.list_all()}


def fold_all(warren):
    """Returns when the projection has read what was told up to now."""
    marker = warren.api.submit("noop", [])["id"]
    until(lambda: is_shown(warren, marker), 30, "the projection has read it")


@pytest.mark.parametrize("lost", [True, False], ids=["connection lost", "no confirm in time"])
def test_a_job_of_unknown_outcome_shows_when_it_starts(behind, forwarder, lost):
    """Its queue has it."""
    warren = behind(confirm_timeout="30s" if lost else "1s")
    warren.consumer.stop()
    forwarder.mute.add("queues")
    submission = Submission(warren)
    if lost:
        until(lambda: warren.depth(QUEUE) == 1, 30, "it is queued")
        forwarder.heal("queues")
    id = submission.unknown()
    if not lost:
        forwarder.renew("queues")
    warren.gateway.wait_ready()
    fold_all(warren)
    assert not is_shown(warren, id) and not is_listed(warren, id)
    warren.consumer.start()
    job = warren.api.wait(id)
    assert (job["status"], job["attempt"], job["payload"]) == ("completed", 1, [1])
    assert is_listed(warren, id)


@pytest.mark.parametrize("lost", [True, False], ids=["connection lost", "no confirm in time"])
def test_a_job_that_no_queue_has_never_shows(behind, forwarder, lost):
    warren = behind(confirm_timeout="30s" if lost else "1s")
    forwarder.deaf.add("queues")
    submission = Submission(warren)
    if lost:
        until(lambda: forwarder.swallowed["queues"] == 1, 30, "it is swallowed")
        forwarder.heal("queues")
    id = submission.unknown()
    if not lost:
        forwarder.renew("queues")
    warren.gateway.wait_ready()
    assert warren.api.run("noop")["status"] == "completed"
    fold_all(warren)
    assert not is_shown(warren, id) and not is_listed(warren, id)
