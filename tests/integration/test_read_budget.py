# SPDX-License-Identifier: Apache-2.0
"""A link, the status-store and the dlx-monitor keep to their budgets of held bytes, however large the
messages are, and miss no message."""
import contextlib
import os
import pathlib
import sqlite3

import pika
import pytest

from harness.link_driver import Driver, outcomes_of
from harness.proxy import Proxy
from harness.status_rig import StatusStore, uuid7
from harness.until import until
from link_rig import channel, declare_route, drain_queue  # noqa: F401 (a fixture)
from monitor_rig import Monitor, archived_jobs, burial

MIB = 1024 * 1024
BUDGET = 8
FLAGS = ["--read-bytes", str(BUDGET * MIB), "--heartbeat", "1000", "--confirm-timeout", "5000"]


@pytest.fixture(scope="module")
def node(broker):
    return broker


def publish_large(channel, exchange, count, size=MIB):
    channel.confirm_delivery()
    for i in range(count):
        channel.basic_publish(exchange, "k", bytes(size),
                              pika.BasicProperties(message_id=f"large-{i}", delivery_mode=2))


@contextlib.contextmanager
def paused_driver(node, channel, name, count, stream=False):
    """A driver behind a proxy that holds as much as its budget allows."""
    declare_route(channel, name)
    declare_route(channel, f"{name}-out", stream=False)
    publish_large(channel, name, count)
    proxy = Proxy(node.port)
    with Driver(node, *FLAGS, urls=f"amqp://127.0.0.1:{proxy.port}/warren") as driver:
        driver.do("subscribe", name="s", queue=f"{name}.{'s' if stream else 'q'}", prefetch=200,
                  hold=True, stream=stream)
        driver.wait(lambda seen: deliveries(seen) == BUDGET)
        yield driver, proxy
    proxy.stop()


def deliveries(seen):
    return sum("delivery" in event for event in seen)


def await_heartbeats(proxy, count):
    before = proxy.heartbeats
    until(lambda: proxy.heartbeats >= before + count, 60, "heartbeats")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("stream", [False, True], ids=["queue", "stream"])
def test_a_link_reads_no_more_than_it_may(node, channel, stream):
    count = 4 * BUDGET
    with paused_driver(node, channel, f"large-{stream}", count, stream) as (driver, proxy):
        driver.do("publish", exchange=f"large-{stream}-out", key="k")
        used = cpu_seconds(driver.process.pid)
        await_heartbeats(proxy, 14)  # 7 s: the broker gives up after 2, the confirm is due after 5
        assert cpu_seconds(driver.process.pid) - used < 2, "it spins"
        assert deliveries(driver.seen) == BUDGET
        assert outcomes_of(driver.seen) == {}
        for total in range(2 * BUDGET, count + 1, BUDGET):
            driver.do("settle", name="s")
            driver.wait(lambda seen, n=total: deliveries(seen) == n)
        driver.do("settle", name="s")
        driver.wait_for(id="m-0", outcome="confirmed")
        ids = [event["delivery"] for event in driver.seen if "delivery" in event]
        assert ids == [f"large-{i}" for i in range(count)]
        assert driver.count(event="down") == 0


def test_one_delivery_larger_than_the_budget(node, channel):
    declare_route(channel, "larger")
    publish_large(channel, "larger", 5)
    with Driver(node, "--read-bytes", "1000") as driver:
        driver.do("subscribe", name="s", queue="larger.q")
        driver.wait(lambda seen: deliveries(seen) == 5)


def test_a_pause_ends_with_the_connection(node, channel):
    """Held deliveries are void then, but they count until the owner returns them."""
    with paused_driver(node, channel, "broken", 2 * BUDGET) as (driver, proxy):
        proxy.reset_all()
        driver.wait_for(event="down")
        until(lambda: proxy.connections == 2, 30, "connected again")
        await_heartbeats(proxy, 2)
        assert deliveries(driver.seen) == BUDGET
        driver.forget()
        for total in (BUDGET, 2 * BUDGET):
            driver.do("settle", name="s")
            driver.wait(lambda seen, n=total: deliveries(seen) == n)
        driver.do("settle", name="s")


def test_a_drain_ends_the_pause(node, channel):
    with paused_driver(node, channel, "drained", 3 * BUDGET) as (driver, _):
        driver.do("publish", exchange="drained-out", key="k")
        driver.do("settle", name="s", count=0)
        driver.do("drain", limit=30000)
        assert driver.wait_for(event="drained")["clean"]
        assert outcomes_of(driver.seen) == {"m-0": ["confirmed"]}
        driver.do("settle", name="s")
        assert deliveries(driver.seen) == BUDGET
    left = drain_queue(channel, "drained.q", 2 * BUDGET)
    assert sorted(left) == sorted(f"large-{i}" for i in range(BUDGET, 3 * BUDGET))


def test_the_status_store_reads_large_messages(broker, tmp_path):
    store = StatusStore(broker, tmp_path)
    store.program.asan_options = "quarantine_size_mb=1"
    store.start()
    before = store.program.peak_memory()
    assert store.program.stop() == 0
    for _ in range(300):
        store.stream.job(uuid7(), payload=b'"' + bytes(MIB - 2).replace(b"\0", b"x") + b'"')
    store.start()
    store.until_current()
    grown = store.program.peak_memory() - before
    print(f"peak memory grown by {grown // MIB} MiB")
    store.end()
    assert grown < 100 * MIB


def test_the_dlx_monitor_archives_large_letters(broker, tmp_path):
    monitor = Monitor(broker, tmp_path)
    monitor.program.asan_options = "quarantine_size_mb=1"
    monitor.program.start()
    before = monitor.program.peak_memory()
    assert monitor.program.stop() == 0
    with broker.pika(monitor.vhost) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for exchange in "dead", "unroutable":
            for _ in range(150):
                channel.basic_publish(exchange, "acme.medium", bytes(MIB), burial())
    monitor.program.start()
    until(lambda: len(archived_jobs(monitor)) == 300, 120, "all archived")
    grown = monitor.program.peak_memory() - before
    print(f"peak memory grown by {grown // MIB} MiB")
    problem = monitor.program.end()
    assert problem is None, problem
    with contextlib.closing(sqlite3.connect(monitor.archive)) as db:
        sizes = db.execute("SELECT length(body), count(*) FROM contents GROUP BY 1").fetchall()
    assert sizes == [(MIB, 300)]
    broker.management("DELETE", f"/api/vhosts/{monitor.vhost}")
    assert grown < 120 * MIB
