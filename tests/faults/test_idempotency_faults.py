# SPDX-License-Identifier: Apache-2.0
"""Faults while jobs are submitted with idempotency keys: the client sends the same again until it has an
answer, and each key makes one job, which runs once."""
import collections
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from harness.api import Api
from harness.evidence import check_completed
from harness.load import queues_are_on_disk
from harness.until import until
from harness.warren import default_handlers

LEASE = "4s"


@pytest.fixture()
def behind(make_warren, forwarder):
    """behind(lease="4s"): a Warren whose gateway reaches the broker through the forwarder."""
    def make(lease=LEASE):
        warren = make_warren(start=False, settings={"status-store": {"claims_lease": lease}})
        warren.gateway.settings.update(amqp_urls=forwarder.url(warren.vhost), confirm_timeout="2s")
        warren.start()
        assert warren.api.run("noop")["status"] == "completed"
        return warren

    return make


def send(api, key, type="noop"):
    return api.request("POST", "/jobs", json={"type": type, "payload": key},
                       headers={"Idempotency-Key": key})


def last_answer(api, key, timeout=90, type="noop"):
    """Sends the same until the answer is 202; returns it, and how often each status came before."""
    before = collections.Counter()

    def again():
        try:
            answer = send(api, key, type)
        except requests.RequestException:
            before["none"] += 1
            return None
        if answer.status_code != 202:
            assert answer.status_code in (409, 503), answer.text
            before[answer.status_code] += 1
            return None
        return (answer,)

    answer, = until(again, timeout, f"202 for {key}; before: {before}", every=0.05)
    return answer, before


def is_replay(answer):
    return answer.headers.get("Idempotent-Replayed") == "true"


def check_runs_once(warren, id, key):
    job = warren.api.wait(id)
    assert job["status"] == "completed" and job["idempotency_key"] in (key, None)
    assert len(warren.api.attempts(id)["attempts"]) == 1


def processed(warren):
    return warren.consumer.metrics().sum("warren_jobs_processed_total", type="noop")


class Sent:
    """A submission on a thread of its own, whose client gets no answer."""

    def __init__(self, warren, key):
        self.pool = ThreadPoolExecutor(1)
        self.future = self.pool.submit(send, Api(warren.url, warren.tenant().key), key)

    def end(self):
        assert isinstance(self.future.exception(60), requests.RequestException)
        self.pool.shutdown()


def test_gateway_killed_between_claim_and_publish(behind, forwarder):
    """No queue has the job. Once the lease is over the same request makes it."""
    warren = behind()
    forwarder.deaf.add("queues")
    sent = Sent(warren, "k")
    until(lambda: forwarder.swallowed["queues"], 30, "its publish is under way")
    warren.gateway.kill()
    sent.end()
    forwarder.deaf.discard("queues")
    warren.gateway.start()
    answer, before = last_answer(warren.api, "k")
    assert before[409] > 0 and not is_replay(answer)
    check_runs_once(warren, answer.json()["id"], "k")
    assert len(warren.api.list_all()) == 2
    assert is_replay(send(warren.api, "k"))


def test_gateway_killed_between_publish_and_confirm(behind, forwarder):
    """The job has run when the same request publishes it again: it runs once."""
    warren = behind()
    before_it = processed(warren)
    forwarder.mute.add("queues")
    sent = Sent(warren, "k")
    until(lambda: processed(warren) == before_it + 1, 30, "the job has run")
    warren.gateway.kill()
    sent.end()
    forwarder.mute.discard("queues")
    warren.gateway.start()
    until(lambda: len(warren.api.list_all()) == 2, 30, "the job shows")
    first = warren.api.list(sort="-created_at")["jobs"][0]["id"]
    answer, before = last_answer(warren.api, "k")
    assert before[409] > 0
    assert answer.json()["id"] == first
    check_runs_once(warren, first, "k")
    assert processed(warren) == before_it + 1
    assert warren.api.get(first)["duplicates"] == 0
    assert is_replay(send(warren.api, "k"))


def test_gateway_killed_between_confirm_and_202(behind, forwarder):
    """The queue has the job and the stream was not told. The claim was settled at the queue's confirm."""
    warren = behind(lease="10m")
    forwarder.deaf.add("packs")
    sent = Sent(warren, "k")
    until(lambda: warren.gateway.metrics()["warren_jobs_untold"] == 1, 30, "its queue has confirmed it")
    until(lambda: is_replay(send(warren.api, "k")), 2, "settled")
    warren.gateway.kill()
    sent.end()
    forwarder.deaf.discard("packs")
    warren.gateway.start()
    answer = send(warren.api, "k")
    assert is_replay(answer), answer.text
    check_runs_once(warren, answer.json()["id"], "k")


def test_gateway_killed_before_the_settle_was_sent(behind, forwarder):
    """The primary died after the claim, the gateway after the 202. The projection settles the claim."""
    warren = behind(lease="10m")
    before_it = processed(warren)
    forwarder.slow["queues"] = 1.5
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, Api(warren.url, warren.tenant().key), "k")
        until(lambda: processed(warren) == before_it + 1, 30, "the job has run")
        warren.status_store.kill()
        first = first.result(60)
    assert first.status_code == 202 and not is_replay(first), first.text
    warren.gateway.kill()
    forwarder.slow.clear()
    warren.status_store.start()
    warren.gateway.start()
    answer, _ = last_answer(warren.api, "k", timeout=30)
    assert is_replay(answer) and answer.json()["id"] == first.json()["id"]


