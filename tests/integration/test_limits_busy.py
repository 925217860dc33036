# SPDX-License-Identifier: Apache-2.0
"""A primary that is busy with tokens: what is asked meanwhile, and that it stops at once."""
import contextlib
import re
import sqlite3
import threading
import time

import pytest

from harness.proxy import PUBLISH_TO_QUEUE, Proxy
from harness.status_rig import StatusStore
from harness.until import until
from tenants_rig import control_records, create, depth, latest

MANY = 600  # queues whose declarations take the primary some seconds
IN_USE = 1  # the state of a row of token_queues


@pytest.fixture()
def made(broker, tmp_path):
    store = StatusStore(broker, tmp_path, tenant_delete_after="300ms").primary().start()
    yield store
    store.end()


@pytest.fixture()
def proxy(broker):
    """Holds a token when it is told to."""
    between = Proxy(broker.port)
    yield between
    between.go_on()
    between.let_pass()
    until(lambda: not between.open, 10, "its connections are closed")
    between.stop()


@pytest.fixture()
def held(broker, tmp_path, proxy):
    """A primary with tenant `held`; its tokens come through the proxy."""
    store = StatusStore(broker, tmp_path).primary()
    store.program.settings["amqp_urls"] = f"amqp://127.0.0.1:{proxy.port}/{store.vhost}"
    store.start()
    create(store, "held")
    yield store
    proxy.go_on()
    proxy.let_pass()
    store.end()


@contextlib.contextmanager
def filling(held, proxy):
    """Tenant `held` gets another limit, whose first token is held."""
    def ask():
        with contextlib.suppress(Exception):
            held.request("PATCH", "/tenants/held", json={"max_running": 100})

    proxy.hold_contents = PUBLISH_TO_QUEUE
    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: proxy.held > 0, 30, "the first token is sent")
    yield
    asking.join()


def queues(made):
    return sum(bool(re.fullmatch(r"slots-type\.many\d+\.1", name))
               for name in made.broker.queues(made.vhost))


def add_types(made, count, version):
    """Types with a limit, in the registry of a primary that has stopped."""
    with contextlib.closing(sqlite3.connect(made.folder / "registry.db")) as database, database:
        for number in range(count):
            database.execute("INSERT INTO types(name, v, max_running, slots_version, rate_count, rate_per,"
                             " rate_version, created_at) VALUES(?, 1, 5, ?, -1, 0, 0, 1)",
                             (f"many{number}", version))
            if version > 0:
                database.execute("INSERT INTO limit_versions VALUES(1, ?, ?)", (f"many{number}", version))
                database.execute("INSERT INTO token_queues VALUES(1, ?, ?, 0, ?, NULL)",
                                 (f"many{number}", version, IN_USE))


def start_with_many_in_use(made):
    """The registry says that they are in use, and the broker has none of them: it makes each."""
    made.program.stop()
    add_types(made, MANY, 1)
    made.start()
    until(lambda: queues(made) > 0, 30, "the first is there", every=0.01)


def test_a_stop_while_queues_in_use_are_declared(made):
    start_with_many_in_use(made)
    assert made.program.stop() == 0
    assert queues(made) < MANY, "it went through all of them"


def change(made, seconds):
    """Of tenant `asks`, until it is in force. On a busy machine the answer may be 202."""
    answer = made.request("PATCH", "/tenants/asks", json={"max_running": 3})
    assert answer.status_code in (200, 202), answer.text
    until(lambda: latest(made, "tenant", "asks")["max_running"] == 3, seconds, "the new limit is in force")


def test_a_change_while_queues_in_use_are_declared(made):
    create(made, "asks", max_running=2)
    start_with_many_in_use(made)
    change(made, 60)
    assert depth(made, "slots.asks.2") == 3
    assert queues(made) < MANY, "it went through all of them before"
    until(lambda: queues(made) == MANY, 60, "the others follow")


def set_known(made, queue, known):
    """Whether the broker has started the queue: it refuses one that it has not, as just after its own start."""
    name = f'rabbit_misc:r(<<"{made.vhost}">>, queue, <<"{queue}">>)'
    done = made.broker.ctl("eval", f"[Row] = mnesia:dirty_read(rabbit_durable_queue, {name}), " + (
        "mnesia:dirty_write(rabbit_queue, Row)." if known else f"mnesia:dirty_delete(rabbit_queue, {name})."))
    assert done.strip() == "ok", done


def test_a_queue_that_starts_is_not_waited_for(made):
    create(made, "asks", max_running=2)
    create(made, "away")
    made.program.stop()
    set_known(made, "slots.away.1", False)
    try:
        made.start()
        change(made, 20)  # one that starts may need 30 s
        until(lambda: "home node" in made.program.log(), 30, "it is refused")
    finally:
        set_known(made, "slots.away.1", True)
    assert depth(made, "slots.away.1") == 5


def test_keys_do_not_wait_while_a_queue_is_filled(held, proxy):
    with filling(held, proxy):
        assert held.request("POST", "/tenants/held/keys").status_code == 201
        assert latest(held, "tenant", "held")["max_running"] == 5
        proxy.let_pass()
    until(lambda: latest(held, "tenant", "held")["max_running"] == 100, 30, "it is filled")


def test_many_limits_of_a_new_primary(held, proxy):
    """Each is filled, and nothing else waits for that."""
    count = 150
    held.program.stop()
    add_types(held, count, 0)
    proxy.hold_contents = PUBLISH_TO_QUEUE
    held.start()
    until(lambda: proxy.held > 0, 30, "the first token is sent")
    for request in (("POST", "/tenants/held/keys"), ("POST", "/tenants/held/pause"),
                    ("GET", "/types?tenant=*"), ("POST", "/tenants/held/resume")):
        assert held.request(*request).status_code in (200, 201, 202)
    assert latest(held, "tenant", "held")["v"] == 3, "all is told"
    assert queues(held) == 1
    proxy.hold_contents = None
    proxy.let_pass()
    until(lambda: sum(r["record"] == "type" for r, _ in control_records(held)) == count, 60, "all told")
    assert queues(held) == count


def test_a_stop_while_the_broker_hangs_and_a_queue_is_filled(held, proxy):
    with filling(held, proxy):
        proxy.hang()
        began = time.monotonic()
        assert held.program.stop() == 0
        # A confirm is awaited for 30 s. Each connection is given 2 s to close.
        assert time.monotonic() - began < 20
