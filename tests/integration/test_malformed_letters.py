# SPDX-License-Identifier: Apache-2.0
"""The letter of a malformed message: it is archived once, byte for byte, and can be corrected."""
import base64
import contextlib
import json
import sqlite3
import struct
import uuid

import pika
import pytest

from harness.publish import job_properties
from harness.until import until
from harness.wire import WireProperties, field


@pytest.fixture(scope="module")
def tenant(warren):
    return warren.tenant("acme", amqp_login=True)


@pytest.fixture(scope="module")
def outside(tenant):
    with tenant.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def short(text):
    return bytes([len(text)]) + text.encode()


def property_list(id, *fields):
    """content_type, headers, delivery_mode, message_id, type."""
    fields = b"".join(fields)
    return struct.pack(">H", 0xb0a0) + short("application/json") + \
        struct.pack(">I", len(fields)) + fields + b"\x02" + short(id) + short("echo")


def as_kept(warren, fields):
    """The fields in the broker's order: RabbitMQ 4 sorts headers by name, older versions do not."""
    if warren.broker.version < (4,):
        return fields
    return sorted(fields, key=lambda header: header[1:1 + header[0]])


def long(data):
    return struct.pack(">I", len(data)) + data


def nested(depth):
    inside = field("end", b"V", b"")
    for _ in range(depth):
        inside = field("in", b"F", long(inside))
    return inside


# Each makes the message malformed by its x-run-at, and has other fields that Warren does not read.
ODD = {
    "nested tables": [nested(20), field("list", b"A", long(b"A" + long(b"b\x01V")))],
    "not UTF-8": [field("text", b"S", long(b"\xff\xfe\x00")), field("bytes", b"x", long(b"\x00\xff"))],
    "wrong types": [field("x-attempt", b"S", long(b"many")), field("x-delay", b"F", long(b"")),
                    field("traceparent", b"d", b"\x3f\xf8" + bytes(6))],
    "60 headers": [field(f"x-a{n}", b"b", bytes([n])) for n in range(60)],
    "the services' own": [field("x-reason", b"S", long(b"poison")),
                          field("x-original", b"S", long(b"forged")),
                          field("x-claimed-id", b"S", long(b"forged"))],
    "100 KiB": [field(f"h{n}", b"S", long(b"x" * 1000)) for n in range(100)],
}


def send(channel, wire, body, lane="medium"):
    channel.basic_publish("jobs.acme", lane, body, WireProperties(wire))


def letters_of(tenant, claimed):
    """All letters of messages that claimed that id."""
    return [letter for letter in tenant.api.letters(reason="malformed", limit=500)
            if letter["claimed_id"] == claimed]


def letter_of(tenant, claimed):
    return until(lambda: letters_of(tenant, claimed), 30, f"the letter of {claimed}")[0]


def stored(warren, letter):
    with contextlib.closing(sqlite3.connect(warren.folder / "archive.db", timeout=30)) as db:
        return db.execute("SELECT c.properties, c.body FROM letters l JOIN contents c"
                          " ON c.seq = l.seq WHERE l.id = ?", (letter,)).fetchone()


def values(wire):
    return pika.BasicProperties().decode(wire)


@pytest.mark.parametrize("case", ODD)
def test_what_came_is_kept(warren, tenant, outside, case):
    id, body = str(uuid.uuid4()), b'{ "n": 1.10 }'
    fields = [*ODD[case], field("x-run-at", b"S", long(b"tomorrow"))]
    send(outside, property_list(id, *fields), body)
    kept = property_list(id, *as_kept(warren, fields))
    letter = letter_of(tenant, id)
    assert letter["error"] == \
        'the header x-run-at is not an integer of at most 64 bits: "tomorrow"'
    assert stored(warren, letter["id"]) == (kept, body)
    shown = tenant.api.letter(letter["id"])
    assert shown["properties"] == {"content_type": "application/json", "delivery_mode": 2,
                                   "message_id": id, "type": "echo"}
    assert list(shown["headers"]) == list(values(kept).headers)
    assert shown["headers"]["x-run-at"] == "tomorrow"
    assert shown["payload"] == {"n": 1.1}


