# SPDX-License-Identifier: Apache-2.0
"""The dlx-monitor on a real broker: it archives each letter once and byte for byte, shows it and replays
it."""
import contextlib
import datetime
import decimal
import json
import sqlite3
import struct
import subprocess
import time
import uuid

import pika
import pytest
import requests

from harness.broker import BIN
from harness.until import until
from harness.wire import WireProperties, field, reads_deep_headers
from monitor_rig import TOKEN, Monitor, burial, one_letter


@pytest.fixture(scope="module")
def monitor(broker, tmp_path_factory):
    made = Monitor(broker, tmp_path_factory.mktemp("dlx-monitor"))
    made.add_tenant("acme")
    made.program.start()
    yield made
    assert not made.program.end()


# Every type that pika can write, nested too.
ODD_HEADERS = {
    "boolean": True,
    "no": False,
    "small": 7,
    "negative": -7,
    "large": 2 ** 40,
    "text": "grüße \U0001f407",
    "empty": "",
    "bytes": b"\x00\xff\xfe",
    "decimal": decimal.Decimal("1.25"),
    "time": datetime.datetime(2024, 11, 22, 4, 33, 20),
    "void": None,
    "array": [1, "two", [3, {"four": 4}], None, True],
    "table": {"inner": {"deeper": [{"deepest": "x" * 300}]}, "n": -1},
    "x-death": [{"count": 9, "reason": "forged", "queue": "q"}],
}


# RabbitMQ 3.10 closes the connection of a client that sends a decimal to a stream, so `dead` never holds
# one.
EXCHANGES = pytest.mark.parametrize("exchange", ["dead", "unroutable"])


@EXCHANGES
def test_every_property_and_header_is_kept(monitor, exchange):
    headers = {**ODD_HEADERS, "x-reason": "exhausted", "x-burial": str(uuid.uuid4())}
    if exchange == "dead":
        del headers["decimal"]
    sent = pika.BasicProperties(
        content_type="application/json", content_encoding="identity", headers=headers,
        delivery_mode=2, priority=3, correlation_id="c", reply_to="r", expiration="60000",
        message_id=str(uuid.uuid4()), timestamp=1732250000, type="echo", user_id="warren-admin",
        app_id="billing", cluster_id="old")
    body = b'{ "a": 1.10, "b": 1e400 }'
    monitor.publish(exchange, "acme.high", body, sent)
    id = one_letter(monitor, job=sent.message_id)["id"]

    properties, stored_body = monitor.stored(id)
    assert stored_body == body
    kept = pika.BasicProperties().decode(properties)
    # Compare with pika's decoding of its own bytes: types are compared, not only values.
    own = pika.BasicProperties().decode(b"".join(sent.encode()))
    assert kept == own
    assert {name: type(value) for name, value in kept.headers.items()} == \
        {name: type(value) for name, value in own.headers.items()}

    shown = monitor.letter(id)
    assert shown["properties"]["correlation_id"] == "c"
    assert shown["properties"]["priority"] == 3
    assert shown["properties"]["expiration"] == "60000"
    assert shown["properties"]["cluster_id"] == "old"
    assert shown["headers"]["bytes"] == {"base64": "AP/+"}
    assert shown["headers"].get("decimal") in (None, {"decimal": "1.25"})
    assert ("decimal" in shown["headers"]) == (exchange == "unroutable")
    assert shown["headers"]["time"] == {"timestamp": 1732250000}
    assert shown["headers"]["void"] is None
    assert shown["headers"]["large"] == 2 ** 40
    assert shown["headers"]["array"] == [1, "two", [3, {"four": 4}], None, True]
    assert shown["headers"]["table"]["inner"]["deeper"] == [{"deepest": "x" * 300}]
    assert b'"payload":{ "a": 1.10, "b": 1e400 }' in monitor.request("GET", f"/dlq/{id}").content