def gated_handlers(folder):
    """`gate` runs until the file `open` is there; `note` writes that it runs."""
    handlers = default_handlers()
    handlers["defaults"]["timeout"] = "5m"
    handlers["types"]["gate"] = {
        "exec": ["/bin/sh", "-c", f"until [ -e {folder}/open ]; do sleep 0.05; done; echo true"]}
    handlers["types"]["note"] = {
        "exec": ["/bin/sh", "-c", f"echo $WARREN_JOB_ID >>{folder}/ran; echo true"]}
    return handlers


def test_both_copies_wait_in_two_consumers(make_warren, forwarder):
    """The tenant's only slot is in use. One consumer holds the first copy, and no more jobs; the other was
    told, before any of them started, that the second may run."""
    warren = make_warren(start=False, settings={"status-store": {"claims_lease": LEASE},
                                                "consumer": {"concurrency": 2}})
    warren.write_handlers(gated_handlers(warren.folder))
    warren.gateway.settings.update(amqp_urls=forwarder.url(warren.vhost), confirm_timeout="2s")
    warren.start()
    warren.tenant("acme", max_running=1)
    way = warren.api_at(warren.add_gateway())
    until(lambda: way.request("GET", "/jobs?limit=1").status_code == 200, 30, "the key is known there")

    def held(consumer):
        return consumer.metrics()["warren_deliveries_held"]

    def checked(consumer, verdict):
        return consumer.metrics().sum("warren_duplicates_checked_total", verdict=verdict)

    first = warren.consumer
    busy = way.submit("gate")["id"]
    way.wait(busy, "running")
    forwarder.mute.add("queues")
    doubtful = send(warren.api, "k", "note")
    assert doubtful.status_code == 503 and doubtful.json()["accepted"] == "unknown", doubtful.text
    until(lambda: held(first) == 2, 30, "the first copy")
    others = [way.submit("noop")["id"] for _ in range(2)]
    until(lambda: held(first) == 4, 30, "its window is full")
    second = warren.add_consumer()
    answer, _ = last_answer(way, "k", type="note")
    id = answer.json()["id"]
    assert id == doubtful.json()["id"]
    until(lambda: held(second) == 1, 30, "the second copy")
    until(lambda: checked(second, "run") == 1, 30, "that it may run")
    asked = time.monotonic()
    until(lambda: time.monotonic() - asked > 1, what="its answer is too old to start it")
    (warren.folder / "open").touch()
    for one in (busy, *others, id):
        assert way.wait(one)["status"] == "completed"
    until(lambda: held(first) + held(second) + warren.depth("jobs.acme.medium") == 0, 60, "nothing is left")
    assert (warren.folder / "ran").read_text(encoding="utf-8").split() == [id]
    verdicts = [(one, verdict) for one in (first, second) for verdict in ("dropped", "remembered")]
    assert sum(checked(*each) for each in verdicts) == 1
    until(lambda: len(way.attempts(id)["attempts"]) == 1, 30, "one attempt")


class Keyed:
    """Clients that submit with one key after another, each until it has a 202."""

    def __init__(self, warren, clients=8):
        self.made = {}  # key → id
        self.before = collections.Counter()
        self.replays = 0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(clients)
        self._clients = [self._pool.submit(self._run, warren, number) for number in range(clients)]

    def _run(self, warren, number):
        api = Api(warren.url, warren.tenant().key)
        count = 0
        while not self._over.is_set():
            key = f"client-{number}/{count}"
            answer, before = last_answer(api, key)
            count += 1
            with self._lock:
                self.made[key] = answer.json()["id"]
                self.before += before
                self.replays += is_replay(answer)

    def until(self, count):
        until(lambda: len(self.made) >= count or any(c.done() for c in self._clients), 120, f"{count} jobs")

    def stop(self):
        self._over.set()
        for client in self._clients:
            client.result(120)
        self._pool.shutdown()


def check_one_job_a_key(warren, load, others=frozenset()):
    ids = set(load.made.values())
    assert len(ids) == len(load.made)
    check_completed(warren, sorted(ids))
    assert {job["id"] for job in warren.api.list_all(limit=500)} == ids | others


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("program, answer", [("gateway", "none"), ("status_store", 503)])
def test_program_ends_under_keyed_load(make_warren, program, answer, how):
    """The primary's claims are on disk before they are granted."""
    warren = make_warren(settings={"status-store": {"claims_lease": LEASE}})
    warren.tenant()
    load = Keyed(warren)
    load.until(100)
    getattr(getattr(warren, program), how)()
    getattr(warren, program).start()
    load.until(len(load.made) + 100)
    load.stop()
    assert load.before[answer] > 0
    check_one_job_a_key(warren, load)


def test_broker_killed_under_keyed_load(faulty_warren):
    """Not earlier than the tenant's queues are on disk: one that comes back without a leader would keep the
    consumer from the others."""
    warren = faulty_warren
    assert warren.api.run("noop")["status"] == "completed"
    until(lambda: queues_are_on_disk(warren.broker), 30, "the tenant's queues on disk")
    before = {job["id"] for job in warren.api.list_all()}
    load = Keyed(warren)
    load.until(100)
    warren.broker.kill()
    warren.broker.start()
    load.until(len(load.made) + 100)
    load.stop()
    assert load.before[503] > 0
    check_one_job_a_key(warren, load, before)
