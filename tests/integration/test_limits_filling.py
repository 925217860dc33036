# SPDX-License-Identifier: Apache-2.0
"""The primary fills tokens: what goes on while it does, what happens when it cannot, and that it never takes
a version twice."""
import concurrent.futures
import contextlib
import json
import sqlite3
import time

import pika
import pytest

from harness.status_rig import StatusStore
from harness.until import until
from tenants_rig import (control_records, create, depth, latest, patch, start_filling, token_queues,
                         until_only)


@pytest.fixture()
def made(broker, tmp_path):
    """A primary that the test may kill."""
    store = StatusStore(broker, tmp_path, tenant_delete_after="300ms").primary().start()
    yield store
    store.end()


class Rights:
    """What a login may do."""

    def __init__(self, made, login="warren-provision"):
        self.made = made
        self.path = f"/api/permissions/{made.vhost}/{login}"
        self.given = made.broker.management("GET", self.path)

    def allow(self, **patterns):
        self.made.broker.management("PUT", self.path, {**self.given, **patterns})

    def allow_no_tokens(self):
        self.allow(configure=r"^jobs\..*$")
        self.made.program.restart()  # a channel keeps for a while what it was allowed

    def give_back(self):
        self.made.broker.management("PUT", self.path, self.given)


def filled_versions(made, of):
    """Those of the program's log, in order."""
    return [line["version"] for line in map(json.loads, made.program.log().splitlines())
            if line["msg"] == "a limit has new tokens" and line["of"] == of]


def versions_tried(made, tenant):
    """The last version that was taken for the tenant's slots."""
    with contextlib.closing(sqlite3.connect(made.folder / "registry.db")) as database:
        return database.execute("SELECT version FROM limit_versions WHERE kind = 0 AND name = ?",
                                (tenant,)).fetchone()[0]


