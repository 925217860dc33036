# SPDX-License-Identifier: Apache-2.0
"""Tenants' running limits without a registry that makes them: fills the queues of tokens and publishes the
tenants' records. Jobs of type `job` append their start and end to a file."""
import collections
import json

import pika

from harness.publish import publish
from harness.until import until
from harness.warren import default_handlers

# The payload: how many seconds the job takes.
JOB = """read -r seconds
echo "+ $WARREN_JOB_ID $(date +%s%3N)" >>{0}/runs
sleep "$seconds"
echo "- $WARREN_JOB_ID $(date +%s%3N)" >>{0}/runs
echo true
"""

Line = collections.namedtuple("Line", "start id at")


def handlers_with_job(whole, on_link_loss="finish"):
    handlers = default_handlers()
    handlers["types"]["job"] = {"exec": ["/bin/sh", "-c", JOB.format(whole.folder)],
                                "on_link_loss": on_link_loss}
    return handlers


class Limited:
    """A Warren and its tenants' limits. The primary would publish its own records again, so from here on
    the status-store is none."""

    def __init__(self, whole):
        self.whole = whole
        whole.status_store.settings["primary"] = "false"
        whole.status_store.restart()
        self.versions = collections.Counter()
        self.consumers = [whole.consumer]

    def fill(self, queue, count, **arguments):
        with self.whole.pika("warren-provision") as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum", **arguments})
            for number in range(count):
                channel.basic_publish("", queue, b"", pika.BasicProperties(
                    user_id="warren-provision", delivery_mode=2, message_id=str(number),
                    content_type="application/vnd.warren.token"))

    def limit(self, tenant, most, **members):
        """Makes `most` jobs of the tenant run at once, by a version of its own; None: any number."""
        self.versions[tenant] += 1
        version = self.versions[tenant]
        if most is not None:
            self.fill(f"slots.{tenant}.{version}", most)
        record = {"record": "tenant", "key": tenant, "v": 1000 + version, "rate": None, "burst": 10,
                  "max_running": most, "slots_version": version, "max_pending": 100000, "weight": 1,
                  "paused": False, "deleted": False, **members}
        with self.whole.pika("warren-provision") as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("control", "", json.dumps(record), pika.BasicProperties(
                user_id="warren-provision", content_type="application/json", delivery_mode=2))
        told = f"\"tenant\":\"{tenant}\",\"max_running\":{-1 if most is None else most},\"version\":{version}"
        for consumer in self.consumers:
            until(lambda c=consumer: told in c.log(), 20, f"{consumer.name} has the record of {tenant}")

    def submit(self, tenant, count, seconds, lane="medium", type="job"):
        return self.submit_each(tenant, [seconds] * count, lane, type)

    def submit_each(self, tenant, durations, lane="medium", type="job"):
        """A job of each duration, so quickly that they wait for each other."""
        with self.whole.tenant(tenant, amqp_login=True).pika() as connection:
            channel = connection.channel()
            return [publish(channel, tenant, type, f"{seconds}\n".encode(), lane=lane)
                    for seconds in durations]

    def free(self, tenant, version=None):
        """Tokens in the queue, exactly."""
        return self.whole.depth(f"slots.{tenant}.{version or self.versions[tenant]}")

    def await_free(self, tenant, count, version=None):
        until(lambda: self.free(tenant, version) == count, 20, f"{count} free slots of {tenant}")

    def runs(self):
        path = self.whole.folder / "runs"
        found = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        parts = (line.split() for line in found)
        return [Line(sign == "+", id, int(at)) for sign, id, at in parts]

    def await_ended(self, ids, timeout=90):
        """Returns the lines of the file once these jobs have ended."""
        ids = set(ids)

        def ended():
            runs = self.runs()
            return runs if ids <= {line.id for line in runs if not line.start} else None

        return until(ended, timeout, f"{len(ids)} jobs ended")

    def await_started(self, count, timeout=60):
        """Returns how many runs have begun, once they are that many."""
        return until(lambda: len([line for line in self.runs() if line.start]) >= count, timeout,
                     f"{count} jobs started")

    def close(self, program, link):
        """The broker closes one link of a program; returns when it has."""
        name = f"{program.pid} {link}"
        rows = self.whole.broker.ctl("-q", "list_connections", "-p", self.whole.vhost, "pid",
                                     "client_properties").splitlines()
        pids = [row.split("\t")[0] for row in rows if name in row]
        assert len(pids) == 1, rows
        self.whole.broker.ctl("close_connection", pids[0], "test")


def most_at_once(runs):
    """The largest number of jobs between their start and their end, in the order of the file."""
    running, most = 0, 0
    for line in runs:
        running += 1 if line.start else -1
        most = max(most, running)
    return most


def idle(runs, limit):
    """For how many ms of the time between the first start and the last one fewer than `limit` ran, and the
    longest such gap."""
    running, since, gaps = 0, None, []
    last = max(line.at for line in runs if line.start)
    for line in sorted(runs, key=lambda line: line.at):
        if line.at > last:
            break
        before = running
        running += 1 if line.start else -1
        if before >= limit > running:
            since = line.at
        if running >= limit and since is not None:
            gaps.append(line.at - since)
            since = None
    return sum(gaps), max(gaps, default=0)