@EXCHANGES
def test_every_type_of_the_protocol_is_kept(monitor, exchange):
    id = str(uuid.uuid4())
    number = field("D", b"D", struct.pack(">BI", 3, 1250))
    fields = [
        field("t", b"t", b"\x01"), field("b", b"b", b"\xff"), field("B", b"B", b"\xff"),
        field("s", b"s", struct.pack(">h", -2)), field("u", b"u", struct.pack(">H", 65535)),
        field("I", b"I", struct.pack(">i", -3)), field("i", b"i", struct.pack(">I", 2 ** 32 - 1)),
        field("l", b"l", struct.pack(">q", -4)), field("f", b"f", struct.pack(">f", 0.5)),
        field("d", b"d", struct.pack(">d", 0.1)), number if exchange == "unroutable" else b"",
        field("S", b"S", struct.pack(">I", 2) + b"hi"),
        field("x", b"x", struct.pack(">I", 2) + b"\x00\xff"),
        field("T", b"T", struct.pack(">Q", 1732250000)), field("V", b"V", b""),
        field("A", b"A", struct.pack(">I", 10) + b"d" + struct.pack(">d", 1.5) + b"V"),
        field("F", b"F", struct.pack(">I", 4) + field("n", b"b", b"\x05")),
    ]
    # RabbitMQ 4 sorts headers by name; older versions keep their order.
    fields = b"".join(fields if monitor.broker.version < (4,) else sorted(fields))
    # content_type, headers, delivery_mode, message_id, type
    wire = struct.pack(">H", 0xb0a0)
    wire += b"\x10application/json" + struct.pack(">I", len(fields)) + fields + b"\x02"
    wire += bytes([len(id)]) + id.encode() + b"\x04echo"
    monitor.publish(exchange, "acme.high", b"{}", WireProperties(wire))
    letter_id = one_letter(monitor, job=id)["id"]
    assert monitor.stored(letter_id) == (wire, b"{}")
    decimal_shown = {"D": {"decimal": "1.250"}} if exchange == "unroutable" else {}
    assert monitor.letter(letter_id)["headers"] == {
        "t": True, "b": -1, "B": 255, "s": -2, "u": 65535, "I": -3, "i": 2 ** 32 - 1, "l": -4,
        "f": 0.5, "d": 0.1, **decimal_shown, "S": "hi", "x": {"base64": "AP8="},
        "T": {"timestamp": 1732250000}, "V": None, "A": [1.5, None], "F": {"n": 5}}


def test_headers_nested_without_end_are_kept(monitor):
    """Headers nested too deep to be shown. Where rabbitmq-c can read the message, it is archived as it is,
    and the answer says why it is not shown. Otherwise it is rejected: it would block all others."""
    nest = b""
    for _ in range(5000):
        nest = b"A" + struct.pack(">I", len(nest)) + nest
    nest = field("deep", b"A", struct.pack(">I", len(nest)) + nest)
    id = str(uuid.uuid4())
    wire = struct.pack(">H", 0xb0a0) + b"\x10application/json" + struct.pack(">I", len(nest))
    wire += nest + b"\x02" + bytes([len(id)]) + id.encode() + b"\x04echo"
    monitor.publish("unroutable", "acme.high", b"{}", WireProperties(wire))
    if reads_deep_headers():
        letter_id = one_letter(monitor, job=id)["id"]
        assert monitor.stored(letter_id) == (wire, b"{}")
        shown = monitor.letter(letter_id)
        assert shown["headers"] is None and shown["fault"]
    properties = burial()
    monitor.publish("unroutable", "acme.high", b"{}", properties)
    assert one_letter(monitor, job=properties.message_id), "it stops nobody else"


def test_a_body_that_is_no_json_is_shown_in_base64(monitor):
    properties = burial(**{"x-reason": "malformed", "x-claimed-id": "not a uuid"})
    monitor.publish("dead", "acme.low", b"\x00\xff{", properties)
    listed = one_letter(monitor, job=properties.message_id)
    assert listed["claimed_id"] == "not a uuid"
    assert listed["reason"] == "malformed"
    letter = monitor.letter(listed["id"])
    assert letter["payload"] is None
    assert letter["payload_base64"] == "AP97"