def test_odd_headers_are_shown(tenant, outside):
    id = str(uuid.uuid4())
    send(outside, property_list(id, *ODD["not UTF-8"], field("x-delay", b"F", long(
        field("days", b"b", b"\x01")))), b"[]")
    letter = letter_of(tenant, id)
    assert letter["error"].endswith(': {"days": 1}')
    headers = tenant.api.letter(letter["id"])["headers"]
    assert headers == {"text": {"base64": base64.b64encode(b"\xff\xfe\x00").decode()},
                       "bytes": {"base64": base64.b64encode(b"\x00\xff").decode()},
                       "x-delay": {"days": 1}}


def test_what_is_too_long_is_cut_and_said(warren, tenant, outside):
    """One frame has no room for both the longest property list and the properties of a burial."""
    id = str(uuid.uuid4())
    fields = [field(f"h{n}", b"S", long(b"x" * 1000)) for n in range(120)]
    fields.append(field("x-run-at", b"S", long(b"tomorrow")))
    wire = property_list(id, *as_kept(warren, fields))
    send(outside, property_list(id, *fields), b"[]")
    letter = letter_of(tenant, id)
    kept, _ = stored(warren, letter["id"])
    assert f"of its {len(wire)} bytes of properties the first {len(kept)} are kept" in \
        letter["error"]
    assert wire.startswith(kept) and len(kept) > 100 * 1024
    shown = tenant.api.letter(letter["id"])
    assert shown["headers"] is None and shown["fault"]
    path = f"/dlq/{letter['id']}/requeue"
    assert tenant.api.request("POST", path, json={}).status_code == 422
    assert tenant.api.request("POST", path, json={"type": "echo", "run_at": None}).status_code == 202


def test_the_same_message_is_one_letter(warren, tenant, outside):
    """However often the message is delivered or published: its content identifies the letter."""
    id = str(uuid.uuid4())
    wire = property_list(id, field("x-run-at", b"V", b""))
    repeated = warren.dlx_monitor.metrics()["warren_dead_letters_repeated_total"]
    for body in (b"1", b"1", b"2"):
        send(outside, wire, body)
        until(lambda: warren.depth("jobs.acme.medium") == 0, 30, "taken")
    until(lambda: len(letters_of(tenant, id)) == 2, 30, "two letters")
    warren.consumer.restart()  # the consumer forgets these messages
    send(outside, wire, b"1")
    until(lambda: warren.dlx_monitor.metrics()["warren_dead_letters_repeated_total"] > repeated, 30,
          "buried once more")
    letters = letters_of(tenant, id)
    assert len(letters) == 2
    assert len({letter["job_id"] for letter in letters}) == 2


def test_a_replay_is_of_what_came(warren, tenant, outside):
    """A replay uses the message's readable headers. An edit can remove the header that made it malformed."""
    id = str(uuid.uuid4())
    send(outside, property_list(id, field("x-max-retries", b"b", b"\x09"), field(
        "x-run-at", b"S", long(b"tomorrow"))), json.dumps("replayed").encode())
    letter = letter_of(tenant, id)
    path = f"/dlq/{letter['id']}/requeue"
    refused = tenant.api.request("POST", path, json={})
    assert refused.status_code == 422 and "give run_at" in refused.json()["detail"]
    assert tenant.api.request("POST", path, json={"run_at": None}).status_code == 202
    job = tenant.api.wait(letter["job_id"], "completed", 30)
    assert (job["result"], job["run"], job["max_retries"]) == ("replayed", 2, 9)


def test_its_properties_of_other_kinds(tenant, outside):
    """Properties that are not in the contract are shown too."""
    sent = job_properties("echo", correlation_id="c", reply_to="r", priority=3, app_id="billing",
                          content_type="text/plain", headers={"mine": "kept"})
    outside.basic_publish("jobs.acme", "low", b"[]", sent)
    shown = tenant.api.letter(letter_of(tenant, sent.message_id)["id"])
    assert shown["error"] == 'content_type is not application/json: "text/plain"'
    assert shown["headers"] == {"mine": "kept"}
    assert {name: shown["properties"][name] for name in
            ("correlation_id", "reply_to", "priority", "app_id", "content_type")} == \
        {"correlation_id": "c", "reply_to": "r", "priority": 3, "app_id": "billing",
         "content_type": "text/plain"}
