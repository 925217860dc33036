# SPDX-License-Identifier: Apache-2.0
"""Clients that submit jobs over HTTP without pause while something fails, and what became of their jobs."""
import collections
import threading

import requests

from harness.api import Api
from harness.events import Events
from harness.until import until

CLIENTS = 16


class Load:
    """Clients that submit without pause until stop(); every answer is counted."""

    def __init__(self, warren, api=None, clients=CLIENTS):
        self.warren = warren
        self.key = (api or warren.api).key
        self.accepted, self.unknown = [], []
        self.late = []  # of the accepted ones: "told": false
        self.codes = collections.Counter()
        self.wrong = []
        self.no_answer = 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._submit) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _submit(self):
        api = Api(self.warren.url, self.key)
        while not self.stopping.is_set():
            try:
                self._take(api.request("POST", "/jobs", json={"type": "noop", "payload": [1]}))
            except requests.ConnectionError:
                self.no_answer += 1
                self.stopping.wait(0.02)

    def _take(self, answer):
        self.codes[answer.status_code] += 1
        body = answer.json()
        if answer.status_code == 202:
            self.accepted.append(body["id"])
            if body.get("told") is False:
                self.late.append(body["id"])
        elif answer.status_code != 503 or int(answer.headers["Retry-After"]) < 1:
            self.wrong.append(answer.text)
        elif body.get("accepted") == "unknown":
            self.unknown.append(body["id"])
        else:
            self.stopping.wait(0.1)

    def until(self, count):
        until(lambda: len(self.accepted) >= count, 60, f"{count} accepted")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=120)
            assert not thread.is_alive()
        assert not self.wrong, self.wrong[:3]
        return self


def unconfirmed(warren):
    """Waits until a publish is unconfirmed; returns how many are."""
    return until(lambda: int(warren.gateway.metrics()["warren_publish_in_flight"]), 30,
                 "a publish under way", every=0)


def check_ends(warren, load, tally, what, then):
    """Each job answered with 202 ended exactly once. A job of unknown fate ended too, or is not shown."""
    events = Events(warren)
    ended = events.await_ended(load.accepted)
    starts = events.starts(set(load.accepted))
    events.close()
    rows = {}

    def settled():
        rows.update({job["id"]: job["status"] for job in warren.api.list_all(type="noop", limit=500)})
        return (ended <= rows.keys() and
                all(status == "completed" for status in rows.values()))

    until(settled, 120, "every job that shows is completed", every=0.5)
    kept = sum(1 for id in load.unknown if id in rows)
    assert len(set(load.accepted)) == len(load.accepted)
    assert rows.keys() <= set(load.accepted) | set(load.unknown)
    tally(what, load.accepted, ended & rows.keys(), starts,
          note=f"{then}; told late {len(load.late)}, unknown {len(load.unknown)}, of these kept {kept}; "
               f"answers {dict(sorted(load.codes.items()))}")


def told(events):
    """The ids of the jobs of which the stream was told without doubt, as far as it has been read."""
    return {properties.message_id for exchange, _, properties, _ in events.messages
            if exchange == "work" and "x-doubt" not in properties.headers}


def check_told(warren, load, tally, what):
    """The stream was told of each job that was accepted, also of those that were told late."""
    events = Events(warren)
    try:
        events.until(lambda: set(load.accepted) <= told(events), 60)
    except AssertionError:
        pass  # the tally counts the missing ones
    tally(f"{what}: told", load.accepted, told(events), note=f"told late {len(load.late)}")
    events.close()


def known_before(warren, load):
    """The ids of the jobs that the fixture submitted before the load."""
    ours = set(load.accepted) | set(load.unknown)
    first = min(load.accepted)
    return [job["id"] for job in warren.api.list_all(type="noop", limit=500)
            if job["id"] < first and job["id"] not in ours]


def queues_are_on_disk(broker):
    """RabbitMQ 3.10 writes the name of a quorum queue to disk up to a second after the queue was made. One
    that is younger when the broker is killed comes back without a leader, and never gets one."""
    tables = broker.folder.glob("mnesia/*/quorum/*/names.dets")
    return any(b"jobs.acme.long" in table.read_bytes() for table in tables)