def test_the_same_burial_is_archived_once(monitor):
    properties = burial()
    before = monitor.program.metrics()["warren_dead_letters_repeated_total"]
    for _ in range(3):
        monitor.publish("dead", "acme.high", b"{}", properties)
    until(lambda: monitor.program.metrics()["warren_dead_letters_repeated_total"] == before + 2,
          30, "two repetitions counted")
    assert len(monitor.letters(job=properties.message_id)) == 1


def test_a_burial_by_the_broker_is_told_by_its_job(monitor):
    """In a message from outside only the first seven headers count: a forged burial is treated as the
    broker's."""
    properties = pika.BasicProperties(
        message_id=str(uuid.uuid4()), type="echo", content_type="application/json",
        delivery_mode=2, headers={"x-reason": "poison", "x-run": 9, "x-burial": "forged"})
    before = monitor.program.metrics()["warren_dead_letters_repeated_total"]
    for _ in range(2):
        monitor.publish("dead", "acme.high", b"{}", properties)
    until(lambda: monitor.program.metrics()["warren_dead_letters_repeated_total"] == before + 1,
          30, "the repetition counted")
    letter, = monitor.letters(job=properties.message_id)
    assert letter["reason"] == "delivery_limit"
    assert (letter["run"], letter["attempt"]) == (1, 1)


def stream_lines(monitor, wanted, timeout=30):
    """The first event of stream `events` for which wanted(event) is true."""
    with monitor.broker.pika(monitor.vhost) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=100)
        for method, properties, body in channel.consume(
                "events", arguments={"x-stream-offset": "first"}, inactivity_timeout=timeout):
            assert method is not None, "no such event"
            channel.basic_ack(method.delivery_tag)
            if properties.content_type != "application/x-ndjson":
                continue
            for line in body.splitlines():
                if wanted(json.loads(line)):
                    return json.loads(line)
    raise AssertionError("the stream ended")


def test_what_is_unroutable_is_archived_and_told(monitor):
    id = str(uuid.uuid4())
    monitor.publish("jobs.acme", "no-lane", b"[1]", pika.BasicProperties(
        message_id=id, type="echo", content_type="application/json", delivery_mode=2))
    letter = one_letter(monitor, job=id)
    assert (letter["source"], letter["reason"], letter["tenant"]) == \
        ("unroutable", "unroutable", "acme")
    assert "routing key" in letter["error"]
    event = stream_lines(monitor, lambda e: e["id"] == id)
    assert (event["event"], event["reason"], event["burial"]) == \
        ("buried", "unroutable", letter["id"])


def test_an_unroutable_stranger_touches_nobodys_job(monitor):
    """A message that breaks the contract in more than its key is archived under a fresh id."""
    claimed = str(uuid.uuid4())
    monitor.publish("jobs.acme", "no-lane", b"not json", pika.BasicProperties(
        message_id=claimed, type="echo", content_type="application/json", delivery_mode=2))
    letter = one_letter(monitor, q="not json")
    assert letter["job_id"] != claimed
    assert letter["claimed_id"] == claimed
    assert stream_lines(monitor, lambda e: e["id"] == letter["job_id"])["event"] == "buried"


def test_calls_are_checked(monitor):
    url = f"http://127.0.0.1:{monitor.program.port}/internal/v1/dlq"
    assert requests.get(url, params={"tenant": "*"}, timeout=10).status_code == 401
    assert requests.get(url, params={"tenant": "*"}, timeout=10,
                        headers={"Authorization": "Bearer wrong"}).status_code == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.get(url, headers=headers, timeout=10).status_code == 400
    for query in ({"limit": 0}, {"limit": 501}, {"limit": "x"}, {"cursor": "x"}, {"job": "x"},
                  {"state": "x"}, {"reason": "x"}, {"unknown": 1}):
        assert monitor.request("GET", "/dlq", params=query).status_code == 400, query
    assert monitor.request("GET", "/dlq/x").status_code == 404
    assert monitor.request("GET", f"/dlq/{uuid.uuid4()}").status_code == 404
    assert monitor.request("POST", f"/dlq/{uuid.uuid4()}/requeue").status_code == 404


