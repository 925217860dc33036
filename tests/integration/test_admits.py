# SPDX-License-Identifier: Apache-2.0
"""The submission rate of a tenant over several gateways: they tell each other what they admitted on stream
`admits`, and a gateway that starts reads what was admitted before."""
import json
import time

import pytest
import requests

from admits_rig import (gateways, limit_of, look, make_stream, publish, published, tenant, use_up)
from gateway_rig import Caller, Control, Place, known
from harness.until import until


@pytest.fixture
def place(broker):
    return Place(broker)


@pytest.fixture
def lead(place):
    return Control(place)


@pytest.fixture
def start(place, tmp_path):
    with gateways(place, tmp_path) as begin:
        yield begin


@pytest.mark.soak
def test_two_gateways_share_a_rate(lead, start):
    """100 a minute and a burst of 10; 600 are submitted evenly over a minute, to both in turn. The bucket is
    full at the start, so 110 is the limit."""
    key = tenant(lead, "acme", 100, "1m", 10)
    callers = [known(Caller(start(), key)) for _ in range(2)]
    began = time.monotonic()
    admitted = 0
    for i in range(600):
        time.sleep(max(began + i * 60 / 600 - time.monotonic(), 0))
        answer = callers[i % 2].submit()
        left, full_in = limit_of(answer)
        assert answer.headers["RateLimit-Policy"] == '"tenant";q=100;w=60'
        if answer.status_code == 202:
            admitted += 1
        else:
            assert answer.status_code == 429
            assert left == 0 and 1 <= int(answer.headers["Retry-After"]) <= full_in <= 7
    took = time.monotonic() - began
    assert 100 <= admitted <= 10 + 100 * max(took, 60) / 60, f"{admitted} in {took} s"
    # Both know the same now.
    until(lambda: look(callers[0]) == look(callers[1]), what="the gateways agree")


def test_headers_and_retry_after_agree(lead, start):
    """What one admits, the other's headers say, and so does its Retry-After, to the second."""
    key = tenant(lead, "acme", 10, "100s", 5)
    a, b = (known(Caller(start(), key)) for _ in range(2))
    assert look(b) == (5, 0)
    began = time.monotonic()
    assert use_up(a, 5) == 5
    until(lambda: look(b)[0] == 0, what="b knows")
    answer = b.submit()
    assert answer.status_code == 429
    gone = time.monotonic() - began
    left, full_in = limit_of(answer)
    assert left == 0 and 49 - gone <= full_in <= 50
    assert 9 - gone <= int(answer.headers["Retry-After"]) <= 10
    answered = time.monotonic()
    retry = int(answer.headers["Retry-After"])
    time.sleep(retry - 1.1)
    assert b.submit().status_code == 429
    time.sleep(answered + retry - time.monotonic())
    assert [c.submit().status_code for c in (b, b)] == [202, 429]


def test_no_second_window_after_a_restart(lead, start):
    """Killed in the middle of a window, or stopped: the next process knows what was admitted, but for the
    last 50 ms of the one that was killed."""
    key = tenant(lead, "acme", 10, "1d", 8)
    first, witness = start(), start()
    other = known(Caller(witness, key))
    assert use_up(known(Caller(first, key)), 5) == 5
    until(lambda: look(other)[0] == 3, what="told")
    for program in (first, witness):
        program.process.kill()
        program.process.wait()
    second = start()
    caller = Caller(second, key)
    assert look(caller)[0] == 3
    assert use_up(caller, 2) == 2
    assert second.stop() == 0  # tells at once what it admitted
    third = Caller(start(), key)
    assert look(third)[0] == 1
    assert use_up(third, 8) == 1


def test_the_stream_is_deleted(place, lead, start):
    """Each gateway goes on with its own buckets; when the stream is back, they tell how full these are."""
    key = tenant(lead, "acme", 10, "1d", 10)
    one, two = start(), start()
    a, b = (known(Caller(g, key)) for g in (one, two))
    assert use_up(a, 2) == 2
    until(lambda: look(b)[0] == 8, what="b knows")
    with place.connect() as connection:
        connection.channel().queue_delete("admits")
    assert use_up(a, 3) == 3
    assert use_up(b, 1) == 1
    until(lambda: one.lines("other gateways cannot be told what this one admits"), what="noticed")
    assert one.is_ready()
    make_stream(place)
    until(lambda: look(a)[0] == look(b)[0] == 4, 60, "both know all six")
    fresh = Caller(start(), key)
    # A level that one told before it knew what the other had admitted hides that from a reader of both.
    assert look(fresh)[0] in (4, 5)


