# SPDX-License-Identifier: Apache-2.0
"""Limits of tenants and types: the primary fills a queue of tokens, then publishes the record that names it,
and deletes queues that no record names."""
import concurrent.futures
import contextlib
import json
import threading
import time

import pika
import pytest

from harness.status_rig import StatusStore, uuid7
from harness.until import until
from tenants_rig import control_records, create, depth, latest, patch, start_filling, token_queues, until_only


@pytest.fixture(scope="module")
def primary(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("primary"), tenant_delete_after="300ms")
    made.primary().start()
    yield made
    made.end()


@pytest.fixture()
def faulty(private_broker, tmp_path):
    """On a broker that the test may kill."""
    made = StatusStore(private_broker, tmp_path, tenant_delete_after="300ms")
    made.stream.close()
    made.primary().start()
    yield made
    made.end()


def shown(primary, name):
    return primary.request("GET", f"/tenants/{name}").json()


class Watch:
    """For each record with a limit that comes on `control`: how many tokens its queue has at that moment."""

    def __init__(self, primary):
        self.seen = {}
        self.ready = threading.Event()
        self.end = False
        self.thread = threading.Thread(target=self.run, args=(primary,))
        self.thread.start()
        self.ready.wait(30)

    def run(self, primary):
        with primary.broker.pika(primary.vhost) as connection:
            channel, counts = connection.channel(), connection.channel()
            channel.basic_qos(prefetch_count=10)

            def came(_, method, __, body):
                channel.basic_ack(method.delivery_tag)
                record = json.loads(body or b"{}")
                for queue, limit in named(record):
                    found = counts.queue_declare(queue, passive=True).method.message_count
                    self.seen[queue] = (found, limit)

            channel.basic_consume("control", came, arguments={"x-stream-offset": "next"})
            self.ready.set()
            while not self.end:
                connection.process_data_events(0.05)

    def close(self):
        self.end = True
        self.thread.join()


def named(record):
    """The queues that a record names, with the number of tokens."""
    key, kind = record.get("key"), record.get("record")
    if kind == "tenant" and record["max_running"] and not record["deleted"]:
        yield f"slots.{key}.{record['slots_version']}", record["max_running"]
    if kind == "type" and record["max_running"]:
        yield f"slots-type.{key}.{record['slots_version']}", record["max_running"]
    if kind == "type" and record["max_rate"]:
        yield f"rates-type.{key}.{record['rate_version']}", record["max_rate"]["count"]


def test_the_tokens_are_there_before_the_record(primary):
    watch = Watch(primary)
    try:
        create(primary, "before", max_running=7)
        patch(primary, "/tenants/before", max_running=3000)
        patch(primary, "/types/before.type", max_running=40, max_rate="30/1d")
        want = {"slots.before.1": 7, "slots.before.2": 3000, "slots-type.before.type.1": 40,
                "rates-type.before.type.1": 30}
        until(lambda: set(watch.seen) == set(want), 30, "all records")
        assert watch.seen == {queue: (limit, limit) for queue, limit in want.items()}
    finally:
        watch.close()


