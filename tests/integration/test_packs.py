# SPDX-License-Identifier: Apache-2.0
"""Packs on a real stream, made by a client that shares no code with Warren."""
import json

import pika
import pytest

from harness import packs
from harness.publish import job_properties
from harness.status_rig import StatusStore, now_ms, uuid7
from harness.until import until


@pytest.fixture(scope="module")
def store(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("packs"), tenants=("acme", "other"))
    made.start()
    yield made
    made.end()


@pytest.fixture()
def publish(store):
    """publish(body, login=…, exchange=…, **properties) of a pack, confirmed."""
    connections = {}

    def publish_one(body, login="warren-gateway", exchange="events", key="", **properties):
        if login not in connections:
            connection = store.broker.pika(store.vhost, login)
            connections[login] = (connection, connection.channel())
            connections[login][1].confirm_delivery()
        wanted = {"content_type": packs.CONTENT_TYPE, "delivery_mode": 2, "user_id": login}
        connections[login][1].basic_publish(exchange, key, body,
                                            pika.BasicProperties(**{**wanted, **properties}))

    yield publish_one
    for connection, _ in connections.values():
        connection.close()


def entry(job_id, payload, tenant="acme", wait=0, **headers):
    """A submission; wait: in ms."""
    now = now_ms()
    stamps = {"x-submitted-at": now, "x-queued-at": now, "x-max-retries": 5, **headers}
    if wait:
        stamps.update({"x-run-at": now + wait, "x-due-at": now + wait})
    properties = job_properties("noop", message_id=job_id, timestamp=now // 1000, headers=stamps)
    return ("hold.1h" if wait else "work", f"{tenant}.high", properties,
            json.dumps(payload).encode())


def skipped(store):
    store.until_current()
    return store.get("/stats")["history"]["skipped_events"]


def test_a_full_pack(store, publish):
    ids = [uuid7() for _ in range(64)]
    entries = [entry(id, {"n": n}, tenant="other" if n == 63 else "acme", wait=n % 2 * 3600_000)
               for n, id in enumerate(ids)]
    publish(packs.encode(*entries))
    store.until_current()
    for n, id in enumerate(ids):
        job = store.get(f"/jobs/{id}", tenant="other" if n == 63 else "acme")
        assert job["payload"] == {"n": n}
        assert job["status"] == ("scheduled" if n % 2 else "pending")
        assert (job["type"], job["priority"], job["max_retries"]) == ("noop", "high", 5)
        assert job["duplicates"] == 0
    before = [store.get(f"/jobs/{id}") for id in ids[:63]]
    publish(packs.encode(*entries), headers={"x-again": 1})
    store.until_current()
    for id, job in zip(ids, before):
        again = store.get(f"/jobs/{id}")
        assert {**again, "as_of": 0, "lag_ms": 0} == {**job, "as_of": 0, "lag_ms": 0}


def test_a_job_larger_than_a_pack(store, publish):
    job = uuid7()
    publish(packs.encode(entry(job, "x" * 300_000)))
    until(lambda: len(store.get(f"/jobs/{job}")["payload"]) == 300_000, 10, "the job")


def test_what_is_no_pack_of_the_gateway_is_skipped(store, publish):
    job = uuid7()
    body = packs.encode(entry(job, 1))
    before = skipped(store)
    publish(body, login="warren-consumer")
    publish(body, login="warren-admin")
    publish(body, login="warren-admin", user_id=None)
    publish(body, login="warren-gateway", exchange="jobs.acme", key="high", message_id=job,
            type="noop")
    assert skipped(store) == before + 4
    assert store.job(job) is None
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as why:
        publish(body, login="warren-consumer", user_id="warren-gateway")
    assert why.value.reply_code == 406


def test_a_broken_pack_counts_up_to_the_break(store, publish):
    jobs = [uuid7(), uuid7(), uuid7()]
    whole = packs.encode(*(entry(job, 1) for job in jobs))
    before = skipped(store)
    publish(whole[:-1])
    publish(packs.encode(("events", "", pika.BasicProperties(content_type=packs.CONTENT_TYPE),
                          whole)))
    publish(b"\x02" + whole[1:])
    publish(b"")
    assert skipped(store) == before + 4
    assert [store.job(job) is not None for job in jobs] == [True, True, False]
