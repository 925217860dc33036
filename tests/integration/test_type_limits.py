# SPDX-License-Identifier: Apache-2.0
"""A type at its own concurrency limit: its slots stay busy while jobs of the type wait, excess jobs hop,
and jobs of other types pass."""
import collections

import pytest

from harness.events import Events
from harness.publish import publish
from harness.warren import default_handlers

GATE = "while [ ! -e {}/open ]; do sleep 0.02; done; echo true"


@pytest.fixture()
def limited(make_warren):
    """A Warren with two workers; `gate` (runs until the file `open` is there) and `sleep` may use one."""
    whole = make_warren(settings={"consumer": {"concurrency": 2}}, start=False)
    handlers = default_handlers()
    handlers["types"]["gate"] = {"exec": ["/bin/sh", "-c", GATE.format(whole.folder)],
                                 "concurrency": 1}
    handlers["types"]["sleep"]["concurrency"] = 1
    whole.write_handlers(handlers)
    whole.start()
    whole.tenant("acme", amqp_login=True)
    whole.open_gate = (whole.folder / "open").touch
    yield whole
    whole.open_gate()


def publish_many(warren, count, type, payload=None):
    with warren.tenant("acme").pika() as connection:
        channel = connection.channel()
        return [publish(channel, "acme", type, payload) for _ in range(count)]


def runs(events, ids):
    """(start, end) of each job, in order of start."""
    at = {name: {line["id"]: line["at"] for line in events.lines if line["event"] == name}
          for name in ("started", "completed")}
    return sorted((at["started"][id], at["completed"][id]) for id in ids)


def hops(events, ids):
    """Job id → how often it hopped."""
    ids = set(ids)
    return collections.Counter(id for id, _ in events.hops() if id in ids)


@pytest.mark.parametrize("count,ms", [(12, 1000), (600, 20)])
def test_the_slot_is_busy_while_jobs_wait(limited, count, ms):
    limited.consumer.stop()
    ids = publish_many(limited, count, "sleep", {"ms": ms})
    limited.consumer.start()
    events = Events(limited)
    assert events.await_ended(ids) == set(ids)
    events.close()
    told = runs(events, ids)
    gaps = [start - end for (_, end), (start, _) in zip(told, told[1:])]
    assert min(gaps) >= 0, "two at once"
    idle = [gap for gap in gaps if gap >= 5000]
    assert len(idle) <= 1, "the slot was idle until a hop was over, again and again"
    away = hops(events, ids)
    assert sum(away.values()) <= 5 * count, away


@pytest.mark.soak
def test_what_is_behind_passes(limited):
    first = limited.api.submit("gate")["id"]
    limited.api.wait(first, "running")
    gates = publish_many(limited, 300, "gate")
    assert limited.api.run("noop")["status"] == "completed"
    assert limited.api.get(first)["status"] == "running"
    limited.open_gate()
    events = Events(limited)
    assert events.await_ended(gates) == set(gates)
    events.close()
    assert all(count == 1 for count in events.starts(gates).values())
    away = hops(events, gates)
    assert len(away) > 200, "most of them were in the way"
    assert max(away.values()) <= 16
