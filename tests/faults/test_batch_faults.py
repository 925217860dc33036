# SPDX-License-Identifier: Apache-2.0
"""Faults while batches are submitted. Each job of an answer is accepted, refused or unknown; what was accepted
runs; and the same batch again, with the same keys, makes each job once."""
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from harness.batches import NDJSON, accepted, check
from harness.events import Events
from harness.load import queues_are_on_disk
from harness.until import until

BATCHES, JOBS = 4, 1000


@pytest.fixture()
def faulty(faulty_warren):
    """A Warren whose tenant was made before the fault, with its queues on disk."""
    assert faulty_warren.api.run("noop")["status"] == "completed"
    until(lambda: queues_are_on_disk(faulty_warren.broker), 30, "the tenant's queues on disk")
    return faulty_warren


class Batches:
    """Sends batches at once, each with a key for the whole, or with none."""

    def __init__(self, warren, keyed):
        self.warren = warren
        self.keys = [f"batch-{secrets.token_hex(8)}" if keyed else None for _ in range(BATCHES)]
        # Large enough for the fault to come amid them.
        self.body = b"".join(b'{"type":"noop","payload":"%04d%s"}\n' % (i, b"x" * 4000) for i in range(JOBS))

    def _send(self, key):
        headers = {"Content-Type": NDJSON, **({"Idempotency-Key": key} if key else {})}
        return self.warren.api.request("POST", "/jobs/batch", data=self.body, headers=headers)

    def _try(self, key):
        try:
            return self._send(key)
        except requests.RequestException:
            return None

    def send(self, fault):
        """The answers, None where there was none; `fault` happens once some jobs have been published."""
        before = self.warren.gateway.metrics().sum("warren_jobs_submitted_total")

        def some():
            return self.warren.gateway.metrics().sum("warren_jobs_submitted_total") > before + 100

        with ThreadPoolExecutor(BATCHES) as pool:
            sent = [pool.submit(self._try, key) for key in self.keys]
            until(some, 30, "some jobs are accepted", every=0)
            fault()
            return [one.result() for one in sent]

    def until_accepted(self, key):
        """Sends one again until all of its jobs are accepted; returns their ids."""
        def all_accepted():
            answer = self._try(key)
            if answer is None or answer.status_code in (401, 503):
                return None
            entries, cut = check(answer)
            assert cut is None and len(entries) == JOBS
            for entry in entries:
                assert "id" in entry or entry["problem"]["status"] in (409, 503), entry
            return accepted(entries) if len(accepted(entries)) == JOBS else None

        return until(all_accepted, 120, "all are accepted", every=0.5)


def entries_of(answers):
    entries = []
    for answer in answers:
        found, cut = check(answer)
        assert cut is None and len(found) == JOBS
        entries += found
    return entries


def check_once(warren, ids):
    """Each of them has run, and once."""
    assert len(set(ids)) == len(ids)
    events = Events(warren)
    assert events.await_ended(ids) == set(ids)
    starts = events.starts(set(ids))
    assert starts.keys() == set(ids) and set(starts.values()) == {1}
    events.close()


@pytest.mark.parametrize("keyed", [False, True], ids=["without keys", "keyed"])
def test_broker_killed_amid(faulty, keyed):
    batches = Batches(faulty, keyed)
    entries = entries_of(batches.send(faulty.broker.kill))
    first = accepted(entries)
    unknown = [entry["problem"]["id"] for entry in entries
               if entry.get("problem", {}).get("accepted") == "unknown"]
    print(f"{len(first)} accepted, {len(unknown)} unknown of {len(entries)}")
    assert first and len(first) < len(entries)
    faulty.broker.start()
    until(lambda: all(program.is_ready() for program in faulty.programs), 90, "all ready again")
    if keyed:
        ids = [id for key in batches.keys for id in batches.until_accepted(key)]
        assert set(first) | set(unknown) <= set(ids)
        check_once(faulty, ids)
    else:
        events = Events(faulty)
        assert events.await_ended(first) == set(first)
        events.close()


def test_gateway_killed_amid(faulty):
    """Nobody has an answer; the same again makes each job once."""
    batches = Batches(faulty, True)
    answers = batches.send(faulty.gateway.kill)
    assert None in answers
    faulty.gateway.start()
    faulty.gateway.wait_ready()
    check_once(faulty, [id for key in batches.keys for id in batches.until_accepted(key)])
