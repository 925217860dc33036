# SPDX-License-Identifier: Apache-2.0
"""Messages published straight to a tenant's exchange against the contract: each one ends in `dead` with
a clear reason, or runs; nothing is lost, and no other job is changed."""
import datetime
import json
import struct
import time
import uuid

import pika
import pytest

from harness import packs
from harness.events import Events
from harness.publish import job_properties, publish
from harness.until import until
from harness.wire import WireProperties, nested_headers


@pytest.fixture(scope="module")
def outside(warren):
    """A channel with the tenant's own login."""
    tenant = warren.tenant("acme", amqp_login=True)
    with tenant.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


@pytest.fixture(scope="module")
def events(warren):
    stream = Events(warren)
    yield stream
    stream.close()


def send(channel, body, properties, lane="medium"):
    channel.basic_publish("jobs.acme", lane, body, properties)


def burial_of(events, body, among=0):
    """The burial of a message with exactly that body."""
    def found():
        return [properties for properties, got in events.burials()[among:] if got == body]

    return events.until(found, what=f"the burial of {body[:60]!r}")[0]


MALFORMED = {
    "empty body": (b"", {}, "empty"),
    "not JSON": (b"hello 1", {}, 'near "hello 1"'),
    "two values": (b"1 2", {}, "not one JSON value"),
    "duplicate member": (b'{"a":1,"a":2}', {}, "not one JSON value"),
    "not UTF-8": (b'"\xff\xfe"', {}, r'near "\"\xff\xfe\""'),
    "deep": (b"[" * 10000 + b"]" * 10000, {}, "not one JSON value"),
    "too large": (b'"' + b"x" * (300 * 1024) + b'"', {}, "more than"),
    "no message_id": (b'"no id"', {"message_id": None}, "message_id is missing"),
    "empty message_id": (b'"empty id"', {"message_id": ""}, "message_id"),
    "message_id no UUID": (b'"bad id"', {"message_id": "42; drop table"}, 'is not a UUID: "42; drop table"'),
    "no type": (b'"no type"', {"type": None}, "type is missing"),
    "bad type": (b'"bad type"', {"type": "UPPER CASE"}, '{0,63}: "UPPER CASE"'),
    "long type": (b'"long type"', {"type": "x" * 200}, f'"{"x" * 60}"… (200 bytes)'),
    "no content type": (b'"no ct"', {"content_type": None}, "content_type is missing"),
    "content type": (b'"text"', {"content_type": "text/plain"}, 'application/json: "text/plain"'),
    "a pack": (b"\x01\x04work\x0bacme.medium", {"content_type": packs.CONTENT_TYPE},
               f'application/json: "{packs.CONTENT_TYPE}"'),
    "transient": (b'"transient"', {"delivery_mode": 1}, "delivery_mode is not 2: 1"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(outside, events, case):
    body, changes, want = MALFORMED[case]
    claimed = job_properties("echo", **changes)
    send(outside, body, claimed)
    buried = burial_of(events, body)
    assert buried.headers["x-reason"] == "malformed"
    assert want in buried.headers["x-error"]
    assert buried.headers.get("x-claimed-id", "") == (claimed.message_id or "")
    assert str(uuid.UUID(buried.message_id)) == buried.message_id != claimed.message_id
    assert "x-burial" in buried.headers
    assert buried.user_id == "warren-consumer"


MISTYPED = {
    "text": ({"x-run-at": "tomorrow"}, '"tomorrow"'),
    "digits": ({"x-run-at": "1732250000123"}, '"1732250000123"'),
    "seconds": ({"x-run-at": datetime.datetime(2100, 1, 1)}, "timestamp 4102444800"),
    "table": ({"x-delay": {"days": 1}}, '{"days": 1}'),
    "array": ({"x-delay": [86400000]}, "[86400000]"),
    "fraction": ({"x-delay": 1.5}, "1.5"),
    "void": ({"x-delay": None}, "void"),
    "bytes": ({"x-timeout-ms": b"100"}, '"100"'),
    "boolean": ({"x-max-retries": True}, "true"),
    "priority": ({"x-priority": "high"}, '"high"'),
    "submitted": ({"x-submitted-at": {}}, "{}"),
    "trace": ({"traceparent": 5}, "5"),
}


# The stream of RabbitMQ 3.10 drops these headers, so the message looks like a submission. RabbitMQ 4 keeps
# headers whose name begins with x-.
DROPPED = {"table", "array", "submitted"}


@pytest.mark.parametrize("case", MISTYPED)
def test_a_header_of_the_wrong_type_is_malformed(warren, outside, events, monkeypatch, case):
    """The publisher meant something by the header: the job must not run as if it were absent."""
    monkeypatch.setattr(pika.data, "encode_value", encode_float_too)
    body = json.dumps(f"mistyped {case}").encode()
    headers, quoted = MISTYPED[case]
    id = publish(outside, "acme", "echo", body, headers=headers)
    buried = burial_of(events, body)
    (name,) = headers
    assert buried.headers["x-reason"] == "malformed"
    assert f"header {name} is not" in buried.headers["x-error"]
    assert buried.headers["x-error"].endswith(f": {quoted}")
    assert buried.headers["x-claimed-id"] == id
    assert not events.of(id, "started")
    assert warren.api.wait(buried.message_id)["reason"] == "malformed"
    status = warren.api.request("GET", f"/jobs/{id}").status_code
    dropped = case in DROPPED and warren.broker.version < (4,)
    assert status == (200 if dropped else 404)


@pytest.mark.parametrize("depth", [150, 20000])
def test_headers_that_nobody_can_read_stop_nobody(fresh_warren, depth):
    """Some versions of rabbitmq-c end the connection over such headers. RabbitMQ 4 keeps them in the stream
    too, which pika then cannot read any more."""
    tenant = fresh_warren.tenant(f"deep-{depth}", amqp_login=True)  # a login is valid for the whole broker
    with tenant.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for name in ("x-deep", "deep"):
            channel.basic_publish(f"jobs.deep-{depth}", "high", b"1",
                                  WireProperties(nested_headers(name, depth)))
    api = fresh_warren.api
    assert api.run("echo", {"depth": depth}, priority="high")["status"] == "completed"
    dead = api.run("fail", {"permanent": True})
    until(lambda: api.letters(job=dead["id"]), 60, "its letter")


def encode_float_too(pieces, value, encode=pika.data.encode_value):
    """Encodes floats too: pika reads them but cannot write them."""
    if not isinstance(value, float):
        return encode(pieces, value)
    pieces.append(struct.pack(">cd", b"d", value))
    return 9


INTEGERS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q", "L": ">q"}


@pytest.mark.parametrize("kind", INTEGERS)
def test_an_integer_of_any_width_counts(warren, outside, monkeypatch, kind):
    monkeypatch.setattr(pika.data, "encode_value",
                        lambda pieces, value: pieces.append(value) or len(value))
    raw = kind.encode() + struct.pack(INTEGERS[kind], 9)
    id = publish(outside, "acme", "noop", headers={"x-max-retries": raw})
    assert warren.api.wait(id)["max_retries"] == 9


def test_many_headers_hide_none_that_counts(warren, outside):
    """They do not hide the broker's own headers either, such as the stream's offset: the broker sorts
    headers by name."""
    headers = {f"x-a{number}": number for number in range(60)}
    id = publish(outside, "acme", "echo", {"many": 1}, headers={**headers, "x-max-retries": 9})
    job = warren.api.wait(id)
    assert (job["status"], job["result"], job["max_retries"]) == ("completed", {"many": 1}, 9)
    assert (job["type"], job["payload"]) == ("echo", {"many": 1})


def test_a_malformed_message_touches_no_other_job(warren, outside, events):
    honest = warren.api.run("echo", {"mine": 1})
    send(outside, b"not json at all", job_properties("echo", message_id=honest["id"]))
    buried = burial_of(events, b"not json at all")
    assert buried.headers["x-claimed-id"] == honest["id"]
    assert warren.api.wait(buried.message_id)["reason"] == "malformed"
    assert warren.api.get(honest["id"])["status"] == "completed"


HIDERS = {
    "too large": (b'"' + b"x" * (300 * 1024) + b'"', None),
    "a header that the stream drops": (b'"dropped"', {"x-delay": {"days": 1}}),
}


@pytest.mark.parametrize("case", HIDERS)
def test_a_malformed_message_hides_no_job_that_waits(warren, outside, events, case):
    """The marker's events come after all that the consumer published of the malformed message."""
    body, headers = HIDERS[case]
    id = warren.api.submit("echo", {"mine": case}, delay=8)["id"]
    publish(outside, "acme", "echo", body, message_id=id, headers=headers)
    buried = events.until(lambda: [p for p, _ in events.burials()
                                   if p.headers.get("x-claimed-id") == id], what="the burial")[0]
    assert warren.api.wait(buried.message_id)["reason"] == "malformed"
    assert warren.api.run("noop")["status"] == "completed"
    assert warren.api.request("GET", f"/jobs/{id}").status_code == 200
    job = warren.api.wait(id)
    assert (job["status"], job["result"]) == ("completed", {"mine": case})


def test_its_letter_is_kept(warren, outside, events):
    send(outside, b"\x00\x01letter", job_properties("echo"))
    buried = burial_of(events, b"\x00\x01letter")
    letters = until(lambda: warren.api.letters(job=buried.message_id), 30, "the letter")
    assert letters[0]["reason"] == "malformed"
    assert letters[0]["claimed_id"] == buried.headers["x-claimed-id"]


FORGED = {
    "attempt": {"x-attempt": 2**62},
    "negative attempt": {"x-attempt": -1},
    "run": {"x-run": 2**31},
    "copy": {"x-copy": 2**53},
    "reason": {"x-reason": "permanent", "x-burial": str(uuid.uuid4())},
    "again": {"x-again": 1},
    "hop": {"x-hop": 1, "x-due-at": 1},
    "queued at": {"x-queued-at": 1},
    "death": {"x-death": [{"queue": "delay.1s", "reason": "expired", "count": 10**9,
                           "exchange": "delay.1s", "routing-keys": ["x"]}],
              "x-first-death-queue": "dead", "x-first-death-exchange": "dead",
              "x-first-death-reason": "rejected", "x-delivery-count": 10**6},
    "retries": {"x-max-retries": -5},
    "many retries": {"x-max-retries": 2**62},
    "timeout": {"x-timeout-ms": 2**40},
    "no timeout": {"x-timeout-ms": 0},
    "past": {"x-run-at": -(2**60)},
    "negative delay": {"x-delay": -1},
    "trace": {"traceparent": "00-zz"},
    "error": {"x-error": "e" * 10000, "x-error-kind": "crash"},
    "key": {"x-key": "stolen", "x-key-hash": "x"},
    "nested": {"x-error": {"a": {"b": [1, 2, {"c": None}]}}, "list": [[[1]]]},
    "binary": {"x-error": b"\x00\xff", "\u2603": "\u2603"},
}


@pytest.mark.parametrize("case", FORGED)
def test_forged_headers_change_nothing(warren, outside, case):
    id = publish(outside, "acme", "echo", {"case": case}, headers=FORGED[case])
    job = warren.api.wait(id)
    assert (job["status"], job["run"], job["attempt"]) == ("completed", 1, 1)
    assert job["result"] == {"case": case}
    assert job["idempotency_key"] is None
    assert 0 <= job["max_retries"] <= 100


def test_huge_headers(warren, outside):
    """Nearly as much as one AMQP frame of properties can hold, and more headers than a view keeps."""
    headers = {f"h{i}": "x" * 400 for i in range(200)}
    headers["x-max-retries"] = 7
    id = publish(outside, "acme", "echo", "huge", headers=headers)
    job = warren.api.wait(id)
    assert (job["status"], job["result"], job["max_retries"]) == ("completed", "huge", 7)


# With the headers that the broker adds, the frame is larger than any that a publisher may send. Small
# integers take more room in a delivery from a stream.
FILLED = {
    "to the byte": lambda room: field("long", b"S", struct.pack(">I", room - 10) +
                                      b"x" * (room - 10)),
    "nearly": lambda room: field("long", b"S", struct.pack(">I", room - 30) + b"x" * (room - 30)),
    "with small ones": lambda room: b"".join(
        field(f"{n:04x}", b"b", b"\x07") for n in range(room // 7)),
}


def field(name, kind, data):
    return bytes([len(name)]) + name.encode() + kind + data


@pytest.mark.parametrize("case", FILLED)
def test_headers_that_fill_a_frame_stop_nobody(warren, outside, case):
    id = str(uuid.uuid4())
    begin, end = b"\xb0\xa0\x10application/json", b"\x02$" + id.encode() + b"\x04echo"
    room = 131072 - 8 - 14 - len(begin) - 4 - len(end)  # frame, class and size, the table's length
    headers = FILLED[case](room)
    properties = pika.BasicProperties()
    properties.encode = lambda: [begin + struct.pack(">I", len(headers)) + headers + end]
    send(outside, json.dumps(case).encode(), properties)
    job = warren.api.wait(id)
    assert (job["status"], job["result"]) == ("completed", case)
    assert warren.api.run("noop")["status"] == "completed"


def test_a_time_beyond_all_is_kept_for_later(warren, outside):
    id = publish(outside, "acme", "noop", headers={"x-run-at": 2**62})
    assert warren.api.wait(id, "scheduled")["id"] == id


CLAIMED = {
    "far future": {"headers": {"x-submitted-at": 2**62}},
    "the year 9999": {"timestamp": 253402300799},
    "an id of the year 10889": {"timestamp": None,
                                "message_id": "ffffffff-ffff-7fff-8000-{:012x}"},
    "no time at all": {"timestamp": None},
    "before the epoch": {"timestamp": None, "headers": {"x-submitted-at": -1}},
}


@pytest.mark.parametrize("case", CLAIMED)
def test_no_job_is_created_after_it_came(warren, outside, case):
    claim = dict(CLAIMED[case])
    if "message_id" in claim:
        claim["message_id"] = claim["message_id"].format(time.time_ns() % 2**48)
    honest = warren.api.run("noop")
    job = warren.api.wait(publish(outside, "acme", "noop", **claim))
    assert honest["created_at"] <= job["created_at"] <= job["started_at"] <= job["finished_at"]
    newest = warren.api.run("noop")["id"]
    listed = [one["id"] for one in warren.api.list(limit=100)["jobs"]]
    assert listed.index(newest) < listed.index(job["id"])


def test_no_time_is_further_than_a_year(warren, outside):
    """A later time is reduced to one year, the limit of HTTP. A time in microseconds is far beyond it."""
    year = 365 * 86400 * 1000
    for at in (int(time.time() * 10**6), int(time.time() * 1000) + year + 86400_000):
        before = int(time.time() * 1000)
        id = publish(outside, "acme", "noop", headers={"x-run-at": at})
        run_at = warren.api.wait(id, "scheduled")["run_at"]
        run_at = datetime.datetime.fromisoformat(run_at.replace("Z", "+00:00")).timestamp() * 1000
        assert before + year <= run_at + 1 and run_at <= time.time() * 1000 + year + 1


@pytest.mark.parametrize("type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_goes_by_many_names(warren, outside, type):
    id = publish(outside, "acme", "echo", {"type": type}, content_type=type)
    assert warren.api.wait(id)["result"] == {"type": type}


def test_carbon_copies_are_the_same_job(warren, outside, events):
    """CC puts a copy into each lane named; a sender may also try to reach other queues with it."""
    id = publish(outside, "acme", "echo", "cc", lane="low",
                 headers={"CC": ["high", "critical", "other.medium", "dead"]})
    assert warren.api.wait(id)["status"] == "completed"
    events.until(lambda: events.count("completed").get(id, 0) >= 1, what="completed")
    marker = warren.api.run("noop")["id"]
    events.until(lambda: events.of(marker, "completed"), what="the marker")
    assert all(line["tenant"] == "acme" for line in events.of(id))
    assert events.count("started")[id] == 1


def test_an_unknown_type_is_buried_as_its_own(warren, outside):
    job = warren.api.wait(publish(outside, "acme", "nobody.handles", {"a": 1}))
    assert (job["status"], job["reason"], job["payload"]) == ("dead", "no_handler", {"a": 1})


def test_a_key_that_is_no_lane_is_archived(warren, outside):
    id = publish(outside, "acme", "echo", "lost?", lane="urgent")
    letter = until(lambda: warren.admin.letters(job=id), 30, "the letter")[0]
    assert (letter["reason"], letter["source"]) == ("unroutable", "unroutable")


def test_the_same_id_again_is_the_same_job(warren, outside, events):
    id = publish(outside, "acme", "sleep", {"ms": 300})
    for _ in range(5):
        publish(outside, "acme", "sleep", {"ms": 300}, message_id=id)
    assert warren.api.wait(id)["status"] == "completed"
    marker = warren.api.run("noop")["id"]
    events.until(lambda: events.of(marker, "completed"), what="the marker")
    assert events.count("started")[id] == 1


def test_another_content_under_an_id_that_has_ended(warren, outside, events):
    """It is published as a duplicate; the job shows the content that ran."""
    for id in (publish(outside, "acme", "echo", "first"), warren.api.submit("echo", "first")["id"]):
        assert warren.api.wait(id)["status"] == "completed"
        for lane, type, payload in (("medium", "noop", "first"), ("medium", "echo", "second"),
                                    ("high", "echo", "first"), ("medium", "nobody.handles", 1)):
            publish(outside, "acme", type, payload, lane=lane, message_id=id)
        until(lambda id=id: warren.api.get(id)["duplicates"] == 4, 30, "the duplicates are told")
        marker = warren.api.run("noop")["id"]
        events.until(lambda marker=marker: events.of(marker, "completed"), what="the marker")
        job = warren.api.get(id)
        assert (job["type"], job["priority"], job["status"]) == ("echo", "medium", "completed")
        assert job["payload"] == job["result"] == "first"


def test_of_two_that_wait_the_job_shows_what_ran(warren, outside):
    """The second is more urgent and may overtake the first. Either way the job shows the one that ran."""
    warren.consumer.hang()
    try:
        id = publish(outside, "acme", "echo", "first", lane="low")
        publish(outside, "acme", "echo", "second", lane="critical", message_id=id)
        assert warren.api.wait(id, "pending")["payload"] == "first"
        until(lambda: warren.api.get(id)["duplicates"] == 1, 30, "the duplicate is told")
    finally:
        warren.consumer.go_on()
    job = warren.api.wait(id)
    assert job["payload"] == job["result"]
    assert job["priority"] == {"first": "low", "second": "critical"}[job["result"]]


def test_upper_case_ids_are_the_same(warren, outside):
    id = str(uuid.uuid4())
    publish(outside, "acme", "echo", 1, message_id=id.upper())
    assert warren.api.wait(id)["status"] == "completed"


@pytest.mark.parametrize("login", ["warren-gateway", "warren-consumer"])
def test_a_forged_user_id_is_refused_by_the_broker(warren, outside, events, login):
    """Warren trusts what its services say of a job, so no other login may use their user_id."""
    forged = job_properties("echo", user_id=login, headers={"x-attempt": 3})
    with warren.tenant("acme").pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as why:
            channel.basic_publish("jobs.acme", "medium", b'"forged"', forged)
        assert why.value.reply_code == 406
    marker = publish(outside, "acme", "noop")
    events.until(lambda: events.of(marker, "completed"), what="the marker")
    assert not events.of(forged.message_id)
    assert warren.api.request("GET", f"/jobs/{forged.message_id}").status_code == 404


@pytest.mark.parametrize("exchange, key", [("work", "acme.medium"), ("hold.1s", "acme.medium"),
                                           ("events", "")])
def test_what_only_services_publish(warren, outside, exchange, key):
    """Neither a job past the stream nor a pack."""
    with warren.tenant("acme").pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as why:
            channel.basic_publish(exchange, key, b"1", job_properties("echo"))
    assert why.value.reply_code == 403


FORBIDDEN = {
    "get": lambda channel, name: channel.basic_get(f"jobs.{name}.low"),
    "purge": lambda channel, name: channel.queue_purge(f"jobs.{name}.low"),
    "declare": lambda channel, name: channel.queue_declare(f"jobs.{name}.low", durable=True),
    "delete": lambda channel, name: channel.queue_delete(f"jobs.{name}.low"),
    "bind": lambda channel, name: channel.queue_bind(f"jobs.{name}.low", "jobs.acme", "low"),
    "publish": lambda channel, name: channel.basic_publish(f"jobs.{name}", "low", b"1"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_login_is_told_the_same_of_others_there_or_not(warren, outside, what):
    warren.tenant("neighbour")
    told = []
    for name in ("neighbour", "nobody"):
        with warren.tenant("acme").pika() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            with pytest.raises(pika.exceptions.ChannelClosedByBroker) as why:
                FORBIDDEN[what](channel, name)
        told.append((why.value.reply_code, why.value.reply_text.replace(name, "NAME")))
    assert told[0][0] == 403 and told[0] == told[1]


def test_a_long_job_for_later_in_a_short_lane(warren, outside, events):
    """The job first waits for its time, and then runs once in the lane of long jobs."""
    before = int(time.time() * 1000)
    id = publish(outside, "acme", "echo", "long", lane="high",
                 headers={"x-timeout-ms": 660000, "x-delay": 1500})
    job = warren.api.wait(id)
    assert (job["status"], job["priority"], job["timeout_ms"]) == ("completed", "high", 660000)
    events.until(lambda: events.of(id, "completed"), what="completed")
    (started,) = events.of(id, "started")
    assert started["at"] >= before + 1500
    ways = [(exchange, key) for exchange, key, properties, _ in events.messages
            if properties.message_id == id]
    assert ways[0] == ("jobs.acme", "high") and ways[-1] == ("due", "acme.long")
    assert ways[1][0].startswith("delay.")


def test_limits_that_differ_lose_nothing(make_warren):
    """A payload that the gateway accepted runs even where the consumer's limit is smaller."""
    warren = make_warren(settings={"consumer": {"payload_max": "1KiB"}})
    large = "x" * 2000
    assert warren.api.run("echo", large)["result"] == large
    with warren.tenant("direct", amqp_login=True).pika() as connection:
        id = publish(connection.channel(), "direct", "echo", large)
    api = warren.tenant("direct").api
    buried = until(lambda: api.letters(reason="malformed"), 30, "buried")[0]["job_id"]
    assert api.wait(buried)["reason"] == "malformed"
    assert api.wait(id, "pending")["id"] == id


def test_nothing_is_left_and_the_consumer_lives(warren, outside):
    """Runs after all tests above. A flood of malformed messages does not block well-formed jobs."""
    rubbish = [uuid.uuid4().hex.encode() for _ in range(300)]
    before = warren.consumer.metrics().sum("warren_jobs_failed_total", reason="malformed")
    for body in rubbish:
        outside.basic_publish("jobs.acme", "critical", body, job_properties("echo"))
    assert warren.api.run("echo", "honest", priority="low")["status"] == "completed"
    until(lambda: warren.consumer.metrics().sum("warren_jobs_failed_total", reason="malformed") >=
          before + len(rubbish), 60, "all buried")
    for lane in ("critical", "high", "medium", "low", "long"):
        assert warren.depth(f"jobs.acme.{lane}") == 0
    assert warren.consumer.is_running()
