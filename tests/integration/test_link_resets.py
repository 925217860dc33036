# SPDX-License-Identifier: Apache-2.0
"""Connections are reset at arbitrary bytes during publishing and consuming: each publish has one outcome,
and no confirmed message is missing."""
import os
import random
import time

import pika
import pytest

from harness.link_driver import Driver, outcomes_of, read_stream
from harness.proxy import Proxy
from link_rig import channel, declare_route  # noqa: F401 (a fixture)

OUTCOMES = {"confirmed", "returned", "nacked", "expired", "closed"}
RESETS = int(os.environ.get("WARREN_LINK_RESETS", "1000"))


@pytest.fixture(scope="module")
def node(broker):
    return broker


def cuts(seed):
    """Seeded positions in all phases: the handshake, the first publishes, later traffic."""
    def cut(number):
        chance = random.Random(f"{seed}/{number}")
        phase = chance.choices(["handshake", "start", "traffic"], [1, 2, 3])[0]
        top = {"handshake": 600, "start": 6000, "traffic": 90000}[phase]
        return chance.choice(["up", "down"]), chance.randint(1, top)
    return cut


def reset_flags(resend):
    return ["--resend", resend, "--window-messages", "200", "--confirm-timeout", "20000"]


@pytest.mark.soak
@pytest.mark.parametrize("resend", ["yes", "no"])
def test_resets_at_any_byte(node, channel, resend):
    name = f"resets-{resend}"
    declare_route(channel, name)
    proxies = [Proxy(node.port, cuts(f"{name}/{i}")) for i in range(2)]
    drivers = []
    for i, proxy in enumerate(proxies):
        # Eight URLs: the pause between attempts grows only after each URL was tried.
        urls = ",".join([f"amqp://127.0.0.1:{proxy.port}/warren"] * 8)
        driver = Driver(node, *reset_flags(resend), urls=urls)
        driver.do("subscribe", name="queue", queue=f"{name}.q", prefetch=50)
        driver.do("subscribe", name="stream", queue=f"{name}.s", prefetch=50, stream=True, start=-1)
        drivers.append(driver)
    published = [0] * len(drivers)
    deadline = time.monotonic() + 400
    while any(p.resets < RESETS // 4 for p in proxies):
        assert time.monotonic() < deadline, [p.resets for p in proxies]
        for i, (driver, proxy) in enumerate(zip(drivers, proxies)):
            if proxy.resets < RESETS // 4 and driver.state()["in_flight"] < 100:
                driver.do("publish", exchange=name, key="k", prefix=f"{i}-{published[i]}",
                          count=50, size=random.Random(published[i]).choice([10, 300, 3000]))
                published[i] += 1
        with drivers[0].changed:
            drivers[0].changed.wait(0.02)

    for proxy in proxies:
        proxy.cut = lambda number: None
    wanted = {f"{i}-{n}-{k}" for i, count in enumerate(published)
              for n in range(count) for k in range(50)}
    confirmed = set()
    found = {}
    for i, driver in enumerate(drivers):
        mine = {m for m in wanted if m.startswith(f"{i}-")}
        driver.wait(lambda seen: len(outcomes_of(seen)) >= len(mine), 120)
        found.update(outcomes_of(driver.seen))
    assert set(found) == wanted
    assert {len(o) for o in found.values()} == {1}, "more than one outcome"
    assert {o[0] for o in found.values()} <= OUTCOMES
    confirmed = {m for m, o in found.items() if o == ["confirmed"]}
    assert confirmed
    if resend == "yes":
        assert confirmed == wanted, "with resend every publish is confirmed in the end"

    # Every confirmed message is in the stream, and was or will be delivered from the queue.
    properties = pika.BasicProperties(message_id="the end", delivery_mode=2)
    channel.confirm_delivery()
    channel.basic_publish(name, "k", b"", properties)
    streamed = read_stream(channel, f"{name}.s", "the end")
    assert confirmed <= set(streamed)
    for driver in drivers:
        driver.wait_for(**{"from": "stream", "delivery": "the end"})
        got = [e for e in driver.seen if e.get("from") == "stream"]
        assert [e["offset"] for e in got] == sorted(e["offset"] for e in got), "out of order"
        assert len({e["offset"] for e in got}) == len(got) == len(streamed), "twice, or missed"

    def consumed():
        return {e["delivery"] for d in drivers for e in list(d.seen) if e.get("from") == "queue"}
    drivers[0].wait(lambda seen: confirmed | {"the end"} <= consumed())
    deliveries = sum(e.get("from") == "queue" for d in drivers for e in d.seen)
    print(f"resend {resend}: {sum(p.resets for p in proxies)} resets, {len(wanted)} publishes, "
          f"{len(confirmed)} confirmed, {len(streamed) - 1 - len(set(streamed) & wanted)} twice in "
          f"the stream, {deliveries - len(consumed())} delivered again")
    for driver, proxy in zip(drivers, proxies):
        assert proxy.resets >= RESETS // 4
        driver.do("drain")
        assert driver.wait_for(event="drained")["clean"]
        driver.end()
        proxy.stop()
