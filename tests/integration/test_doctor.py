# SPDX-License-Identifier: Apache-2.0
"""`warren doctor`: each test breaks one thing, and the doctor names that thing and its remedy."""
import contextlib
import http.server
import json
import threading

import pytest
import requests

from cli_rig import EXIT, Cli
from harness.broker import Broker
from harness.until import until
from harness.warren import Warren


@contextlib.contextmanager
def away(program):
    """The program is stopped for the duration of the block."""
    program.stop()
    try:
        yield
    finally:
        program.start()


@pytest.fixture(scope="module")
def shared(warren, tmp_path_factory):
    return Doctor(warren, tmp_path_factory.mktemp("home"))


@pytest.fixture()
def doctor(shared):
    """Waits until all is well. Each test must repair what it breaks."""
    shared.await_health()
    return shared


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory):
    """A doctor for a Warren with its own broker, which tests may stop or block."""
    node = Broker(tmp_path_factory.mktemp("own-broker"))
    whole = Warren(node, tmp_path_factory.mktemp("own-warren"), start=False)
    try:
        whole.start()
        yield Doctor(whole, tmp_path_factory.mktemp("home"))
    finally:
        whole.end()
        node.kill()


class Doctor:
    def __init__(self, warren, home):
        self.warren = warren
        self.cli = Cli(warren, warren.tenant("acme").key, home)

    def look(self, **variables):
        """{check: problem} of the checks that are wrong."""
        done = self.cli("doctor", "--json", **variables)
        found = json.loads(done.stdout)
        wrong = [check for check in found["checks"] if check["state"] == "wrong"]
        assert found["healthy"] == (not wrong)
        assert done.returncode == (EXIT["failed"] if wrong else EXIT["done"]), done.stderr
        assert all(check["problem"] and check["remedy"] for check in wrong)
        return {check["check"]: check["problem"] for check in wrong}

    def await_wrong(self, *checks, **variables):
        """Waits until exactly these checks are wrong (the broker's counts lag); returns the findings."""
        seen = [None]

        def there():
            seen[0] = self.look(**variables)
            return set(seen[0]) == set(checks)

        try:
            until(there, 60, f"{checks} wrong", every=0.2)
        except AssertionError as late:
            raise AssertionError(f"{late}; found {seen[0]}") from None
        return seen[0]

    def await_health(self):
        self.await_wrong()


def test_all_is_well(doctor):
    done = doctor.cli("doctor")
    assert done.returncode == EXIT["done"]
    assert "All is well." in done.stdout and "WRONG" not in done.stdout
    states = {check["state"] for check in doctor.cli.json("doctor")["checks"]}
    assert states == {"ok"}


def test_a_tenant_just_made_is_no_alarm(doctor):
    """The management API learns of consumers some seconds late."""
    assert doctor.cli("tenant", "add", "just-made").returncode == EXIT["done"]
    assert doctor.look() == {}


def test_gateway_away(doctor):
    with away(doctor.warren.gateway):
        found = doctor.look()
        shown = doctor.cli("doctor")
    assert "connect" in found["gateway"]
    assert "status-store" not in found and "dlx-monitor" not in found
    assert "Something is wrong." in shown.stdout and "start warren-gateway" in shown.stdout


def test_wrong_key(doctor):
    wrong = "wk_aaaaaaaa_" + "x" * 43
    found = doctor.look(WARREN_ADMIN_KEY=wrong, WARREN_API_KEY=wrong)
    assert set(found) == {"key"}


def test_status_store_away(doctor):
    with away(doctor.warren.status_store):
        doctor.await_wrong("status-store", "status-store reads")


def test_a_good_key_is_not_blamed(doctor):
    """The tenants cannot be read, but another key would not help."""
    with away(doctor.warren.status_store):
        doctor.await_wrong("status-store", "status-store reads")
        checks = doctor.cli.json("doctor", want="failed")["checks"]
        shown = doctor.cli("doctor").stdout
    unknown = [check for check in checks if check["state"] == "unknown"]
    assert [(check["check"], check["remedy"]) for check in unknown] == [("consumers", None)]
    assert "WARREN_ADMIN_KEY" not in shown and "try again" not in shown
    checks = doctor.cli.json("doctor", WARREN_ADMIN_KEY=None)["checks"]
    remedies = {check["check"]: check["remedy"] for check in checks if check["state"] == "unknown"}
    assert remedies == {"consumers": "set WARREN_ADMIN_KEY to an admin key"}


