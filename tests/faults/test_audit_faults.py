# SPDX-License-Identifier: Apache-2.0
"""Faults around the audit: no act is done without its record, and no record is lost or doubled."""
import threading
import uuid

from harness.load import queues_are_on_disk
from harness.until import until


def change(warren, weight, **options):
    """A change of tenant acme; returns its trace and its status."""
    trace = uuid.uuid4().hex
    answer = warren.admin.request("PATCH", "/tenants/acme", json={"weight": weight},
                                  headers={"traceparent": f"00-{trace}-{'1' * 16}-01"}, **options)
    return trace, answer.status_code


def recorded(warren):
    """The traces of all changes, with the status of each."""
    answer = warren.admin.request("GET", "/audit", params={"what": "tenant.change", "limit": 500})
    return [(act["trace_id"], act["status"]) for act in answer.json()["acts"]] if answer.ok else []


def until_recorded(warren, wanted):
    until(lambda: set(wanted) <= set(recorded(warren)), 60, "all acts are recorded with their ends")
    traces = [trace for trace, status in recorded(warren)]
    assert len(traces) == len(set(traces)), "an act is there twice"


def test_acts_come_when_the_primary_is_back(fresh_warren):
    fresh_warren.tenant("acme")
    before = change(fresh_warren, 2)
    until_recorded(fresh_warren, [before])
    fresh_warren.status_store.stop()
    away = change(fresh_warren, 3)
    assert away[1] == 503
    fresh_warren.status_store.start()
    until_recorded(fresh_warren, [before, away])


def test_the_primary_is_killed_while_acts_come(fresh_warren):
    fresh_warren.tenant("acme")
    done = threading.Event()
    changes = []

    def keep_changing():
        while not done.is_set() and len(changes) < 400:  # one page holds them
            changes.append(change(fresh_warren, 1 + len(changes) % 9))

    thread = threading.Thread(target=keep_changing)
    thread.start()
    for count in (10, 20, 30):
        until(lambda n=count: len(changes) >= n, 120, f"{count} changes")
        fresh_warren.status_store.kill()
        fresh_warren.status_store.start()
    done.set()
    thread.join()
    until_recorded(fresh_warren, changes)


def test_status_db_is_deleted(fresh_warren):
    fresh_warren.tenant("acme")
    changes = [change(fresh_warren, weight) for weight in (2, 3, 4)]
    until_recorded(fresh_warren, changes)
    before = recorded(fresh_warren)
    fresh_warren.status_store.stop()
    for path in fresh_warren.folder.glob("status.db*"):
        path.unlink()
    fresh_warren.status_store.start()
    last = change(fresh_warren, 5)
    until_recorded(fresh_warren, [*changes, last])
    assert recorded(fresh_warren)[1:] == before


def test_the_gateway_is_killed(fresh_warren):
    """What began is recorded, and who asks learns that nobody knows how it ended."""
    fresh_warren.tenant("acme")
    fresh_warren.status_store.hang()
    trace = uuid.uuid4().hex

    def ask():
        try:
            fresh_warren.admin.request("PATCH", "/tenants/acme", json={"weight": 7},
                                       headers={"traceparent": f"00-{trace}-{'1' * 16}-01"})
        except OSError:
            pass

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: told(fresh_warren, trace), 30, "it is told")
    fresh_warren.gateway.kill()
    thread.join()
    fresh_warren.status_store.go_on()
    fresh_warren.gateway.start()
    until(lambda: (trace, None) in recorded(fresh_warren), 60, "the act without an end")


def told(warren, trace):
    """The event stream has the act."""
    with warren.pika() as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=100)
        for method, _, body in channel.consume("events", arguments={"x-stream-offset": "first"},
                                               inactivity_timeout=1):
            if method is None:
                return False
            channel.basic_ack(method.delivery_tag)
            if trace.encode() in body and b'"act"' in body:
                return True
    return False


def test_without_the_broker_nothing_is_done(faulty_warren):
    faulty_warren.tenant("acme", weight=2)
    until(lambda: queues_are_on_disk(faulty_warren.broker), 30, "the tenant's queues are on disk")
    faulty_warren.broker.kill()
    try:
        trace, status = change(faulty_warren, 9)
        assert status == 503
    finally:
        faulty_warren.broker.start()
    until(lambda: change(faulty_warren, 3)[1] == 200, 120, "changes are made again")
    tenant = faulty_warren.admin.request("GET", "/tenants/acme").json()["tenant"]
    assert tenant["weight"] == 3
    assert not [status for known, status in recorded(faulty_warren) if known == trace and status == 200]
