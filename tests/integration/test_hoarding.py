# SPDX-License-Identifier: Apache-2.0
"""What waits in one consumer while another could run it: consumer 1 is alone with a backlog, then a
second one starts."""
import collections

import pytest

from harness.events import Events
from harness.publish import publish
from harness.until import until

WORKERS = 4


def alone(make_warren, tenants):
    """A Warren with one consumer of four workers, that has not been started."""
    warren = make_warren(settings={"consumer": {"concurrency": WORKERS}})
    for name in tenants:
        warren.tenant(name, amqp_login=True)
    warren.consumer.stop()
    return warren


def publish_many(warren, name, count, ms):
    with warren.tenant(name).pika() as connection:
        channel = connection.channel()
        return [publish(channel, name, "sleep", {"ms": ms}) for _ in range(count)]


def run_with_a_second(warren, ids, after, timeout):
    """Starts the consumer, and another one when `after` jobs have started. Returns the starts of each
    worker, with their times in ms since the second was ready, and the time of the last end."""
    warren.consumer.start()
    events = Events(warren)
    events.until(lambda: len(events.count("started", ids)) >= after, 60, "the first jobs run")
    known = {line["worker"] for line in events.lines if line["event"] == "started"}
    warren.add_consumer(concurrency=WORKERS)
    events.until(lambda: any(line["event"] == "started" and line["worker"] not in known
                             for line in events.lines), 30, "the second consumer runs jobs")
    assert events.await_ended(list(ids), timeout=timeout) == set(ids)
    events.close()
    starts = collections.defaultdict(list)
    for line in events.lines:
        if line["event"] == "started" and line["id"] in ids:
            starts["first" if line["worker"] in known else "second"].append(line["at"])
    since = min(starts["second"])
    ends = [line["at"] for line in events.lines
            if line["event"] == "completed" and line["id"] in ids]
    return {name: [at - since for at in each] for name, each in starts.items()}, max(ends) - since


def test_one_queue_is_shared_at_once(make_warren):
    """200 jobs of 500 ms: 25 s for one consumer."""
    warren = alone(make_warren, ["acme"])
    ids = set(publish_many(warren, "acme", 200, 500))
    starts, took = run_with_a_second(warren, ids, after=8, timeout=60)
    left = sum(at >= 0 for each in starts.values() for at in each)
    assert len(starts["second"]) >= 0.4 * left
    assert took <= left * 500 / (2 * WORKERS) * 1.25 + 1000


@pytest.mark.parametrize("queues,each", [
    (20, 8),  # as many as the first window of each queue takes
    (40, 2),  # more queues than workers
])
def test_many_queues_do_not_fill_one_consumer(make_warren, queues, each):
    """Without a common limit all jobs would wait in the first consumer."""
    names = [f"tenant-{number}" for number in range(queues)]
    warren = alone(make_warren, names)
    ids = {id for name in names for id in publish_many(warren, name, each, 1000)}
    starts, took = run_with_a_second(warren, ids, after=8, timeout=90)
    left = sum(at >= 0 for each in starts.values() for at in each)
    assert len(starts["second"]) >= 0.35 * left
    assert took <= left * 1000 / (2 * WORKERS) * 1.5 + 2000
    until(lambda: warren.consumer.metrics()["warren_deliveries_held"] == 0, 10, "nothing held")
    assert sum(len(each) for each in starts.values()) == len(ids), "each ran once"
