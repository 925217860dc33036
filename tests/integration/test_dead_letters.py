# SPDX-License-Identifier: Apache-2.0
"""The dlx-monitor on a real broker: archived byte for byte and once, shown, replayed."""
import contextlib
import datetime
import decimal
import json
import os
import pathlib
import signal
import sqlite3
import struct
import subprocess
import threading
import uuid

import pika
import pytest
import requests

from harness.broker import BIN
from harness.processes import Program
from harness.until import until
from harness.warren import free_port

TOKEN = "internal-token-of-the-test"


class Monitor:
    """A dlx-monitor alone on a vhost; tenants are what the test says on `control`."""

    def __init__(self, broker, folder):
        self.broker = broker
        self.vhost = broker.vhost()
        self.folder = pathlib.Path(folder)
        token = self.folder / "internal.token"
        token.touch(mode=0o600)
        token.write_text(TOKEN + "\n", encoding="utf-8")
        self.archive = self.folder / "archive.db"
        self.program = Program("dlx-monitor", folder, BIN / "warren-dlx-monitor", {
            "amqp_urls": broker.url(self.vhost),
            "amqp_password_file": broker.secrets / "warren-dlx-monitor.password",
            "internal_token_file": token,
            "archive": self.archive,
            "port": free_port(),
            "health_port": free_port(),
        })

    def add_tenant(self, name):
        self.broker.topology(self.vhost, "tenant", name)
        record = {"record": "tenant", "key": name, "v": 1, "rate": None, "burst": 1,
                  "max_running": None, "slots_version": 0, "max_pending": None, "weight": 1,
                  "paused": False, "deleted": False}
        with self.broker.pika(self.vhost, "warren-provision") as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("control", "", json.dumps(record).encode(),
                                  pika.BasicProperties(user_id="warren-provision", delivery_mode=2))

    def request(self, method, path, tenant="*", **options):
        headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}
        return requests.request(method, f"http://127.0.0.1:{self.program.port}/internal/v1{path}",
                                params={"tenant": tenant, **options.pop("params", {})},
                                headers=headers, timeout=60, **options)

    def letters(self, tenant="*", **filters):
        answer = self.request("GET", "/dlq", tenant, params=filters)
        assert answer.status_code == 200, answer.text
        return answer.json()["letters"]

    def letter(self, id):
        answer = self.request("GET", f"/dlq/{id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stored(self, id):
        """(properties, body), as they lie in the archive."""
        with contextlib.closing(sqlite3.connect(self.archive)) as db:
            return db.execute("SELECT c.properties, c.body FROM letters l JOIN contents c"
                              " ON c.seq = l.seq WHERE l.id = ?", (id,)).fetchone()

    def publish(self, exchange, key, body, properties, login="warren-admin"):
        with self.broker.pika(self.vhost, login) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(exchange, key, body, properties)

    def take(self, queue):
        """The next message of a queue: (method, properties, body)."""
        with self.broker.pika(self.vhost) as connection:
            channel = connection.channel()

            def got():
                found = channel.basic_get(queue, auto_ack=True)
                return found if found[0] is not None else None

            return until(got, 30, f"a message in {queue}")


@pytest.fixture(scope="module")
def monitor(broker, tmp_path_factory):
    made = Monitor(broker, tmp_path_factory.mktemp("dlx-monitor"))
    made.add_tenant("acme")
    made.program.start()
    yield made
    assert not made.program.end()


@pytest.fixture()
def own_monitor(broker, tmp_path_factory):
    made = Monitor(broker, tmp_path_factory.mktemp("dlx-monitor"))
    made.add_tenant("acme")
    yield made
    assert not made.program.end()


def burial(id=None, **headers):
    """Properties as the consumer buries; admin's own user_id counts as a service's."""
    merged = {"x-run": 1, "x-attempt": 4, "x-reason": "exhausted", "x-error": "boom",
              "x-error-kind": "error", "x-burial": str(uuid.uuid4()), **headers}
    return pika.BasicProperties(
        message_id=id or str(uuid.uuid4()), type="echo", content_type="application/json",
        delivery_mode=2, user_id="warren-admin", timestamp=1732250000,
        headers={name: value for name, value in merged.items() if value is not None})


def one_letter(monitor, **filters):
    return until(lambda: monitor.letters(**filters), 30, f"a letter with {filters}")[0]


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


# RabbitMQ 3.10 ends the channel of whoever sends a decimal to a stream, so `dead` never holds one.
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
    assert kept == sent
    # And what pika made of its own bytes: types are told apart, not only values.
    assert {name: type(value) for name, value in kept.headers.items()} == \
        {name: type(value) for name, value in
         pika.BasicProperties().decode(b"".join(sent.encode())).headers.items()}

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


class WireProperties(pika.BasicProperties):
    """A property list of the test's own making: pika writes only some of the protocol's types."""

    def __init__(self, wire):
        super().__init__()
        self.wire = wire

    def encode(self):
        return [self.wire]


def field(name, kind, data):
    return bytes([len(name)]) + name.encode() + kind + data


@EXCHANGES
def test_every_type_of_the_protocol_is_kept(monitor, exchange):
    id = str(uuid.uuid4())
    number = field("D", b"D", struct.pack(">BI", 3, 1250))
    fields = b"".join([
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
    ])
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
    """More than anybody reads: kept as it is, and the answer says why it is not shown."""
    nest = b""
    for _ in range(5000):
        nest = b"A" + struct.pack(">I", len(nest)) + nest
    nest = field("deep", b"A", struct.pack(">I", len(nest)) + nest)
    id = str(uuid.uuid4())
    wire = struct.pack(">H", 0xb0a0) + b"\x10application/json" + struct.pack(">I", len(nest))
    wire += nest + b"\x02" + bytes([len(id)]) + id.encode() + b"\x04echo"
    monitor.publish("unroutable", "acme.high", b"{}", WireProperties(wire))
    letter_id = one_letter(monitor, job=id)["id"]
    assert monitor.stored(letter_id) == (wire, b"{}")
    shown = monitor.letter(letter_id)
    assert shown["headers"] is None and shown["fault"]


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
    """From outside no header but the first seven counts: a forged burial is the broker's."""
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
    """What breaks the contract in more than its key is kept under a fresh id."""
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
    got.headers.pop("x-delivery-count", None)  # the broker's own
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


def test_replay_of_a_tenant_that_is_gone(monitor):
    properties = burial()
    monitor.publish("dead", "ghost.high", b"{}", properties)
    id = one_letter(monitor, job=properties.message_id)["id"]
    answer = monitor.request("POST", f"/dlq/{id}/requeue")
    assert answer.status_code == 409 and "ghost" in answer.json()["detail"]
    assert monitor.letter(id)["state"] == "dead"


def test_a_replay_left_by_a_crash_is_finished(own_monitor):
    monitor = own_monitor
    monitor.program.start()
    properties = burial()
    monitor.publish("dead", "acme.high", b"{}", properties)
    id = one_letter(monitor, job=properties.message_id)["id"]
    monitor.program.kill()
    # What a crash between the first commit and the confirm leaves behind.
    with contextlib.closing(sqlite3.connect(monitor.archive)) as db:
        db.execute("UPDATE letters SET replaying = 1, replay_run = 5 WHERE id = ?", (id,))
        db.commit()
    monitor.program.start()
    _, got, _ = monitor.take("jobs.acme.high")
    assert (got.headers["x-run"], got.headers["x-again"]) == (5, 1)
    until(lambda: monitor.letter(id)["state"] == "replayed", 30, "replayed")


def test_replays_of_a_deleted_tenant_keep_none_back(own_monitor):
    monitor = own_monitor
    monitor.program.start()
    bodies = 120
    with monitor.broker.pika(monitor.vhost) as connection:
        channel = connection.channel()
        for _ in range(bodies):
            channel.basic_publish("dead", "ghost.high", b"{}", burial())
    until(lambda: len(monitor.letters(tenant="ghost", limit=500)) == bodies, 60, "archived")
    properties = burial()
    monitor.publish("dead", "acme.high", b"{}", properties)
    id = one_letter(monitor, job=properties.message_id)["id"]
    monitor.program.kill()
    with contextlib.closing(sqlite3.connect(monitor.archive)) as db:
        db.execute("UPDATE letters SET replaying = 1, replay_run = 2")
        db.commit()
    monitor.program.start()
    until(lambda: monitor.letter(id)["state"] == "replayed", 30, "replayed")
    assert all(letter["state"] == "dead" for letter in monitor.letters(tenant="ghost", limit=500))


def test_kill_in_the_middle_of_the_intake(own_monitor):
    """Every burial once, though many deliveries were taken and not acknowledged."""
    monitor = own_monitor
    total = 8000
    ids = [str(uuid.uuid4()) for _ in range(total)]

    def publish_all():
        with monitor.broker.pika(monitor.vhost) as connection:
            channel = connection.channel()
            for id in ids:
                channel.basic_publish("dead", "acme.high", b"{}", burial(id))

    def archived():
        if not monitor.archive.exists():
            return 0
        with contextlib.closing(sqlite3.connect(monitor.archive, timeout=30)) as db:
            return db.execute("SELECT count(*) FROM letters").fetchone()[0]

    monitor.program.start()
    publisher = threading.Thread(target=publish_all)
    publisher.start()
    kills = 0
    for share in (0.1, 0.3, 0.5):
        until(lambda part=share: archived() >= total * part, 60, f"{share} archived")
        before = archived()
        monitor.program.kill()
        assert before < total, "the kill came too late to prove anything"
        kills += 1
        monitor.program.start()
    publisher.join()
    assert kills == 3
    until(lambda: archived() >= total, 60, "all archived")
    until(lambda: monitor.broker.depth(monitor.vhost, "dead") == 0, 30, "queue empty")
    with contextlib.closing(sqlite3.connect(monitor.archive)) as db:
        found = sorted(row[0] for row in db.execute("SELECT job_id FROM letters"))
    assert found == sorted(ids)


def test_stop_in_the_middle_of_the_intake(own_monitor):
    """SIGTERM: what was taken is archived and acknowledged, the rest stays in its queue."""
    monitor = own_monitor
    monitor.program.start()
    ids = [str(uuid.uuid4()) for _ in range(3000)]
    # A lock holds the commit back until the signal is there.
    with contextlib.closing(sqlite3.connect(monitor.archive, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with monitor.broker.pika(monitor.vhost) as connection:
            channel = connection.channel()
            for id in ids:
                channel.basic_publish("dead", "acme.high", b"{}", burial(id))
        until(lambda: monitor.broker.depth(monitor.vhost, "dead") == len(ids) - 100, 60, "100 taken")
        monitor.program.signal(signal.SIGTERM)
        db.execute("ROLLBACK")
    monitor.program.ended_by_test = True
    assert monitor.program.process.wait(60) == 0
    archived = len(archived_jobs(monitor))
    assert archived + monitor.broker.depth(monitor.vhost, "dead") == len(ids)
    assert 100 <= archived < len(ids), "the stop came too late to prove anything"
    monitor.program.start()
    until(lambda: len(archived_jobs(monitor)) == len(ids), 60, "all archived")
    assert sorted(row[0] for row in archived_jobs(monitor)) == sorted(ids)


def test_kill_of_the_broker_in_the_middle_of_the_intake(private_broker, tmp_path):
    """What was confirmed is archived once, whatever was under way."""
    monitor = Monitor(private_broker, tmp_path)
    monitor.program.start()
    confirmed = set()

    def publish(count):
        with monitor.broker.pika(monitor.vhost) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for _ in range(count):
                id = str(uuid.uuid4())
                channel.basic_publish("dead", "acme.high", b"{}", burial(id))
                confirmed.add(id)

    publish(1)
    until(lambda: archived_jobs(monitor), 30, "the intake runs")
    # A lock holds the commit back, so that what was delivered is not acknowledged yet.
    with contextlib.closing(sqlite3.connect(monitor.archive, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        publish(500)
        until(lambda: monitor.broker.depth(monitor.vhost, "dead") == 400, 30, "100 delivered")
        private_broker.kill()
        assert len(archived_jobs(monitor)) == 1
        db.execute("ROLLBACK")
    private_broker.start()
    publish(10)
    until(lambda: confirmed <= {row[0] for row in archived_jobs(monitor)}, 90, "all archived")
    until(lambda: monitor.broker.depth(monitor.vhost, "dead") == 0, 30, "queue empty")
    assert sorted(row[0] for row in archived_jobs(monitor)) == sorted(confirmed)
    print("delivered again and kept once:",
          int(monitor.program.metrics()["warren_dead_letters_repeated_total"]))
    assert not monitor.program.end()


def archived_jobs(monitor):
    with contextlib.closing(sqlite3.connect(monitor.archive, timeout=30)) as db:
        return db.execute("SELECT job_id FROM letters").fetchall()


def test_a_replay_without_a_confirm_is_sent_again(private_broker, tmp_path):
    """The broker hangs: 202 says that it is still being replayed; then it is, with x-again."""
    monitor = Monitor(private_broker, tmp_path)
    monitor.program.settings["confirm_timeout"] = "500ms"
    monitor.add_tenant("acme")
    monitor.program.start()
    properties = burial()
    monitor.publish("dead", "acme.high", b"{}", properties)
    id = one_letter(monitor, job=properties.message_id)["id"]
    pid = int(private_broker.ctl("eval", "os:getpid().").strip().strip('"'))
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = monitor.request("POST", f"/dlq/{id}/requeue")
        assert (answer.status_code, answer.json()["state"]) == (202, "replaying"), answer.text
        assert monitor.letter(id)["replay"]["state"] == "replaying"
        assert monitor.request("POST", f"/dlq/{id}/requeue").status_code == 409
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: monitor.letter(id)["state"] == "replayed", 60, "replayed")

    def again():
        _, got, _ = monitor.take("jobs.acme.high")
        assert (got.message_id, got.headers["x-run"]) == (properties.message_id, 2)
        return got.headers.get("x-again") == 1

    until(again, 30, "a copy that says it may be one")
    assert not monitor.program.end()


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
    """The whole way round: it dies, is archived, shown, mended, and ends as run 2."""
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
