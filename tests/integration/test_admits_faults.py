# SPDX-License-Identifier: Apache-2.0
"""Gateways that share a rate and lose the broker in the middle of a window: what they did not hear of counts
when they are back, at the time it was admitted: no second window, and no lost one."""
import time

import pytest

from admits_rig import gateways, look, tenant, use_up
from gateway_rig import Caller, Control, Place, known
from harness.forwarder import Forwarder
from harness.until import until


@pytest.fixture
def place(private_broker):
    return Place(private_broker)


@pytest.fixture
def start(place, tmp_path):
    with gateways(place, tmp_path) as begin:
        yield begin


def callers(program, *keys):
    return [known(Caller(program, key)) for key in keys]


def is_full(caller, size):
    return look(caller) == (size, 0)


def test_the_reader_is_cut_off(place, start):
    """`slow` refills in a day, `fast` in 5 s. One gateway cannot read; the other, and one that starts
    meanwhile, admit some of both."""
    lead = Control(place)
    keys = tenant(lead, "slow", 10, "1d", 10), tenant(lead, "fast", 60, "1m", 5)
    forwarder = Forwarder(place.broker.port).open()
    cut = start(amqp_urls=forwarder.url(place.vhost))
    slow, fast = callers(cut, *keys)
    other_slow, other_fast = callers(start(), *keys)
    assert use_up(slow, 2) == 2
    until(lambda: look(other_slow)[0] == 8, what="told")

    forwarder.close("admits")
    third_slow, third_fast = callers(start(), *keys)
    assert use_up(other_slow, 3) == 3 and use_up(third_slow, 1) == 1
    assert use_up(other_fast, 2) == 2 and use_up(third_fast, 2) == 2
    until(lambda: is_full(third_fast, 5), what="full again")
    assert look(slow)[0] == 8 and is_full(fast, 5)
    time.sleep(2)
    assert use_up(third_slow, 1) == 1

    seen = []

    def has_read_again():
        seen.append(look(fast)[0])
        return len(cut.lines("what was admitted before has been read")) == 2

    forwarder.renew("admits")
    until(has_read_again, what="read again")
    assert min(seen) == 5, "what was admitted seconds ago is taken for new"
    assert look(slow)[0] == 3
    assert use_up(slow, 10) == 3
    until(lambda: look(other_slow)[0] == look(third_slow)[0] == 0, what="all told")
    # It hears the others as before.
    assert use_up(third_fast, 5) >= 5
    until(lambda: look(fast)[0] <= 2, what="told")
    forwarder.shut()


def test_the_broker_restarts(place, start):
    lead = Control(place)
    keys = tenant(lead, "slow", 10, "1d", 10), tenant(lead, "fast", 60, "1m", 5)
    programs = start(), start()
    (slow, fast), (other_slow, other_fast) = (callers(p, *keys) for p in programs)
    assert use_up(slow, 3) == 3 and use_up(other_slow, 2) == 2
    assert use_up(fast, 3) == 3 and use_up(other_fast, 1) == 1
    place.broker.restart()
    # A submission that the broker does not take uses up nothing.
    until(lambda: all(p.is_ready() for p in programs), 90, "ready again")
    until(lambda: all(len(p.lines("what was admitted before has been read")) == 2
                      for p in programs), 30, "they have read")
    assert look(slow)[0] == look(other_slow)[0] == 5
    until(lambda: is_full(fast, 5) and is_full(other_fast, 5), 5, "full again")
    assert use_up(slow, 3) == 3
    until(lambda: look(other_slow)[0] == 2, what="told")
    assert use_up(other_slow, 9) == 2
    until(lambda: look(slow)[0] == 0, what="told")
    # Who starts now, knows all too.
    fresh, = callers(start(), keys[0])
    assert look(fresh)[0] == 0