def test_a_gateway_starts_without_the_stream(place, lead, start):
    key = tenant(lead, "acme", 10, "1d", 10)
    with place.connect() as connection:
        connection.channel().queue_delete("admits")
    began = time.monotonic()
    program = start()
    assert time.monotonic() - began >= 10
    assert program.lines("what was admitted before this gateway started is not known yet; it goes on "
                         "without: tenants may exceed their rates once")
    assert use_up(known(Caller(program, key)), 12) == 10


def test_hostile_records(place, lead, start):
    keys = [tenant(lead, name, burst, "1d", burst) for name, burst in
            (("acme", 10), ("beta", 2), ("gamma", 2))]
    program = start()
    caller, one, another = (known(Caller(program, key)) for key in keys)
    spent = {"admitted": {"acme": 3}}
    publish(place, json.dumps({"gateway": "x", "n": 1, "at": 1, **spent}), login="warren-admin")
    for body in (b"{", b"[]", b"\xff", b"null", b'{"n":1}', b'{"gateway":"","n":1,"at":1}',
                 b'{"gateway":"x","n":0,"at":1,"admitted":{"acme":3}}',
                 b'{"gateway":"x","n":1,"at":1,"admitted":{"acme":1e300}}',
                 b'{"gateway":"x","n":1,"at":1,"admitted":{"acme":9999999999999999999}}',
                 b'{"gateway":"x","n":1,"at":1,"admitted":{"acme":"3"}}',
                 b'{"gateway":"x","n":1,"at":1,"admitted":[3]}',
                 b'{"gateway":"x","n":1,"at":-5,"admitted":{"acme":3}}',
                 b'{"gateway":"x","n":1,"at":1,"levels":{"acme":-3}}',
                 b'{"gateway":"' + b"x" * 200 + b'","n":1,"at":1}',
                 b'{"gateway":"x","n":1,"at":1,"admitted":{' + b",".join(
                     b'"t%d":1' % i for i in range(600)) + b"}}",
                 b'{"gateway":"x","n":1,"at":1,"pad":"' + b"p" * 700000 + b'"}',
                 b"[" * 100000):
        publish(place, body)
    # Unknown tenants and members are passed over.
    published(place, gateway="later", admitted={"nobody": 5, "acme": 1}, more={"x": [1]})
    until(lambda: look(caller)[0] == 9, what="a good record counts")
    published(place, gateway="later", admitted={"acme": 1})  # the same number again
    published(place, gateway="other", admitted={"acme": 1})
    until(lambda: look(caller)[0] == 8, what="another gateway's counts")
    # Tokens are given back; a time in the future is now; one long ago has refilled.
    published(place, gateway="other", n=2, admitted={"acme": -1})
    until(lambda: look(caller)[0] == 9, what="given back")
    published(place, gateway="ahead", at=1 << 52, admitted={"acme": 1})
    until(lambda: look(caller)[0] == 8, what="a clock ahead")
    # A number that is too large locks a tenant out for a bounded time: three bursts.
    published(place, gateway="huge", admitted={"acme": 1000000000})
    until(lambda: look(caller)[0] == 0, what="charged")
    # One that gives back what it did not take gives a tenant nothing that this gateway admitted.
    assert use_up(one, 3) == 2
    for n in range(1, 5):
        published(place, gateway="giver", n=n, admitted={"beta": -1000000000})
    published(place, gateway="last", admitted={"gamma": 1})
    until(lambda: look(another)[0] == 1, what="all were read")
    assert use_up(one, 3) == 0
    answer = caller.submit()
    assert answer.status_code == 429
    assert 2 * 86400 < limit_of(answer)[1] <= 3 * 86400 + 3
    assert program.process.poll() is None
    ignored = program.lines("a message of stream admits is ignored")
    assert [line["ignored"] for line in ignored] == [1, 2, 4, 8, 16]