def test_tokens_are_as_documented(primary):
    create(primary, "form", max_running=2)
    patch(primary, "/types/form.type", max_rate="2/1s")
    with primary.broker.pika(primary.vhost) as connection:
        channel = connection.channel()
        for queue in ("slots.form.1", "rates-type.form.type.1"):
            _, properties, body = channel.basic_get(queue)
            assert (body, properties.content_type, properties.delivery_mode, properties.user_id) == (
                b"", "application/vnd.warren.token", 2, "warren-provision")
        # A spent token cools down and comes back.
        method, properties, _ = channel.basic_get("rates-type.form.type.1")
        channel.basic_reject(method.delivery_tag, requeue=False)
        until(lambda: depth(primary, "cooling-type.form.type.1") == 1, 30, "it cools down")
        number = properties.message_id
        method, properties, _ = until(lambda: (got := channel.basic_get("rates-type.form.type.1"))[0] and got, 30,
                                      "it is back")
        assert number in ("0", "1") and properties.message_id == number
        assert {row["reason"]: row["count"] for row in properties.headers["x-death"]} == {
            "expired": 1, "rejected": 1}
    rows = {row["name"]: row for row in primary.broker.management(
        "GET", f"/api/queues/{primary.vhost}")}
    assert rows["slots.form.1"]["arguments"] == {"x-queue-type": "quorum"}
    assert rows["rates-type.form.type.1"]["arguments"] == {
        "x-queue-type": "quorum", "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "cooling-type.form.type.1",
        "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    assert rows["cooling-type.form.type.1"]["arguments"] == {
        "x-queue-type": "quorum", "x-message-ttl": 1000, "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "rates-type.form.type.1",
        "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    assert primary.broker.topology(primary.vhost, "check", "form").stdout == ""


def test_a_limit_goes_up_down_and_away(primary):
    assert create(primary, "changed")["tenant"]["max_running"] == 5
    for version, limit in ((2, 20), (3, 2)):
        row = patch(primary, "/tenants/changed", max_running=limit)
        assert (row["max_running"], row["slots_version"]) == (limit, version)
        assert depth(primary, f"slots.changed.{version}") == limit
        until_only(primary, "changed", f"slots.changed.{version}")
    row = patch(primary, "/tenants/changed", weight=4, max_running=2)
    assert row["slots_version"] == 3
    row = patch(primary, "/tenants/changed", max_running="unlimited")
    assert row["slots_version"] is None
    until_only(primary, "changed")
    record = latest(primary, "tenant", "changed")
    assert (record["max_running"], record["slots_version"]) == (None, 3)
    assert patch(primary, "/tenants/changed", max_running=1)["slots_version"] == 4


def test_an_old_queue_waits_for_its_consumers(primary):
    create(primary, "waited")
    with primary.broker.pika(primary.vhost) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        tag = channel.basic_consume("slots.waited.1", lambda *_: None)
        patch(primary, "/tenants/waited", max_running=6)
        patch(primary, "/tenants/waited", max_running=7)
        until_only(primary, "waited", "slots.waited.1", "slots.waited.3")
        channel.basic_cancel(tag)
        until_only(primary, "waited", "slots.waited.3")


def test_a_tenant_deleted_and_made_again_takes_no_version_again(primary):
    create(primary, "again", max_running=3)
    for version in (2, 3):
        assert primary.request("DELETE", "/tenants/again").status_code == 204
        until_only(primary, "again")
        until(lambda: primary.request("POST", "/tenants?reuse=true", json={
            "name": "again", "max_running": 3}).status_code == 201, 30, "the name is free")
        assert shown(primary, "again")["tenant"]["slots_version"] == version
        assert token_queues(primary, "again") == {f"slots.again.{version}"}
        assert depth(primary, f"slots.again.{version}") == 3


def test_fresh_slots_for_lost_ones(primary):
    create(primary, "fresh")
    primary.broker.management("DELETE", f"/api/queues/{primary.vhost}/slots.fresh.1")
    answer = primary.request("POST", "/tenants/fresh/slots")
    assert answer.status_code == 202 and answer.json()["tenant"]["slots_version"] == 2
    assert depth(primary, "slots.fresh.2") == 5
    patch(primary, "/tenants/fresh", max_running="unlimited")
    answer = primary.request("POST", "/tenants/fresh/slots")
    assert answer.status_code == 409 and "no running limit" in answer.text
    assert primary.request("POST", "/tenants/nobody/slots").status_code == 404


def test_a_queue_left_of_a_lost_registry_is_emptied_first(primary):
    with primary.broker.pika(primary.vhost) as connection:
        channel = connection.channel()
        channel.queue_declare("slots.leftover.1", durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        channel.basic_publish("", "slots.leftover.1", b"")
    create(primary, "leftover", max_running=4)
    assert depth(primary, "slots.leftover.1") == 4


def test_the_largest_limit(primary):
    create(primary, "large", max_running=10000)
    assert depth(primary, "slots.large.1") == 10000


def test_limits_of_types(primary):
    def listed():
        return {row["name"]: row for row in primary.request("GET", "/types", params={"tenant": "*"}).json()["types"]}

    assert primary.request("GET", "/types/send.mail", params={"tenant": "*"}).status_code == 404
    row = patch(primary, "/types/send.mail", max_running=50)
    assert row == {"name": "send.mail", "max_running": 50, "slots_version": 1,
                   "max_rate": "unlimited", "rate_version": None, "created_at": row["created_at"]}
    row = patch(primary, "/types/send.mail", max_rate="10/1s")
    assert (row["max_running"], row["slots_version"], row["max_rate"], row["rate_version"]) == (
        50, 1, "10/1s", 1)
    assert primary.request("GET", "/types/send.mail", params={"tenant": "*"}).json()["type"].items() >= row.items()
    assert listed()["send.mail"].items() >= row.items()
    record = latest(primary, "type", "send.mail")
    assert record == {"record": "type", "key": "send.mail", "v": 3, "max_running": 50,
                      "slots_version": 1, "max_rate": {"count": 10, "per": "1s"},
                      "rate_version": 1}
    patch(primary, "/types/send.mail", max_rate="20/2s")
    until_only(primary, "send.mail", "slots-type.send.mail.1", "rates-type.send.mail.2",
               "cooling-type.send.mail.2")
    answer = primary.request("POST", "/types/send.mail/slots")
    assert answer.status_code == 202, answer.text
    until_only(primary, "send.mail", "slots-type.send.mail.2", "rates-type.send.mail.3",
               "cooling-type.send.mail.3")
    assert [depth(primary, f"{kind}.send.mail.{v}") for kind, v in (
        ("slots-type", 2), ("rates-type", 3))] == [50, 20]
    patch(primary, "/types/send.mail", max_running="unlimited", max_rate="unlimited")
    until_only(primary, "send.mail")
    assert "send.mail" not in listed()
    assert primary.request("GET", "/types/send.mail", params={"tenant": "*"}).status_code == 404
    assert primary.request("POST", "/types/send.mail/slots").status_code == 404
    assert patch(primary, "/types/send.mail", max_running=1)["slots_version"] == 3


def test_refused_limits_of_types(primary):
    for body, pointer in (({"max_running": 0}, "/max_running"), ({"max_rate": "5"}, "/max_rate"),
                          ({"max_rate": "1001/1s"}, "/max_rate"), ({"colour": 1}, "/colour")):
        answer = primary.request("PATCH", "/types/refused", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert primary.request("PATCH", "/types/Refused", json={"max_running": 1}).status_code == 404
    assert patch(primary, "/types/never", max_running="unlimited")["created_at"] is None
    assert latest(primary, "type", "never") is None


def test_what_a_tenant_uses(primary):
    create(primary, "used")
    pending, running = uuid7(), uuid7()
    for job in (pending, running):
        primary.stream.job(job, tenant="used")
    primary.stream.events({"event": "started", "id": running, "tenant": "used", "run": 1,
                           "attempt": 1, "at": 1, "worker": "a/1"})
    until(lambda: shown(primary, "used")["used"] == {"running": 1, "pending": 1}, 30, "counted")


def test_changes_at_once(primary):
    """Each of them is made whole; the last one counts, and no queue but its own stays."""
    create(primary, "contended")
    limits = list(range(1, 13))
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda limit: primary.request(
            "PATCH", "/tenants/contended", json={"max_running": limit}), limits))
        types = list(pool.map(lambda limit: primary.request(
            "PATCH", "/types/contended.type", json={"max_running": limit}), limits))
    assert {answer.status_code for answer in answers + types} == {200}
    row = shown(primary, "contended")["tenant"]
    queue = f"slots.contended.{row['slots_version']}"
    assert depth(primary, queue) == row["max_running"]
    until_only(primary, "contended", queue)
    row = primary.request("GET", "/types/contended.type", params={"tenant": "*"}).json()["type"]
    assert depth(primary, f"slots-type.contended.type.{row['slots_version']}") == row["max_running"]
    told = [(r["key"], r["v"]) for r, _ in control_records(primary) if r["record"] == "tenant"]
    assert len(told) == len(set(told))


def until_filled(made, name, limit):
    def filled():
        with contextlib.suppress(pika.exceptions.AMQPError):  # the broker, or its streams, may just start
            record = latest(made, "tenant", name)
            return record["max_running"] == limit and record
        return None

    record = until(filled, 60, "a later version is published")
    queue = f"slots.{name}.{record['slots_version']}"
    assert depth(made, queue) == limit
    until_only(made, name, queue)
    return record["slots_version"]


def test_the_primary_killed_while_it_fills(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenant_delete_after="300ms").primary().start()
    try:
        create(made, "cut")
        asking = start_filling(made, "cut", 10000)
        made.program.kill()
        asking.join()
        left = depth(made, "slots.cut.2")
        assert left < 10000
        assert latest(made, "tenant", "cut")["slots_version"] == 1
        made.start()
        assert until_filled(made, "cut", 10000) > 2, "the version whose filling was cut off is in use"
    finally:
        made.end()


def test_the_broker_killed_while_it_is_filled(faulty):
    create(faulty, "cut")
    time.sleep(2)  # a younger stream may not come back: docs/facts.md, "Queues without a leader"
    version, was = 1, 0
    for limit in range(10000, 9990, -1):  # a filling may end just before the broker does
        was, asking = version, start_filling(faulty, "cut", limit, version + 1)
        faulty.broker.kill()
        faulty.broker.start()
        asking.join()
        version = until_filled(faulty, "cut", limit)
        if version > was + 1:
            break
    assert version > was + 1, "the version whose filling was cut off is in use"


def test_tokens_outlive_the_broker_and_are_not_filled_again(faulty):
    create(faulty, "kept", max_running=3)
    patch(faulty, "/types/kept.type", max_rate="4/1m")
    faulty.broker.management("DELETE", f"/api/queues/{faulty.vhost}/cooling-type.kept.type.1")
    faulty.broker.restart()
    until(lambda: depth(faulty, "cooling-type.kept.type.1") == 0, 60, "declared again")
    until(lambda: (depth(faulty, "slots.kept.1"), depth(faulty, "rates-type.kept.type.1")) == (3, 4),
          30, "the tokens")
    assert latest(faulty, "tenant", "kept")["slots_version"] == 1
    until(lambda: faulty.request("PATCH", "/tenants/kept", json={"max_running": 4}).status_code == 200,
          30, "a change")


def test_a_limit_that_cannot_be_filled_is_made_later(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenant_delete_after="300ms").primary().start()
    rights = f"/api/permissions/{made.vhost}/warren-provision"
    given = broker.management("GET", rights)
    try:
        create(made, "later")
        create(made, "other", max_running="unlimited")
        broker.management("PUT", rights, {**given, "configure": r"^jobs\..*$"})
        made.program.restart()  # a channel keeps for a while what it was allowed
        answer = made.request("PATCH", "/tenants/later", json={"max_running": 9})
        assert answer.status_code == 202, answer.text
        row = answer.json()["tenant"]
        assert (row["max_running"], row["slots_version"]) == (9, None)
        assert latest(made, "tenant", "later")["max_running"] == 5
        assert patch(made, "/tenants/other", weight=2)["weight"] == 2, "other tenants go on"
        broker.management("PUT", rights, given)
        until(lambda: latest(made, "tenant", "later")["max_running"] == 9, 60, "made later")
        version = latest(made, "tenant", "later")["slots_version"]
        assert depth(made, f"slots.later.{version}") == 9
    finally:
        made.end()


def test_a_registry_from_a_backup_takes_no_version_again(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenant_delete_after="300ms").primary().start()
    path = tmp_path / "registry.db"
    try:
        create(made, "restored")
        patch(made, "/types/restored.type", max_running=5)
        made.program.stop()
        copy = path.read_bytes()
        made.start()
        for limit in (6, 7):
            patch(made, "/tenants/restored", max_running=limit)
            patch(made, "/types/restored.type", max_running=limit)
        made.program.stop()
        for name in ("registry.db-wal", "registry.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        path.write_bytes(copy)
        made.start()
        until(lambda: latest(made, "tenant", "restored")["max_running"] == 5, 30, "told again")
        until(lambda: latest(made, "type", "restored.type")["max_running"] == 5, 30, "told again")
        until_only(made, "restored", "slots.restored.4")
        until_only(made, "restored.type", "slots-type.restored.type.4")
        assert depth(made, "slots.restored.4") == 5
    finally:
        made.end()


def test_a_lost_registry_knows_the_limits_of_types_from_control(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenant_delete_after="300ms").primary().start()
    try:
        patch(made, "/types/known", max_running=5, max_rate="9/1m")
        made.program.stop()
        for name in ("registry.db", "registry.db-wal", "registry.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        made.start()
        row = until(lambda: made.request("GET", "/types/known", params={"tenant": "*"}).json().get("type"), 30, "known")
        assert (row["max_running"], row["max_rate"], row["slots_version"]) == (5, "9/1m", 1)
        assert patch(made, "/types/known", max_running=6)["slots_version"] == 2
        until_only(made, "known", "slots-type.known.2", "rates-type.known.1", "cooling-type.known.1")
    finally:
        made.end()


def test_through_the_gateway(warren):
    admin = warren.admin
    row = admin.create_tenant("limited", max_running=2)["tenant"]
    assert (row["max_running"], row["slots_version"]) == (2, 1)
    assert admin.request("GET", "/tenants/limited").json()["used"] == {"running": 0, "pending": 0}
    assert admin.request("POST", "/tenants/limited/slots").status_code == 202
    answer = admin.request("PATCH", "/types/send.mail", json={"max_running": 3, "max_rate": "5/1s"})
    assert answer.status_code == 200, answer.text
    types = admin.request("GET", "/types", params={"tenant": "*"}).json()["types"]
    assert "send.mail" in [one["name"] for one in types]
    shown = admin.request("GET", "/types/send.mail", params={"tenant": "*"}).json()["type"]
    assert answer.json()["type"].items() <= shown.items()
    assert admin.request("POST", "/types/send.mail/slots").json()["type"]["slots_version"] == 2
    assert admin.request("GET", "/types/Wrong", params={"tenant": "*"}).status_code == 404
    for method, path in (("PATCH", "/types/a"), ("POST", "/types/a/slots"), ("POST", "/tenants/acme/slots")):
        body = {"json": {}} if method == "PATCH" else {}
        assert warren.api.request(method, path, **body).status_code == 403, path
