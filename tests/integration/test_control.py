# SPDX-License-Identifier: Apache-2.0
"""The primary status-store publishes each record of its registry once on stream `control`."""
import contextlib
import json
import pathlib
from urllib.parse import quote

import requests

from harness.status_rig import StatusStore
from harness.until import until
from tenants_rig import control_records, create, latest


def test_everything_is_told_again_when_control_was_lost(broker, tmp_path):
    made = StatusStore(broker, tmp_path).primary().start()
    try:
        key = create(made, "kept")["key"]
        made.broker.management("DELETE", f"/api/queues/{made.vhost}/control")
        made.broker.management("DELETE", f"/api/queues/{made.vhost}/jobs.kept.low")
        made.broker.topology(made.vhost, "apply")
        assert latest(made, "tenant", "kept") is None
        made.program.restart()
        until(lambda: latest(made, "tenant", "kept") is not None, 30, "the tenant is told again")
        until(lambda: latest(made, "apikey", key[3:11]) is not None, 30, "and its key")
        until(lambda: "jobs.kept.low" in made.broker.queues(made.vhost), 30, "its queue is back")
    finally:
        made.end()


def comparisons(made):
    """How many records `control` lacked at each comparison by the primary."""
    told = [json.loads(line) for line in made.program.log().splitlines()
            if "control is compared" in line]
    return [line["records"] for line in told]


def close_connections(made):
    """Closes the primary's connections, as a restart of the broker or a network failure does."""
    def names():
        rows = made.broker.management("GET", f"/api/vhosts/{made.vhost}/connections")
        return [row["name"] for row in rows if row.get("user") == "warren-provision"]

    for name in until(names, 30, "the connections are known"):
        with contextlib.suppress(requests.HTTPError):  # a connection that has gone meanwhile
            made.broker.management("DELETE", f"/api/connections/{quote(name)}")


def test_control_is_told_once(broker, tmp_path):
    """After a reconnect the primary publishes only the records that control lacks. It does declare
    missing queues again."""
    made = StatusStore(broker, tmp_path).primary().start()
    try:
        until(lambda: comparisons(made), 30, "compared at the first start")
        create(made, "kept")
        create(made, "gone")
        assert made.request("DELETE", "/tenants/gone").status_code == 204
        told = [r for r, _ in control_records(made) if r["record"] != "sync"]
        assert len(told) == len({(r["record"], r["key"], r["v"]) for r in told})
        made.program.restart()
        until(lambda: len(comparisons(made)) == 2, 30, "compared at the second start")
        made.broker.management("DELETE", f"/api/queues/{made.vhost}/jobs.kept.low")
        close_connections(made)
        until(lambda: len(comparisons(made)) == 3, 60, "compared after a reconnect")
        until(lambda: "jobs.kept.low" in made.broker.queues(made.vhost), 30, "its queue is back")
        assert comparisons(made)[1:] == [0, 0]
        create(made, "new")
        assert [r for r, _ in control_records(made) if r["record"] != "sync"][:-2] == told
    finally:
        made.end()


def test_a_tenant_that_the_broker_refuses_keeps_nobody_waiting(broker, tmp_path):
    made = StatusStore(broker, tmp_path).primary().start()
    try:
        create(made, "first")
        key = create(made, "second")["key"]
        made.program.stop()
        for queue in ("control", "jobs.first.low"):
            made.broker.management("DELETE", f"/api/queues/{made.vhost}/{queue}")
        with made.broker.pika(made.vhost) as connection:
            connection.channel().queue_declare("jobs.first.low", durable=True)
        made.broker.topology(made.vhost, "apply")
        made.start()
        until(lambda: latest(made, "tenant", "second") is not None, 30, "a tenant told again")
        assert latest(made, "apikey", key[3:11]) is not None  # keys are told before
        assert latest(made, "tenant", "first") is None
    finally:
        made.end()


def test_a_registry_from_a_backup_is_heard(broker, tmp_path):
    made = StatusStore(broker, tmp_path).primary().start()
    try:
        create(made, "old", weight=1)
        assert made.program.stop() == 0
        registry = pathlib.Path(made.program.settings["registry"])
        backup = registry.read_bytes()
        made.program.start()
        for weight in (2, 3, 4):
            assert made.request("PATCH", "/tenants/old", json={"weight": weight}).status_code == 200
        assert latest(made, "tenant", "old")["weight"] == 4
        assert made.program.stop() == 0
        registry.write_bytes(backup)
        made.program.start()
        until(lambda: latest(made, "tenant", "old")["weight"] == 1, 30, "the backup's word counts")
        assert made.request("PATCH", "/tenants/old", json={"weight": 9}).status_code == 200
        assert latest(made, "tenant", "old")["weight"] == 9
    finally:
        made.end()
