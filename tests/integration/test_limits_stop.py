# SPDX-License-Identifier: Apache-2.0
"""A primary with many limits, or whose broker hangs: it stops all the same."""
import contextlib
import re
import sqlite3
import threading
import time

import pytest

from harness.proxy import Proxy
from harness.status_rig import StatusStore
from harness.until import until
from tenants_rig import create

MANY = 600  # queues whose declarations take the primary some seconds
IN_USE = 1  # the state of a row of token_queues


@pytest.fixture()
def made(broker, tmp_path):
    store = StatusStore(broker, tmp_path, tenant_delete_after="300ms").primary().start()
    yield store
    store.end()


def queues(made):
    return sum(bool(re.fullmatch(r"slots-type\.many\d+\.1", name))
               for name in made.broker.queues(made.vhost))


def start_with_many_in_use(made):
    """The registry says that they are in use, and the broker has none of them: it makes each."""
    made.program.stop()
    with contextlib.closing(sqlite3.connect(made.folder / "registry.db")) as database, database:
        for number in range(MANY):
            name = f"many{number:04}"
            database.execute("INSERT INTO types(name, v, max_running, slots_version, rate_count, rate_per,"
                             " rate_version, created_at) VALUES(?, 1, 5, 1, -1, 0, 0, 1)", (name,))
            database.execute("INSERT INTO limit_versions VALUES(1, ?, 1)", (name,))
            database.execute("INSERT INTO token_queues VALUES(1, ?, 1, 0, ?, NULL)", (name, IN_USE))
    made.start()
    until(lambda: queues(made) > 0, 30, "the first is there", every=0.01)


def test_a_stop_while_queues_in_use_are_declared(made):
    start_with_many_in_use(made)
    assert made.program.stop() == 0
    assert queues(made) < MANY, "it went through all of them"


def test_a_stop_while_the_broker_hangs_and_a_queue_is_filled(broker, tmp_path):
    proxy = Proxy(broker.port)
    store = StatusStore(broker, tmp_path).primary()
    store.program.settings["amqp_urls"] = f"amqp://127.0.0.1:{proxy.port}/{store.vhost}"
    store.start()
    try:
        create(store, "filled")
        proxy.hold_contents = True

        def ask():
            with contextlib.suppress(Exception):
                store.request("PATCH", "/tenants/filled", json={"max_running": 100})

        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: proxy.held > 0, 30, "the first token is sent")
        proxy.hang()
        began = time.monotonic()
        assert store.program.stop() == 0
        # A confirm is awaited for 30 s. Each connection is given 2 s to close.
        assert time.monotonic() - began < 20
        asking.join()
    finally:
        proxy.go_on()
        proxy.let_pass()
        until(lambda: not proxy.open, 10, "its connections are closed")
        proxy.stop()
        store.end()
