# SPDX-License-Identifier: Apache-2.0
"""The topology on a real broker: declared, checked when whole and when broken, and removed. The accounts
have separate rights."""
import json
import pathlib
import subprocess

import pika
import pytest

from harness.until import until

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def vhost(broker):
    return broker.vhost()


@pytest.fixture()
def own_vhost(broker):
    name = broker.vhost()
    yield name
    broker.management("DELETE", f"/api/vhosts/{name}")


def test_apply_twice_is_whole(broker, vhost):
    broker.topology(vhost, "apply")
    assert broker.topology(vhost, "check").stdout == ""


def test_committed_definitions_make_the_same(broker):
    """The definitions that a broker loads at boot equal what apply declares."""
    broker.management("PUT", "/api/vhosts/loaded")
    broker.management("PUT", "/api/permissions/loaded/warren-admin",
                      {"configure": ".*", "write": ".*", "read": ".*"})
    text = (ROOT / "rabbitmq/definitions.json").read_text(encoding="utf-8")
    definitions = json.loads(text.replace('"vhost": "warren"', '"vhost": "loaded"'))
    del definitions["vhosts"]
    broker.management("POST", "/api/definitions", definitions)
    assert broker.topology("loaded", "check").stdout == ""
    broker.management("DELETE", "/api/vhosts/loaded")