def test_status_store_hangs(doctor):
    doctor.warren.status_store.hang()
    try:
        assert "status-store" in doctor.look()
    finally:
        doctor.warren.status_store.go_on()


def test_dlx_monitor_away(doctor):
    with away(doctor.warren.dlx_monitor):
        doctor.await_wrong("dlx-monitor", "dlx-monitor reads")


def test_consumer_away(doctor):
    with away(doctor.warren.consumer):
        found = doctor.await_wrong("consumers")
    assert "jobs.acme.high" in found["consumers"]


def test_a_consumer_busy_for_long_is_no_alarm(doctor):
    """A busy consumer cancels its subscriptions to queues whose jobs it could not start."""
    warren, api = doctor.warren, doctor.warren.api
    sleepers = [api.submit("sleep", {"ms": 25000}, priority="critical")["id"] for _ in range(4)]
    for id in sleepers:
        api.wait(id, "running")
    waiting = [api.submit("noop", priority=lane)["id"]
               for lane in ("critical", "high", "medium", "low")]
    waiting.append(api.submit("noop", timeout="11m")["id"])
    # `critical` is not checked: the broker counts its consumer until the sleepers are acknowledged.
    lanes = [f"jobs.acme.{lane}" for lane in ("high", "medium", "low", "long")]

    def left():
        queues = warren.broker.queues(warren.vhost)
        return all(queues[lane].get("consumers") == 0 for lane in lanes)

    until(left, 30, "every queue left alone", every=0.2)
    assert doctor.look() == {}
    assert left()
    for id in waiting + sleepers:
        assert api.wait(id)["status"] == "completed"


def test_projection_behind(doctor):
    """The status-store has no right to read the stream, so the projection stands still."""
    warren = doctor.warren
    warren.status_store.stop()
    permit(warren, "^sync$", "^control$")
    try:
        warren.status_store.start(ready=False)
        found = doctor.await_wrong("projection", "status-store reads", "topology")
    finally:
        assert doctor.cli("topology", "apply").returncode == EXIT["done"]
    assert "as of" in found["projection"]
    assert found["topology"] == ("login warren-status-store: its right to read is ^control$, "
                                 "should be ^(events|control)$")


def permit(warren, write, read):
    warren.broker.management("PUT", f"/api/permissions/{warren.vhost}/warren-status-store",
                             {"configure": "^$", "write": write, "read": read})


def test_rights_that_another_version_wants(doctor):
    """As after an upgrade of the broker: our logins still have the rights that the old version needed."""
    permit(doctor.warren, "^nothing$", "^(events|control)$")
    found = doctor.look()
    assert set(found) == {"topology"} and "right to write is ^nothing$" in found["topology"]
    assert doctor.cli("topology", "apply").returncode == EXIT["done"]
    doctor.await_health()


@pytest.mark.parametrize("login, right, lacks", [
    ("warren-provision", "read", "|work"),
    ("warren-gateway", "write", "|work"),
    ("warren-gateway", "write", "|hold"),
    ("warren-consumer", "write", "|work"),
])
def test_rights_of_the_version_before(doctor, login, right, lacks):
    broker, path = doctor.warren.broker, f"/api/permissions/{doctor.warren.vhost}/{login}"
    given = broker.management("GET", path)
    broker.management("PUT", path, {**given, right: given[right].replace(lacks, "")})
    found = [check for check in doctor.cli.json("doctor", want="failed")["checks"]
             if check["state"] == "wrong"]
    assert [check["check"] for check in found] == ["topology"]
    assert f"login {login}: its right to {right} is" in found[0]["problem"]
    assert found[0]["remedy"] == "run: warren topology apply"
    assert doctor.cli("topology", "apply").returncode == EXIT["done"]
    doctor.await_health()


KNOWN = {
    "3.9.13": ("wrong", "3.10 or later"),
    "3.10.8": ("ok", "burials of all tenants"),
    "4.0.5": ("ok", ""),
    "4.2.6": ("wrong", "4.2.7"),
    "4.3.0": ("wrong", "4.3.1"),
    "4.3.6": ("ok", ""),
    "nonsense": ("unknown", ""),
}


@pytest.mark.parametrize("version", KNOWN)
def test_what_is_known_of_the_version(doctor, version):
    state, words = KNOWN[version]
    with pretend_version(doctor.warren.broker, version) as url:
        done = doctor.cli("doctor", "--json", WARREN_MANAGEMENT_URL=url)
    checks = json.loads(done.stdout)["checks"]
    (told,) = [check for check in checks if check["check"] == "broker version"]
    assert told["state"] == state and version in told["problem"]
    assert words in f"{told['problem']} {told['remedy']}"