def change_database(made, path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


def drop_registry(made):
    for name in ("registry.db", "registry.db-wal", "registry.db-shm"):
        (made.folder / name).unlink(missing_ok=True)


def test_keys_and_new_tenants_do_not_wait_for_tokens(made):
    create(made, "stuck")
    rights = Rights(made)
    rights.allow_no_tokens()
    try:
        answer = made.request("PATCH", "/tenants/stuck", json={"max_running": 9})
        assert answer.status_code == 202, answer.text
        began = time.monotonic()
        answer = made.request("POST", "/tenants/stuck/keys")
        assert answer.status_code == 201, answer.text
        assert time.monotonic() - began < 3
        id = answer.json()["id"]
        assert latest(made, "apikey", id)["revoked"] is False
        assert made.request("DELETE", f"/tenants/stuck/keys/{id}").status_code == 204
        assert latest(made, "apikey", id)["revoked"] is True

        answer = made.request("POST", "/tenants", json={"name": "new"})
        assert answer.status_code == 202, answer.text
        assert answer.json()["key"].startswith("wk_")
        assert answer.json()["tenant"]["slots_version"] is None
        answer = made.request("PATCH", "/types/new.type", json={"max_rate": "5/1s"})
        assert (answer.status_code, answer.json()["type"]["rate_version"]) == (202, None)
        assert latest(made, "tenant", "new") is None and latest(made, "type", "new.type") is None
    finally:
        rights.give_back()
    until(lambda: latest(made, "tenant", "new"), 60, "it is told")
    assert depth(made, f"slots.new.{latest(made, 'tenant', 'new')['slots_version']}") == 5
    until(lambda: latest(made, "type", "new.type"), 60, "it is told")


def test_a_limit_that_cannot_be_filled_delays_no_other(made):
    """The waits between its attempts grow to seconds; those of another begin anew."""
    create(made, "first")
    create(made, "second")
    rights = Rights(made)
    rights.allow_no_tokens()
    try:
        assert made.request("PATCH", "/tenants/first", json={"max_running": 9}).status_code in (202, 503)
        # At once, after 1 s, 2 s and 4 s more; the next one comes 8 s later.
        until(lambda: versions_tried(made, "first") >= 5, 60, "four attempts")
        assert made.request("PATCH", "/tenants/second", json={"max_running": 9}).status_code in (202, 503)
        rights.allow(configure=r"^(jobs|slots\.second)\..*$")
        until(lambda: latest(made, "tenant", "second")["max_running"] == 9, 6, "it has its tokens")
        assert latest(made, "tenant", "first")["max_running"] == 5
    finally:
        rights.give_back()


def told(made, kind, key, *members):
    record = latest(made, kind, key)
    return tuple(record[member] for member in members)


@pytest.mark.soak
def test_a_pause_takes_effect_while_a_limit_cannot_be_filled(made):
    """The record names the limit before until the new one has its tokens."""
    create(made, "paused", max_running=3)
    create(made, "free", max_running="unlimited")
    create(made, "going", max_running=3)
    shown = "paused", "weight", "max_running", "slots_version"
    rights = Rights(made)
    rights.allow_no_tokens()
    try:
        for name in ("paused", "free", "going"):
            answer = made.request("PATCH", f"/tenants/{name}", json={"max_running": 9, "weight": 7})
            assert answer.status_code == 202, answer.text
            assert answer.json()["tenant"]["slots_version"] is None
        assert told(made, "tenant", "paused", *shown) == (False, 7, 3, 1)
        for name in ("paused", "free"):
            assert made.request("POST", f"/tenants/{name}/pause").status_code == 202
        assert told(made, "tenant", "paused", *shown) == (True, 7, 3, 1)
        assert told(made, "tenant", "free", *shown[:3]) == (True, 7, None)
        assert made.request("POST", "/tenants/free/resume").status_code == 202
        assert told(made, "tenant", "free", *shown[:3]) == (False, 7, None)
        assert made.request("DELETE", "/tenants/going").status_code == 204
        assert told(made, "tenant", "going", "deleted") == (True,)
        time.sleep(1.5)  # the old queue would be deleted by now
        assert depth(made, "slots.paused.1") == 3
    finally:
        rights.give_back()
    for name, paused in (("paused", True), ("free", False)):
        until(lambda name=name: told(made, "tenant", name, "max_running") == (9,), 60, f"{name} has its limit")
        version = latest(made, "tenant", name)["slots_version"]
        assert told(made, "tenant", name, *shown) == (paused, 7, 9, version)
        assert depth(made, f"slots.{name}.{version}") == 9
        until_only(made, name, f"slots.{name}.{version}")


def test_a_limit_of_a_type_is_lifted_while_the_other_cannot_be_filled(made):
    patch(made, "/types/two.limits", max_running=3, max_rate="10/1s")
    shown = "max_running", "slots_version", "max_rate"
    rights = Rights(made)
    rights.allow_no_tokens()
    try:
        answer = made.request("PATCH", "/types/two.limits", json={"max_running": 4})
        assert (answer.status_code, answer.json()["type"]["slots_version"]) == (202, None)
        made.request("PATCH", "/types/two.limits", json={"max_rate": "unlimited"})
        assert told(made, "type", "two.limits", *shown) == (3, 1, None)
    finally:
        rights.give_back()
    until(lambda: told(made, "type", "two.limits", "max_running") == (4,), 60, "it has its limit")


def test_nothing_is_filled_before_control_has_been_read(made, tmp_path):
    """A registry of a backup does not know the versions that came after it."""
    create(made, "early")
    made.program.stop()
    backup = (tmp_path / "registry.db").read_bytes()
    made.start()
    for limit in (6, 7):
        patch(made, "/tenants/early", max_running=limit)
    made.program.stop()
    drop_registry(made)
    (tmp_path / "registry.db").write_bytes(backup)
    change_database(made, tmp_path / "registry.db",  # the backup was made while a limit was filled
                    "UPDATE tenants SET v = v + 1, max_running = 8, slots_version = 0, told = 0")
    rights = Rights(made, "warren-status-store")
    rights.allow(read="^events$")
    made.program.start(ready=False)
    until(lambda: "a stream cannot be read" in made.program.log(), 30, "control cannot be read")
    time.sleep(1.5)  # a round of the threads
    assert filled_versions(made, "early") == [1, 2, 3]
    rights.give_back()
    until(lambda: latest(made, "tenant", "early")["max_running"] == 8, 30, "told again")
    assert filled_versions(made, "early") == [1, 2, 3, 4]
    until_only(made, "early", "slots.early.4")


def test_a_tenant_of_a_lost_registry_goes_on_with_its_versions(made):
    create(made, "lost")
    patch(made, "/tenants/lost", max_running=6)
    with made.broker.pika(made.vhost) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume("slots.lost.2", lambda *_: None)  # a consumer runs a job
        made.program.stop()
        drop_registry(made)
        made.start()
        assert create(made, "lost", max_running=6)["tenant"]["slots_version"] == 3
        assert depth(made, "slots.lost.3") == 6
        assert latest(made, "tenant", "lost")["slots_version"] == 3
        assert token_queues(made, "lost") >= {"slots.lost.2", "slots.lost.3"}
    until_only(made, "lost", "slots.lost.3")


def test_a_limit_up_and_down_quickly(made):
    create(made, "swing")
    for path in ("/tenants/swing", "/types/swing.type"):
        for limit in (3, 8) * 10:
            patch(made, path, max_running=limit)
    row = made.request("GET", "/tenants/swing").json()["tenant"]
    assert (row["max_running"], row["slots_version"]) == (8, 21)
    until_only(made, "swing", "slots.swing.21")
    until_only(made, "swing.type", "slots-type.swing.type.20")
    assert (depth(made, "slots.swing.21"), depth(made, "slots-type.swing.type.20")) == (8, 8)
    versions = [r["slots_version"] for r, _ in control_records(made) if r.get("key") == "swing"]
    assert versions == sorted(versions)


def test_deleted_and_made_again_while_others_change(made):
    create(made, "busy", max_running=3)

    def change(limit):
        return made.request("PATCH", "/types/busy.type", json={"max_running": limit}).status_code

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        changes = [pool.submit(change, limit) for limit in range(1, 61)]
        for limit in (4, 5, 6):
            made.request("PATCH", "/tenants/busy", json={"max_running": 3000})
            assert made.request("DELETE", "/tenants/busy").status_code == 204
            until(lambda limit=limit: made.request("POST", "/tenants?reuse=true", json={
                "name": "busy", "max_running": limit}).status_code in (201, 202), 60, "it is made again")
        assert {done.result() for done in changes} <= {200, 202}
    until(lambda: latest(made, "tenant", "busy")["max_running"] == 6, 30, "it is told")
    version = latest(made, "tenant", "busy")["slots_version"]
    assert depth(made, f"slots.busy.{version}") == 6
    until_only(made, "busy", f"slots.busy.{version}")
    assert len(set(filled_versions(made, "busy"))) == len(filled_versions(made, "busy"))


@pytest.mark.soak
def test_a_registry_that_cannot_be_written_while_a_queue_is_filled(made, tmp_path):
    """As on a full disk. The version that was being filled is never used, and its queue goes."""
    create(made, "full")
    asking = start_filling(made, "full", 10000)
    with contextlib.closing(sqlite3.connect(tmp_path / "registry.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = made.request("POST", "/tenants/full/keys")
        assert answer.status_code == 503, answer.text
        until(lambda: "was not noted as abandoned" in made.program.log(), 60, "it cannot be noted")
        other.execute("ROLLBACK")
    asking.join()
    until(lambda: latest(made, "tenant", "full")["max_running"] == 10000, 60, "a later version is told")
    version = latest(made, "tenant", "full")["slots_version"]
    assert version > 2 and depth(made, f"slots.full.{version}") == 10000
    until_only(made, "full", f"slots.full.{version}")


def test_a_replica_fills_nothing(made):
    replica = made.add("replica", primary="false").start()
    create(made, "both")
    patch(made, "/tenants/both", max_running=7)
    made.program.kill()
    assert made.request("PATCH", "/tenants/both", replica, json={"max_running": 8}).status_code == 503
    assert "a limit has new tokens" not in replica.log()
    with pytest.raises(pika.exceptions.AMQPError), made.broker.pika(made.vhost) as connection:
        connection.channel().queue_declare("slots.both.3", passive=True)