def test_a_forged_name(place, lead, start):
    """Records under the name of a gateway with a number far ahead: the other passes over its own then. Each
    still holds the rate by itself."""
    key = tenant(lead, "acme", 10, "1d", 10)
    programs = start(), start()
    a, b = (known(Caller(g, key)) for g in programs)
    with place.connect() as connection:
        names = names_in_stream(connection)
    assert len(names) == 2
    for name in names:
        published(place, gateway=name, n=1 << 53, admitted={"acme": 1})
    until(lambda: [look(c)[0] for c in (a, b)] == [9, 9], what="read")
    assert use_up(a, 20) == 9 and use_up(b, 20) == 9


def names_in_stream(connection):
    channel = connection.channel()
    channel.basic_qos(prefetch_count=100)
    names = set()
    for method, _, body in channel.consume("admits", inactivity_timeout=1,
                                           arguments={"x-stream-offset": "first"}):
        if method is None:
            break
        channel.basic_ack(method.delivery_tag)
        if body:
            names.add(json.loads(body)["gateway"])
    return names


def test_clocks_an_hour_apart(place, lead, start):
    """60 a minute. What one told whose clock is behind seems an hour old to a gateway that starts, so it
    tells the newcomer its levels; then its clock is known. One whose clock is ahead seems to tell of now."""
    key = tenant(lead, "acme", 60, "1m", 10)
    now = int(time.time() * 1000)
    published(place, gateway="behind", at=now - 3600000, admitted={"acme": 8})
    published(place, gateway="ahead", at=now + 3600000, admitted={"acme": 1})
    caller = known(Caller(start(), key))
    assert look(caller)[0] >= 9
    now = int(time.time() * 1000)
    published(place, gateway="behind", n=2, at=now - 3600000, levels={"acme": 6000})
    until(lambda: look(caller)[0] <= 5, what="its levels")
    until(lambda: look(caller)[0] == 10, what="full again")
    now = int(time.time() * 1000)
    for name, n, apart in (("behind", 3, -3600000), ("ahead", 2, 3600000)):
        published(place, gateway=name, n=n, at=now + apart, admitted={"acme": 3})
    until(lambda: look(caller)[0] <= 5, what="both count")
    # Nobody is locked out.
    until(lambda: look(caller)[0] == 10, 20, what="full again")


def test_what_the_stream_no_longer_holds(place, lead, start):
    """The stream drops old records; levels that were told later keep what they said, also when all gateways
    are killed."""
    make_stream(place, **{"x-max-length-bytes": 20000, "x-stream-max-segment-size-bytes": 5000})
    key = tenant(lead, "acme", 10, "1d", 10)
    programs = [start(), start()]
    a, b = (known(Caller(g, key)) for g in programs)
    assert use_up(a, 4) == 4 and use_up(b, 3) == 3
    until(lambda: look(a)[0] == look(b)[0] == 3, what="both know")
    with place.connect() as connection:
        names = names_in_stream(connection)
    for n in range(1, 101):
        pad = "x" * 1000
        published(place, gateway="filler", n=n, pad=pad)
    with place.connect() as connection:
        assert not names & names_in_stream(connection), "the stream holds the old records still"
    # One that starts is told how full the buckets are.
    programs.append(start())
    newcomer = known(Caller(programs[-1], key))
    until(lambda: look(newcomer)[0] == 3, 20, what="told the newcomer")
    for program in programs:
        program.process.kill()
        program.process.wait()
    last = known(Caller(start(), key))
    assert look(last)[0] == 3
    assert use_up(last, 10) == 3


def test_a_refusal_is_counted(lead, start):
    key = tenant(lead, "acme", 1, "1h", 1)
    program = start()
    caller = known(Caller(program, key))
    assert [caller.submit().status_code for _ in range(3)] == [202, 429, 429]
    text = requests.get(program.health + "/metrics", timeout=10).text
    assert 'warren_rate_refused_total{tenant="acme"} 2' in text
    assert 'warren_link_up{link="admits"} 1' in text

