# SPDX-License-Identifier: Apache-2.0
"""A Warren with three consumers whose jobs write down when they run, and load that keeps jobs waiting."""
import concurrent.futures
import random
import threading
import time

import requests

from harness.api import Api
from harness.events import Events
from harness.forwarder import Forwarder
from harness.running import Recorder, below, check_limit, last_wait, most_at_once
from harness.until import until
from harness.warren import Tenant

WORKERS = 6  # of each consumer


class Limited:
    """`consumers`: three of them. With `forwarded` each reaches the broker through a forwarder of its own:
    way(consumer)."""

    def __init__(self, make_warren, tmp_path, *types, on=None, forwarded=False, **members):
        self.recorder = Recorder(tmp_path / "runs")
        self.warren = make_warren(
            on=on, start=False, handlers=self.recorder.handlers(*types, **members),
            settings={"consumer": {"concurrency": WORKERS, "log_level": "info", "drain": "1s"},
                      "status-store": {"tenant_delete_after": "200ms"}})
        self.consumers = [self.warren.consumer, *(self.warren._consumer(f"consumer-{number}")
                                                  for number in (1, 2))]
        self.ways = {}
        if forwarded:
            for consumer in self.consumers:
                self.ways[consumer] = Forwarder(self.warren.broker.port).open()
                consumer.settings["amqp_urls"] = self.ways[consumer].url(self.warren.vhost)
        self.warren.start()
        self.ids = []

    def shut(self):
        for way in self.ways.values():
            way.shut()

    def consumer_of(self, run):
        return next(consumer for consumer in self.consumers if consumer.pid == run.consumer)

    def limit(self, path, **members):
        """limit("tenants/acme", max_running=5), limit("types/short", max_rate="10/1s")."""
        answer = self.warren.admin.request("PATCH", "/" + path, json=members)
        assert answer.status_code == 200, answer.text

    def make_again(self, name, **limits):
        """A new tenant of a deleted one's name, as soon as its queues are gone. Returns when, on the
        monotonic clock."""
        self.warren.tenants.pop(name)
        limits.setdefault("rate", "unlimited")

        def made():
            answer = self.warren.admin.request("POST", "/tenants?reuse=true",
                                                json={"name": name, **limits})
            assert answer.status_code in (201, 409, 503), answer.text
            return answer.status_code == 201 and answer.json()

        body = until(made, 60, f"{name} is made again", every=0.2)
        at = time.monotonic()
        self.warren.tenants[name] = Tenant(self.warren, name, body)
        until(lambda: self.warren.api.request("GET", "/jobs?limit=1").status_code == 200, 30,
              "its key is known")
        return at

    def submit(self, tenant, type, ms, **members):
        id = self.warren.tenant(tenant).api.submit(type, {"ms": ms}, **members)["id"]
        self.ids.append(id)
        return id

    def submit_all(self, tenant, type, times, **members):
        """One job for each of the times, by several clients. Returns the ids in no order."""
        key = self.warren.tenant(tenant).key
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            def submit(part):
                api = Api(self.warren.url, key)
                return [api.submit(type, {"ms": ms}, **members)["id"] for ms in part]

            ids = [id for part in pool.map(submit, [times[at::4] for at in range(4)]) for id in part]
        self.ids += ids
        return ids

    def await_starts(self, count, timeout=60, **wanted):
        """Until so many more runs have started."""
        wanted_count = len(self.recorder.runs(**wanted)) + count
        until(lambda: len(self.recorder.runs(**wanted)) >= wanted_count, timeout,
              f"{count} more starts of {wanted}", every=0.05)

    def await_ended(self, tally, what, ids=None, note="", timeout=60):
        """Until each job has ended: none is lost. Writes what it cost; returns how many ran twice."""
        ids = self.ids if ids is None else ids
        events = Events(self.warren)
        try:
            events.until(lambda: len(events.ended(ids)) == len(set(ids)), timeout, "all jobs ended")
        finally:
            ended = events.ended(ids)
            events.close()
        return tally(what, ids, ended, self.recorder.started(), note=note() if callable(note) else note)

    def starts(self, events, **wanted):
        """When consumers started the jobs, by events: whole milliseconds of the wall clock. No token is used
        before such a time, or spent before it. A killed consumer may not have told its last ones."""
        known = {run.id for run in self.recorder.runs(**wanted)}
        told = {(line["id"], line["attempt"], line["at"]) for line in events.lines
                if line["event"] == "started" and line["id"] in known}
        return sorted(at for _, _, at in told)

    def kept(self, limit, first, left=12, **wanted):
        """The limit was kept by all that counts. Returns how well it was used from `first` on, while
        jobs waited: until so many had still to start."""
        runs = self.recorder.counted(**wanted)
        check_limit(runs, limit, str(wanted))
        assert most_at_once(runs) == limit, "the limit was never reached"
        return below(self.recorder.runs(**wanted), limit, first, last_wait(runs, left))


class Feeder:
    """Keeps so many jobs of a tenant and type waiting, until stop()."""

    def __init__(self, limited, tenant, type, ms=(10, 200), waiting=60, seed=1, **members):
        self.limited = limited
        self.api = limited.warren.tenant(tenant).api.with_key(limited.warren.tenant(tenant).key)
        self.tenant, self.type, self.ms, self.members = tenant, type, ms, members
        self.waiting = waiting
        self.random = random.Random(seed)
        self.ids = []
        self.refused = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._feed)
        self.thread.start()
        until(lambda: len(self.ids) >= waiting, 60, "the first jobs")

    def _wait_count(self):
        started = {run.id for run in self.limited.recorder.runs(tenant=self.tenant, type=self.type)}
        return len(self.ids) - len(started.intersection(self.ids))

    def _feed(self):
        while not self.stopping.is_set():
            for _ in range(self.waiting - self._wait_count()):
                self._submit()
            self.stopping.wait(0.02)

    def _submit(self):
        """A job whose outcome is unknown counts only if it runs."""
        try:
            answer = self.api.request("POST", "/jobs", json={
                "type": self.type, "payload": {"ms": self.random.randint(*self.ms)}, **self.members})
        except requests.ConnectionError:
            answer = None
        if answer is None or answer.status_code != 202:
            self.refused += 1
            self.stopping.wait(0.1)
            return
        self.ids.append(answer.json()["id"])

    def stop(self):
        """Returns when it stopped, on the monotonic clock."""
        if not self.stopping.is_set():
            self.stopping.set()
            self.thread.join(60)
            assert not self.thread.is_alive()
            self.limited.ids += self.ids
        return time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def random_times(count, first=10, last=200, seed=1):
    """Milliseconds, the same each time."""
    chosen = random.Random(seed)
    return [chosen.randint(first, last) for _ in range(count)]