@contextlib.contextmanager
def pretend_version(broker, version):
    """The broker's management API with another version number."""
    class Pretender(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = broker.management("GET", self.path)
            if self.path == "/api/overview":
                answer["rabbitmq_version"] = version
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pretender)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://warren-admin:x@127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("path, names", [
    ("queues/{}/delay.1h", "delay.1h"),
    ("exchanges/{}/marks", "marks"),
    ("exchanges/{}/work", "work"),
    ("exchanges/{}/hold.1h", "hold.1h"),
    ("bindings/{}/e/hold.1h/q/delay.1h/~", "hold.1h"),
    ("bindings/{}/e/due/q/jobs.acme.high/acme.high", "jobs.acme.high"),
    ("bindings/{}/e/work/q/jobs.acme.high/acme.high", "exchange work"),
])
def test_topology_broken(doctor, path, names):
    doctor.warren.broker.management("DELETE", "/api/" + path.format(doctor.warren.vhost))
    found = doctor.await_wrong("topology")
    assert names in found["topology"]
    # The doctor's remedy helps.
    assert doctor.cli("topology", "apply").returncode == EXIT["done"]
    doctor.warren.status_store.restart()


def other_arguments(channel):
    """Remakes the queue with its bindings and right arguments, except for its x-message-ttl."""
    channel.queue_delete("delay.30d")
    channel.queue_declare("delay.30d", durable=True, arguments={
        "x-queue-type": "quorum", "x-message-ttl": 2_591_999_000, "x-dead-letter-exchange": "due",
        "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"})
    channel.queue_bind("delay.30d", "delay.30d", "")
    channel.queue_bind("delay.30d", "hold.30d", "")


def other_type(channel):
    channel.exchange_delete("admits")
    channel.exchange_declare("admits", "topic", durable=True)
    channel.queue_bind("admits", "admits", "")


@pytest.mark.parametrize("spoil, subject, problem", [
    (other_arguments, ("queue", "delay.30d"), "x-message-ttl is 2591999000, should be 2592000000"),
    (other_type, ("exchange", "admits"), 'type is "topic", should be "fanout"'),
], ids=["arguments", "type"])
def test_topology_other_than_ours(doctor, spoil, subject, problem):
    warren = doctor.warren
    with warren.pika() as connection:
        spoil(connection.channel())
    kind, name = subject
    assert doctor.look() == {"topology": f"{kind} {name}: {problem}"}
    # The doctor's remedy helps: delete it, then apply.
    warren.broker.management("DELETE", f"/api/{kind}s/{warren.vhost}/{name}")
    assert doctor.cli("topology", "apply").returncode == EXIT["done"]
    doctor.await_health()


def test_stray_binding(doctor):
    stray = ("dead", "due", "acme.low")
    with doctor.warren.pika() as connection:
        channel = connection.channel()
        channel.queue_bind(*stray)
        found = doctor.look()
        channel.queue_unbind(*stray)
    assert found == {"topology": 'binding of queue dead to exchange due with key "acme.low": '
                                 "it should not be there"}
    doctor.await_health()


def test_vhost_missing(doctor):
    broker = doctor.warren.broker
    url = f"amqp://warren-admin:{broker.password}@127.0.0.1:{broker.port}/nowhere"
    found = doctor.look(WARREN_ADMIN_AMQP_URL=url)
    assert set(found) == {"topology"} and "/api/definitions/nowhere" in found["topology"]


@pytest.mark.parametrize("kind, name", [
    ("queues", "events"), ("queues", "dead"), ("queues", "control"), ("queues", "jobs.acme.high"),
    ("exchanges", "work")])
def test_the_advice_is_enough(fresh_warren, tmp_path, kind, name):
    """Following the doctor's remedies until it names none repairs everything."""
    warren = fresh_warren
    doctor = Doctor(warren, tmp_path)
    doctor.await_health()
    warren.broker.management("DELETE", f"/api/{kind}/{warren.vhost}/{name}")
    until(lambda: "topology" in doctor.look(), 30, "the doctor sees it")

    def heal():
        checks = json.loads(doctor.cli("doctor", "--json").stdout)["checks"]
        advice = {check["remedy"] for check in checks if check["state"] == "wrong"}
        if any("warren topology apply" in remedy for remedy in advice):
            assert doctor.cli("topology", "apply").returncode == EXIT["done"]
        elif any("restart the primary status-store" in remedy for remedy in advice):
            warren.status_store.restart()
        return not advice

    until(heal, 90, "everything well", every=0.5)
    assert warren.api.run("echo", 1, priority="high")["status"] == "completed"
    dead = warren.api.run("fail", {"permanent": True})
    until(lambda: warren.api.letters(job=dead["id"]), 30, "its letter")