def test_an_empty_mask_masks_nothing(monitor):
    text = f"not json {uuid.uuid4()}"
    monitor.publish("dead", "acme.high", text.encode(), pika.BasicProperties(
        message_id=str(uuid.uuid4()), type="echo", content_type="application/json", delivery_mode=2))
    letter = one_letter(monitor, q=text)
    for mask, shown in ({}, True), ({"mask": ""}, True), ({"mask": "token"}, False):
        one = monitor.request("GET", f"/dlq/{letter['id']}", params=mask).json()
        (listed,) = monitor.letters(job=letter["job_id"], **mask)
        assert (one["error"] is not None) == (listed["error"] is not None) == shown, mask


def test_a_tenant_sees_only_its_own(monitor):
    properties = burial()
    monitor.publish("dead", "acme.high", b"{}", properties)
    letter = one_letter(monitor, job=properties.message_id)
    assert monitor.letters("acme", job=properties.message_id)
    assert monitor.letters("beta", job=properties.message_id) == []
    assert monitor.request("GET", f"/dlq/{letter['id']}", "beta").status_code == 404
    assert monitor.request("POST", f"/dlq/{letter['id']}/requeue", "beta").status_code == 404
    for nobody in ("", "Beta", "**"):
        assert monitor.request("GET", f"/dlq/{letter['id']}", nobody).status_code == 400
        assert monitor.request("POST", f"/dlq/{letter['id']}/requeue", nobody).status_code == 400


def test_groups_count_what_is_alike(monitor):
    for number in range(3):
        monitor.publish("dead", "acme.high", b"{}",
                        burial(**{"x-error": f"no such order {number}"}))
    until(lambda: len(monitor.letters(q="no such order")) == 3, 30, "three letters")
    group = monitor.letters(q="no such order")[0]["group"]
    answer = monitor.request("GET", "/dlq/groups").json()["groups"]
    assert [row["count"] for row in answer if row["group"] == group] == [3]
    assert monitor.program.metrics().sum("warren_dead_letters", group=group) == 3


def test_replay_sends_a_new_run(monitor):
    properties = burial(**{"x-run": 2, "x-max-retries": 7, "x-timeout-ms": 20000,
                           "x-submitted-at": 1732240000000, "x-key": "k", "x-copy": 3,
                           "x-odd": "private", "x-hop": 1, "x-again": 1})
    monitor.publish("dead", "acme.high", b'{ "n": 1.10 }', properties)
    id = one_letter(monitor, job=properties.message_id)["id"]
    answer = monitor.request("POST", f"/dlq/{id}/requeue", "acme")
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"id": id, "job_id": properties.message_id, "tenant": "acme",
                             "run": 3, "state": "replayed"}

    _, got, body = monitor.take("jobs.acme.high")
    assert body == b'{ "n": 1.10 }'
    assert (got.message_id, got.type, got.user_id, got.delivery_mode) == \
        (properties.message_id, "echo", "warren-dlx-monitor", 2)
    assert got.headers.pop("x-queued-at") > 1732250000000
    got.headers.pop("x-delivery-count", None)  # added by the broker
    granted = monitor.primary.granted["acme", properties.message_id]
    assert got.headers.pop("x-copy") in [grant["copy"] for grant in granted.values()]
    assert got.headers == {"x-run": 3, "x-max-retries": 7, "x-timeout-ms": 20000,
                           "x-submitted-at": 1732240000000, "x-key": "k"}

    assert monitor.letter(id)["state"] == "replayed"
    assert monitor.letter(id)["replay"]["run"] == 3
    assert monitor.letters(job=properties.message_id, state="dead") == []
    assert monitor.request("POST", f"/dlq/{id}/requeue", "acme").status_code == 409


