# SPDX-License-Identifier: Apache-2.0
"""What is known about jobs that are missing, for the message of a test that fails."""
import json

from harness.events import Events
from harness.until import until

NAMED = 5  # jobs of which all is said


def _of_the_stream(warren, ids):
    events = Events(warren)
    end = warren.api.submit("noop")["id"]
    events.until(lambda: any(properties.message_id == end for _, _, properties, _ in events.messages),
                 what="the end of the stream")
    events.close()
    for id in ids:
        yield id, [(exchange, properties.headers) for exchange, _, properties, _ in events.messages
                   if properties.message_id == id] + events.of(id)


def _of_the_queues(warren):
    for name, row in warren.broker.queues(warren.vhost).items():
        if row.get("messages") != 0 or name.startswith("jobs."):
            yield name, {key: row.get(key) for key in
                         ("messages", "messages_unacknowledged", "consumers", "leader", "state")}


def _of_the_programs(warren):
    for program in warren.programs:
        yield program.name, [line for line in program.metrics().text.splitlines()
                             if not line.startswith("#") and "_bucket" not in line and
                             not line.endswith(" 0")]


def evidence(warren, ids):
    """Rows, attempts and messages of the jobs; queues; metrics. What cannot be found out is said too."""
    some = ids[:NAMED]
    parts = {
        "row": lambda: ((id, warren.api.request("GET", f"/jobs/{id}").text) for id in some),
        "attempts": lambda: ((id, warren.api.request("GET", f"/jobs/{id}/attempts").text) for id in some),
        "queue": lambda: _of_the_queues(warren),
        "stream": lambda: _of_the_stream(warren, some),
        "metrics": lambda: _of_the_programs(warren),
    }
    lines = [f"{len(ids)} jobs, of these {some}; logs: {warren.folder}, {warren.broker.folder}"]
    for name, part in parts.items():
        try:
            lines += [f"{name} {json.dumps(told, default=str)}" for told in part()]
        except Exception as failure:  # the evidence of the others counts
            lines.append(f"{name}: {failure!r}")
    return "\n".join(lines)


def check_completed(warren, ids, timeout=60):
    """Each of the jobs shows as completed in time; fails with the evidence of those that do not."""
    def open_ones():
        shown = {job["id"] for job in warren.api.list_all(status="completed", limit=500)}
        return [id for id in ids if id not in shown]

    try:
        until(lambda: not open_ones(), timeout, "all are completed", every=0.2)
    except AssertionError:
        left = open_ones()
        assert not left, evidence(warren, left)