def test_management_unset_is_unknown_not_wrong(doctor):
    """The primary looks at the broker instead, unless it is away."""
    def states():
        done = doctor.cli("doctor", "--json", WARREN_MANAGEMENT_URL=None)
        return {check["check"]: check["state"] for check in json.loads(done.stdout)["checks"]}

    assert states()["broker"] == "ok"
    with away(doctor.warren.status_store):
        found = states()
    assert {check for check, state in found.items() if state == "unknown"} == {"broker"}


def test_tenants_unreadable_is_unknown_not_wrong(doctor):
    """Without an admin key the doctor cannot know which tenants' queues must have a consumer."""
    checks = doctor.cli.json("doctor", WARREN_ADMIN_KEY=None)["checks"]
    unknown = [check for check in checks if check["state"] != "ok"]
    assert [(check["check"], check["state"], check["problem"]) for check in unknown] == [
        ("consumers", "unknown", "the list of tenants could not be read: "
         "this API key does not have the scope for that")]
    assert "WARREN_ADMIN_KEY" in unknown[0]["remedy"]


def test_management_away(doctor):
    assert set(doctor.look(WARREN_MANAGEMENT_URL="http://127.0.0.1:1")) == {"broker"}


def test_management_login_wrong(doctor):
    url = f"http://warren-admin:wrong@127.0.0.1:{doctor.warren.broker.management_port}"
    found = doctor.look(WARREN_MANAGEMENT_URL=url)
    assert set(found) == {"broker"} and "login" in found["broker"]


class Management(http.server.ThreadingHTTPServer):
    """The broker's management API with one more node, which does not run."""

    daemon_threads = True

    def __init__(self, broker):
        self.real = f"http://127.0.0.1:{broker.management_port}"
        super().__init__(("127.0.0.1", 0), ManagementHandler)
        self.url = f"http://warren-admin:{broker.password}@127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class ManagementHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        real = requests.get(self.server.real + self.path, timeout=30,
                            headers={"Authorization": self.headers["Authorization"]})
        body = real.content
        if self.path == "/api/nodes":
            body = json.dumps(real.json() + [{"name": "rabbit@away", "running": False}]).encode()
        self.send_response(real.status_code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_a_node_does_not_run(doctor):
    with Management(doctor.warren.broker) as management:
        found = doctor.look(WARREN_MANAGEMENT_URL=management.url)
        management.shutdown()
    assert found == {"node rabbit@away": "not running"}


def alarms(found):
    return [problem for check, problem in found.items() if check.startswith("node ")]


@pytest.mark.parametrize("name, raised, lowered", [
    ("memory", ("set_vm_memory_high_watermark", "absolute", "1MB"),
     ("set_vm_memory_high_watermark", "0.6")),
    ("disk", ("set_disk_free_limit", "1000000000000000"), ("set_disk_free_limit", "200MB")),
])
def test_alarm(own_broker, name, raised, lowered):
    own_broker.await_health()
    broker = own_broker.warren.broker
    broker.ctl(*raised)
    try:
        found = until(lambda: alarms(own_broker.look()), 60, "the alarm", every=0.2)
    finally:
        broker.ctl(*lowered)
    assert found == [f"{name} alarm: publishers are blocked"]


def test_broker_away(own_broker):
    own_broker.await_health()
    own_broker.warren.broker.stop()
    try:
        found = own_broker.look()
    finally:
        own_broker.warren.broker.start()
    assert "gateway" in found and "broker" in found
    own_broker.await_health()


def test_gateway_without_a_broker_accuses_nobody_else(own_broker):
    """This gateway has never read its keys, so the doctor cannot reach the services behind it."""
    own_broker.await_health()
    warren = own_broker.warren
    warren.gateway.stop()
    warren.broker.stop()
    try:
        warren.gateway.start(ready=False)
        until(lambda: set(own_broker.look()) == {"gateway", "broker"}, 30, "only these two")
    finally:
        warren.broker.start()
    own_broker.await_health()