def test_replay_with_edits(monitor):
    properties = burial(**{"x-reason": "malformed"})
    monitor.publish("dead", "acme.high", b"{broken", properties)
    id = one_letter(monitor, job=properties.message_id)["id"]

    def requeue(text, **options):
        return monitor.request("POST", f"/dlq/{id}/requeue", data=text,
                               headers={"Content-Type": "application/json"}, **options)

    refused = monitor.request("POST", f"/dlq/{id}/requeue")
    assert refused.status_code == 422 and "payload" in refused.json()["detail"]
    assert requeue("{").status_code == 400
    assert requeue('{"payload": 1, "payload": 2}').status_code == 400
    answer = requeue('{"payload": 1,\n "typ": "x"}')
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/typ"
    assert answer.json()["errors"][0]["line"] == 2
    assert requeue('{"payload": "' + "x" * 300000 + '"}').status_code == 422
    assert monitor.letter(id)["state"] == "dead"

    assert requeue('{"payload": {"n": 1.10}, "type": "other", "priority": "low"}').status_code == 202
    _, got, body = monitor.take("jobs.acme.low")
    assert body == b'{"n": 1.10}'
    assert got.type == "other"
    assert got.content_type == "application/json"


def test_replay_waits_for_its_time(monitor):
    """A replayed job still waits for its time, unless the edit clears it."""
    later = int(time.time() * 1000) + 3_000_000
    for edit, want in ({}, later), ({"run_at": None}, None):
        properties = burial(**{"x-run-at": later})
        monitor.publish("dead", "acme.high", b"[9]", properties)
        id = one_letter(monitor, job=properties.message_id)["id"]
        answer = monitor.request("POST", f"/dlq/{id}/requeue", json=edit)
        assert answer.status_code == 202, answer.text
        assert (answer.json()["state"], "run_at" in answer.json()) == ("replayed", want is not None)
        queue = "jobs.acme.high" if want is None else "delay.30m"
        _, got, _ = monitor.take(queue)
        assert got.message_id == properties.message_id
        assert got.headers.get("x-run-at") == want
        assert "x-hop" not in got.headers


def test_replay_of_a_time_from_outside(monitor):
    """x-delay counts from the submission. A letter with an invalid time is replayed only if the request
    gives a time."""
    submitted = int(time.time()) - 60
    for headers, want in ({"x-delay": 3_600_000}, submitted * 1000 + 3_600_000), \
            ({"x-run-at": "tomorrow"}, None):
        id = str(uuid.uuid4())
        monitor.publish("jobs.acme", "no-lane", json.dumps(id).encode(), pika.BasicProperties(
            message_id=id, type="echo", content_type="application/json", delivery_mode=2,
            timestamp=submitted, headers=headers))
        letter = one_letter(monitor, q=id)["id"]
        answer = monitor.request("POST", f"/dlq/{letter}/requeue")
        if want is None:
            assert answer.status_code == 422 and "x-run-at" in answer.json()["detail"]
            assert monitor.letter(letter)["state"] == "dead"
            continue
        assert answer.status_code == 202, answer.text
        _, got, body = monitor.take("delay.30m")
        assert json.loads(body) == id
        assert want <= got.headers["x-run-at"] < want + 1000


def test_replay_of_a_tenant_that_is_gone(monitor):
    properties = burial()
    monitor.publish("dead", "ghost.high", b"{}", properties)
    id = one_letter(monitor, job=properties.message_id)["id"]
    answer = monitor.request("POST", f"/dlq/{id}/requeue")
    assert answer.status_code == 409 and "ghost" in answer.json()["detail"]
    assert monitor.letter(id)["state"] == "dead"