def test_other_arguments_are_a_conflict(broker, vhost):
    done = broker.topology(vhost, "apply", "5000", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("conflict: queue events:")


@pytest.mark.parametrize("kind, name, want", [
    ("exchanges", "due", "exchange due: it is missing"),
    ("exchanges", "delay.30s", "exchange delay.30s: it is missing"),
    ("exchanges", "work", "exchange work: it is missing; run: warren topology apply"),
    ("exchanges", "hold.30s", "exchange hold.30s: it is missing; run: warren topology apply"),
    ("queues", "delay.1d", "queue delay.1d: it is missing"),
    ("queues", "dead", "queue dead: it is missing"),
])
def test_check_finds_what_is_missing(broker, own_vhost, kind, name, want):
    broker.management("DELETE", f"/api/{kind}/{own_vhost}/{name}")
    found = broker.topology(own_vhost, "check").stdout
    assert want in found
    broker.topology(own_vhost, "apply")
    assert broker.topology(own_vhost, "check").stdout == ""


def test_check_finds_a_missing_binding(broker, own_vhost):
    with broker.pika(own_vhost) as connection:
        connection.channel().queue_unbind("events", "delay.5s", "")
    assert broker.topology(own_vhost, "check").stdout.startswith(
        'binding of queue events to exchange delay.5s with key "": it is missing')


def test_check_finds_a_job_queue_without_its_work(broker, own_vhost):
    broker.topology(own_vhost, "tenant", "acme")
    with broker.pika(own_vhost) as connection:
        connection.channel().queue_unbind("jobs.acme.low", "work", "acme.low")
    found = broker.topology(own_vhost, "check", "acme").stdout.splitlines()
    assert len(found) == 1
    assert found[0].startswith('binding of queue jobs.acme.low to exchange work with key "acme.low": '
                               "it is missing; restart the primary status-store")


def test_check_finds_an_alternate_exchange(broker, own_vhost):
    """With one, the broker would confirm a job that no queue gets."""
    with broker.pika(own_vhost) as connection:
        channel = connection.channel()
        channel.exchange_delete("work")
        channel.exchange_declare("work", "direct", durable=True,
                                 arguments={"alternate-exchange": "unroutable"})
    found = broker.topology(own_vhost, "check").stdout
    assert 'exchange work: alternate-exchange is "unroutable", should be absent' in found


def test_check_finds_other_arguments(broker, own_vhost):
    with broker.pika(own_vhost) as connection:
        channel = connection.channel()
        channel.queue_delete("delay.5s")
        channel.queue_declare("delay.5s", durable=True, arguments={
            "x-queue-type": "quorum", "x-message-ttl": 6000, "x-dead-letter-exchange": "due",
            "x-overflow": "reject-publish"})
    found = broker.topology(own_vhost, "check").stdout
    assert "queue delay.5s: x-message-ttl is 6000, should be 5000" in found
    assert 'x-dead-letter-strategy is absent, should be "at-least-once"' in found


def test_check_finds_another_type(broker, own_vhost):
    with broker.pika(own_vhost) as connection:
        channel = connection.channel()
        channel.exchange_delete("admits")
        channel.exchange_declare("admits", "topic", durable=True)
    found = broker.topology(own_vhost, "check").stdout
    assert 'exchange admits: type is "topic", should be "fanout"' in found


@pytest.mark.parametrize("queue, exchange, key", [
    ("dead", "due", "acme.low"),
    ("events", "work", "acme.low"),  # a job would be in the stream twice
    ("events", "hold.5s", ""),
    ("delay.1s", "hold.5s", ""),
    ("jobs.acme.high", "work", "acme.low"),
])
def test_check_finds_a_stray_binding(broker, own_vhost, queue, exchange, key):
    broker.topology(own_vhost, "tenant", "acme")
    with broker.pika(own_vhost) as connection:
        channel = connection.channel()
        channel.queue_bind(queue, exchange, key)
        channel.queue_declare("others", durable=True)
        channel.queue_bind("others", "events", "")  # anybody may listen
    found = broker.topology(own_vhost, "check", "acme").stdout.splitlines()
    assert len(found) == 1
    assert found[0].startswith(f'binding of queue {queue} to exchange {exchange} with key "{key}": '
                               "it should not be there")


POLICY = "warren-no-delivery-limit"


def test_check_finds_a_missing_policy(broker, own_vhost):
    broker.management("DELETE", f"/api/policies/{own_vhost}/{POLICY}")
    assert f"policy {POLICY}: it is missing" in broker.topology(own_vhost, "check").stdout
    broker.topology(own_vhost, "apply")
    assert broker.topology(own_vhost, "check").stdout == ""


@pytest.mark.parametrize("name, pattern, priority, want", [
    (POLICY, "^dead$", 100, f"policy {POLICY}: it differs from what it should be"),
    ("all", ".*", 100, f"policy all: it overrides {POLICY}"),
    ("all", ".*", 99, None),
    ("others", "^jobs", 200, None),
])
def test_check_finds_another_policy(broker, own_vhost, name, pattern, priority, want):
    broker.management("PUT", f"/api/policies/{own_vhost}/{name}", {
        "pattern": pattern, "priority": priority, "apply-to": "queues",
        "definition": {"delivery-limit": 7}})
    found = broker.topology(own_vhost, "check").stdout
    assert want in found if want else found == ""


@pytest.mark.parametrize("queue", ["dead", "unroutable", "delay.1d", "slots.acme.1"])
def test_no_number_of_returns_loses_a_message(broker, own_vhost, queue):
    """By default RabbitMQ 4 drops a message after 20 returns."""
    with broker.pika(own_vhost) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        if queue.startswith("slots."):
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        until(lambda: broker.queues(own_vhost)[queue].get("policy") == POLICY, 30, "the policy")
        properties = pika.BasicProperties(message_id="kept", delivery_mode=2)
        channel.basic_publish("", queue, b"null", properties)
        returned = 0
        for method, told, _ in channel.consume(queue, inactivity_timeout=10):
            assert method is not None, f"gone after {returned} returns"
            assert told.message_id == "kept"
            if returned == 50:
                channel.basic_ack(method.delivery_tag)
                break
            channel.basic_reject(method.delivery_tag, requeue=True)
            returned += 1


@pytest.mark.parametrize("login", ["warren-status-store", "warren-gateway", "warren-consumer",
                                   "warren-dlx-monitor", "warren-provision", "warren-operator",
                                   "tenant-acme"])
def test_check_finds_other_rights(broker, own_vhost, login):
    broker.topology(own_vhost, "tenant", "acme")
    if login == "tenant-acme":
        broker.management("PUT", f"/api/users/{login}", {"password": "x", "tags": ""})
    broker.management("PUT", f"/api/permissions/{own_vhost}/{login}",
                      {"configure": ".*", "write": ".*", "read": ".*"})
    found = broker.topology(own_vhost, "check", "acme").stdout.splitlines()
    assert len(found) == 3 and all(f"login {login}: its right to" in line for line in found)
    broker.topology(own_vhost, "apply")
    left = broker.topology(own_vhost, "check", "acme").stdout
    assert (left == "") == (login != "tenant-acme")


COUNTED = {"warren-status-store": ["jobs.acme.high", "jobs.acme.long", "events", "control"],
           "warren-gateway": ["jobs.acme.high", "events", "control"],
           "warren-consumer": ["jobs.acme.high", "events", "control", "marks"],
           "warren-dlx-monitor": ["dead", "unroutable", "events", "control"],
           "warren-provision": ["jobs.acme.high", "control", "events", "parked.export"],
           "warren-operator": ["events", "marks", "parked.export"]}


@pytest.mark.parametrize("login", COUNTED)
def test_a_login_may_look_at_what_it_looks_for(broker, vhost, login):
    """The rights that a passive declare needs depend on the broker's version."""
    broker.topology(vhost, "tenant", "acme")
    broker.topology(vhost, "pause", "type:export")
    for queue in COUNTED[login]:
        with broker.pika(vhost, login) as connection:
            connection.channel().queue_declare(queue, passive=True)


def test_a_tenants_part_comes_and_goes(broker, own_vhost):
    assert "exchange jobs.acme: it is missing" in broker.topology(own_vhost, "check", "acme").stdout
    broker.topology(own_vhost, "tenant", "acme")
    assert broker.topology(own_vhost, "check", "acme").stdout == ""
    broker.topology(own_vhost, "delete-tenant", "acme")
    broker.topology(own_vhost, "delete-tenant", "acme")
    left = broker.management("GET", f"/api/definitions/{own_vhost}")
    assert not [row for row in left["queues"] + left["exchanges"] if "acme" in row["name"]]
    assert not [row for row in left["bindings"] if "acme" in row["routing_key"]]


def test_a_queue_in_use_is_not_deleted(broker, own_vhost):
    broker.topology(own_vhost, "tenant", "acme")
    with broker.pika(own_vhost) as connection:
        connection.channel().basic_consume("jobs.acme.high", lambda *_: None)
        done = broker.topology(own_vhost, "delete-tenant", "acme", check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("conflict: queue jobs.acme.high: it has 1 consumers")
    broker.topology(own_vhost, "delete-tenant", "acme")


def test_a_tenants_jobs_cannot_come_after_its_exchange_is_gone(broker, own_vhost):
    """A queue with a consumer stays, but `work` no longer leads to it."""
    broker.topology(own_vhost, "tenant", "acme")
    with broker.pika(own_vhost) as connection:
        connection.channel().basic_consume("jobs.acme.high", lambda *_: None)
        broker.topology(own_vhost, "delete-tenant", "acme", check=False)
        with pytest.raises(pika.exceptions.UnroutableError):
            _publish(broker, own_vhost, "warren-gateway", "work", "acme.high")


def _publish(broker, vhost, login, exchange, key):
    with broker.pika(vhost, login) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, b"null", pika.BasicProperties(delivery_mode=2),
                              mandatory=True)


@pytest.mark.parametrize("exchange, key, queue", [
    ("work", "acme.low", "jobs.acme.low"),
    ("hold.30d", "acme.low", "delay.30d"),
])
def test_work_and_hold_reach_their_queue_alone(broker, own_vhost, exchange, key, queue):
    broker.topology(own_vhost, "tenant", "acme")
    _publish(broker, own_vhost, "warren-gateway", exchange, key)
    assert broker.depth(own_vhost, queue) == 1
    with broker.pika(own_vhost) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        _publish(broker, own_vhost, "warren-gateway", "events", "")
        found = next(channel.consume("events", arguments={"x-stream-offset": "first"},
                                     inactivity_timeout=30))
        assert found[0].exchange == "events"
        channel.basic_ack(found[0].delivery_tag)


@pytest.mark.parametrize("key", ["acme.nowhere", "nobody.low", "low"])
def test_work_returns_what_no_queue_gets(broker, vhost, key):
    broker.topology(vhost, "tenant", "acme")
    with pytest.raises(pika.exceptions.UnroutableError):
        _publish(broker, vhost, "warren-gateway", "work", key)


@pytest.mark.parametrize("login, exchange, key", [
    ("warren-gateway", "due", "acme.low"),
    ("warren-gateway", "dead", "acme.low"),
    ("warren-gateway", "control", ""),
    ("warren-gateway", "", "dead"),
    ("warren-consumer", "jobs.acme", "low"),
    ("warren-consumer", "control", ""),
    ("warren-status-store", "events", ""),
    ("warren-status-store", "work", "acme.low"),
    ("warren-dlx-monitor", "due", "acme.low"),
    ("warren-dlx-monitor", "work", "acme.low"),
    ("warren-provision", "marks", ""),
    ("warren-provision", "work", "acme.low"),
    ("warren-gateway", "marks", ""),
    ("warren-gateway", "parked.export", "acme.low"),
    ("warren-operator", "due", "acme.low"),
    ("warren-operator", "control", ""),
    ("warren-operator", "parked.export", "acme.low"),
])
def test_a_login_is_refused_beyond_its_own(broker, vhost, login, exchange, key):
    broker.topology(vhost, "tenant", "acme")
    broker.topology(vhost, "pause", "type:export")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        _publish(broker, vhost, login, exchange, key)
    assert refused.value.reply_code == 403


@pytest.mark.parametrize("login, exchange, key", [
    ("warren-gateway", "jobs.acme", "low"),
    ("warren-gateway", "delay.30s", "acme.low"),
    ("warren-gateway", "work", "acme.low"),
    ("warren-gateway", "hold.30s", "acme.low"),
    ("warren-consumer", "work", "acme.low"),
    ("warren-consumer", "hold.30s", "acme.low"),
    ("warren-consumer", "due", "acme.low"),
    ("warren-consumer", "dead", "acme.low"),
    ("warren-provision", "control", ""),
    ("warren-status-store", "sync", ""),
    ("warren-consumer", "parked.export", "acme.low"),
    ("warren-operator", "jobs.acme", "low"),
    ("warren-operator", "delay.30s", "acme.low"),
    ("warren-operator", "work", "acme.low"),
    ("warren-operator", "events", ""),
    ("warren-operator", "marks", ""),
])
def test_a_login_may_what_it_needs(broker, vhost, login, exchange, key):
    broker.topology(vhost, "tenant", "acme")
    broker.topology(vhost, "pause", "type:export")
    _publish(broker, vhost, login, exchange, key)


@pytest.mark.parametrize("key, queue", [
    ("type:export", "parked.export"),
    ("type:acme/export", "parked-tenant.acme.export"),
])
def test_the_part_of_a_pause(broker, own_vhost, key, queue):
    """The provisioning login declares it, a consumer fills it, the operator login empties it."""
    found = broker.topology(own_vhost, "check", "acme", key).stdout
    assert f"exchange {queue}: it is missing" in found and f"queue {queue}: it is missing" in found
    broker.topology(own_vhost, "tenant", "acme")
    for _ in range(2):
        broker.topology(own_vhost, "pause", key, login="warren-provision")
    assert broker.topology(own_vhost, "check", "acme", key).stdout == ""
    until(lambda: broker.queues(own_vhost)[queue].get("policy") == POLICY, 30, "the policy")
    _publish(broker, own_vhost, "warren-consumer", queue, "acme.low")
    with broker.pika(own_vhost, "warren-operator") as connection:
        channel = connection.channel()
        returned = 0
        for method, _, _ in channel.consume(queue, inactivity_timeout=30):
            assert method is not None and method.routing_key == "acme.low"
            if returned == 50:  # there is no delivery limit
                channel.basic_ack(method.delivery_tag)
                break
            channel.basic_reject(method.delivery_tag, requeue=True)
            returned += 1
    assert broker.depth(own_vhost, queue) == 0


def test_a_private_node_refuses_nonsense(tmp_path):
    done = subprocess.run([ROOT / "rabbitmq/node", "start", tmp_path, "--port", "many"],
                          stderr=subprocess.PIPE, check=False, timeout=30)
    assert done.returncode == 2
    assert subprocess.run([ROOT / "rabbitmq/node", "status", tmp_path], check=False,
                          stdout=subprocess.DEVNULL, timeout=30).returncode == 3
