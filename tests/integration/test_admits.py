# SPDX-License-Identifier: Apache-2.0
"""The submission rate of a tenant over several gateways: they tell each other what they admitted on stream
`admits`, and a gateway that starts reads what was admitted before."""
import json
import re
import time

import pika
import pytest
import requests

from gateway_rig import Caller, Control, Gateway, Place, Service, known
from harness.until import until

STREAM = {"x-queue-type": "stream", "x-max-age": "1h", "x-stream-max-segment-size-bytes": 16000000}


@pytest.fixture
def place(broker):
    return Place(broker)


@pytest.fixture
def lead(place):
    return Control(place)


@pytest.fixture
def start(place, tmp_path):
    """A function that starts one more gateway of this vhost."""
    services = Service(), Service()
    running = []

    def begin():
        running.append(Gateway(place, tmp_path, *services))
        return running[-1].wait_ready()

    yield begin
    for program in running:
        if program.process.poll() is None:
            assert program.stop() == 0


def tenant(control, name, count, per, burst):
    """Its key."""
    control.tenant(name, rate={"count": count, "per": per}, burst=burst)
    return control.key(name, ["submit"])


def limit_of(answer):
    """What is left, and the seconds until the bucket is full."""
    found = re.fullmatch(r'"tenant";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    return int(found.group(1)), int(found.group(2))


def look(caller):
    """As limit_of; uses up nothing."""
    answer = caller.submit(b"{}")
    assert answer.status_code == 422
    return limit_of(answer)


def use_up(caller, most):
    """Submits until it is refused; returns how many were admitted."""
    for admitted in range(most):
        answer = caller.submit()
        if answer.status_code != 202:
            assert answer.status_code == 429, answer.text
            return admitted
    return most


def published(place, **more):
    """Publishes a record as a gateway would."""
    record = {"gateway": "elsewhere/1/aaaaaaaa", "n": 1, "at": int(time.time() * 1000), **more}
    publish(place, json.dumps(record))


def publish(place, body, login="warren-gateway"):
    with place.connect(login) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("admits", "", body, pika.BasicProperties(
            user_id=login, content_type="application/json", delivery_mode=2))


def test_two_gateways_share_a_rate(lead, start):
    """100 in 20 s and a burst of 10; 600 are submitted evenly, to both in turn. The bucket is full at the
    start, so 110 is the limit; each gateway may go over it by what it did not know for 50 ms."""
    key = tenant(lead, "acme", 100, "20s", 10)
    callers = [known(Caller(start(), key)) for _ in range(2)]
    began = time.monotonic()
    admitted = 0
    for i in range(600):
        time.sleep(max(began + i * 20 / 600 - time.monotonic(), 0))
        answer = callers[i % 2].submit()
        left, full_in = limit_of(answer)
        assert answer.headers["RateLimit-Policy"] == '"tenant";q=100;w=20'
        if answer.status_code == 202:
            admitted += 1
        else:
            assert answer.status_code == 429
            assert left == 0 and 1 <= int(answer.headers["Retry-After"]) <= full_in <= 3
    took = time.monotonic() - began
    assert 100 <= admitted <= 10 + 100 * took / 20 + 1, f"{admitted} in {took} s"
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
    time.sleep(int(answer.headers["Retry-After"]))
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
    with place.connect() as connection:
        channel = connection.channel()
        channel.queue_declare("admits", durable=True, arguments=STREAM)
        channel.queue_bind("admits", "admits", "")
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
    key = tenant(lead, "acme", 10, "1d", 10)
    program = start()
    caller = known(Caller(program, key))
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
    answer = caller.submit()
    assert answer.status_code == 429
    assert 2 * 86400 < limit_of(answer)[1] <= 3 * 86400 + 3
    assert program.process.poll() is None
    ignored = program.lines("a message of stream admits is ignored")
    assert [line["ignored"] for line in ignored] == [1, 2, 4, 8, 16]


def test_a_refusal_is_counted(lead, start):
    key = tenant(lead, "acme", 1, "1h", 1)
    program = start()
    caller = known(Caller(program, key))
    assert [caller.submit().status_code for _ in range(3)] == [202, 429, 429]
    text = requests.get(program.health + "/metrics", timeout=10).text
    assert 'warren_rate_refused_total{tenant="acme"} 2' in text
    assert 'warren_link_up{link="admits"} 1' in text