def test_backup_while_in_use(monitor, tmp_path):
    properties = burial()
    monitor.publish("dead", "acme.high", b"{}", properties)
    one_letter(monitor, job=properties.message_id)
    copy = tmp_path / "copy.db"
    done = subprocess.run([BIN / "warren-dlx-monitor", "--config",
                           monitor.folder / "dlx-monitor.conf", "--backup", copy],
                          check=False, timeout=60)
    assert done.returncode == 0
    with contextlib.closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT count(*) FROM letters WHERE job_id = ?",
                          (properties.message_id,)).fetchone()[0] == 1


def dead_letter_of(api, job, **filters):
    return until(lambda: api.letters(job=job["id"], **filters), 30, f"a letter of {job['id']}")[0]


def test_a_dead_job_is_replayed_through_the_gateway(warren):
    """A job dies, is archived, shown, corrected, replayed, and ends as run 2."""
    api = warren.api
    job = api.run("fail", {"permanent": True})
    assert (job["status"], job["reason"], job["run"]) == ("dead", "permanent", 1)
    letter = dead_letter_of(api, job)
    assert (letter["type"], letter["reason"], letter["state"]) == ("fail", "permanent", "dead")
    shown = api.letter(letter["id"])
    assert shown["payload"] == {"permanent": True}
    assert shown["headers"]["x-reason"] == "permanent"

    answer = api.requeue(letter["id"], payload={"n": 1}, type="echo")
    assert (answer["job_id"], answer["run"]) == (job["id"], 2)
    job = until(lambda: (found := api.get(job["id"]))["run"] == 2 and found["status"] == "completed"
                and found, 30, "run 2 completed")
    assert job["result"] == {"n": 1}
    assert api.request("POST", f"/dlq/{letter['id']}/requeue", json={}).status_code == 409
    assert warren.tenant("other").api.request("GET", f"/dlq/{letter['id']}").status_code == 404


def test_a_malformed_message_is_mended_through_the_gateway(warren):
    tenant = warren.tenant("outside", amqp_login=True)
    claimed = str(uuid.uuid4())
    with tenant.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("jobs.outside", "high", b"{broken", pika.BasicProperties(
            message_id=claimed, type="echo", content_type="application/json", delivery_mode=2))
    letter = until(lambda: tenant.api.letters(reason="malformed"), 30, "a malformed letter")[0]
    assert letter["claimed_id"] == claimed
    assert letter["job_id"] != claimed
    job = until(lambda: (answer := tenant.api.request("GET", f"/jobs/{letter['job_id']}"))
                .status_code == 200 and answer.json(), 30, "the malformed job is shown")
    assert (job["status"], job["reason"], job["payload"]) == ("dead", "malformed", None)
    assert tenant.api.request("GET", f"/jobs/{claimed}").status_code == 404
    tenant.api.requeue(letter["id"], payload=[1])
    job = until(lambda: (found := tenant.api.get(letter["job_id"]))["status"] == "completed"
                and found, 30, "mended and completed")
    assert job["result"] == [1]


def test_an_unroutable_message_is_seen_as_a_dead_job(warren):
    tenant = warren.tenant("outside", amqp_login=True)
    id = str(uuid.uuid4())
    with tenant.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("jobs.outside", "urgent", b"[2]", pika.BasicProperties(
            message_id=id, type="echo", content_type="application/json", delivery_mode=2))
    job = until(lambda: (answer := tenant.api.request("GET", f"/jobs/{id}")).status_code == 200
                and answer.json(), 30, "the unroutable job is shown")
    assert (job["status"], job["reason"]) == ("dead", "unroutable")
    tenant.api.requeue(dead_letter_of(tenant.api, job)["id"])
    job = until(lambda: (found := tenant.api.get(id))["status"] == "completed" and found, 30,
                "replayed and completed")
    assert (job["result"], job["run"]) == ([2], 2)
