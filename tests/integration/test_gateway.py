# SPDX-License-Identifier: Apache-2.0
"""The gateway alone: its metrics and health, a broker that is away, hangs or refuses it, and a stop under
load."""
import os
import re
import signal
import socket
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from gateway_rig import JOBS, Caller, Control, Gateway, Place, check_problem, drain, known
from harness.metrics import Metrics
from harness.until import until


def test_metrics(gateway, acme):
    acme.submit()
    text = requests.get(gateway.health + "/metrics", timeout=20).text
    assert re.search(r'warren_jobs_submitted_total{tenant="acme",type="noop",priority="medium"} \d+', text)
    assert 'warren_http_requests_total{route="POST /api/v1/jobs",code="202"}' in text
    assert "warren_publish_confirm_seconds_count" in text and 'warren_build_info{program="gateway"' in text
    assert requests.get(gateway.url + "/metrics", timeout=20).status_code == 404
    tool = subprocess.run(["sh", "-c", "command -v promtool"], stdout=subprocess.DEVNULL, check=False)
    if tool.returncode == 0:
        subprocess.run(["promtool", "check", "metrics"], input=text.encode(), check=True)


def test_health(gateway):
    for base in (gateway.url, gateway.health):
        assert requests.get(base + "/healthz", timeout=20).json() == {"status": "alive"}
        assert requests.get(base + "/readyz", timeout=20).json() == {"status": "ready"}


@pytest.mark.parametrize("settings,reached", [({}, False), ({"health_address": "0.0.0.0"}, True)],
                         ids=["loopback", "as told"])
def test_the_health_port_has_an_address_of_its_own(node, services, tmp_path, settings, reached):
    gateway = Gateway(node, tmp_path, *services, address="0.0.0.0", **settings)
    elsewhere = [url.replace("127.0.0.1", "127.0.0.2") for url in (gateway.url, gateway.health)]
    assert requests.get(elsewhere[0] + "/healthz", timeout=20).status_code == 200
    assert requests.get(gateway.health + "/metrics", timeout=20).status_code == 200
    if reached:
        assert requests.get(elsewhere[1] + "/metrics", timeout=20).status_code == 200
    else:
        with pytest.raises(requests.ConnectionError):
            requests.get(elsewhere[1] + "/metrics", timeout=20)
    assert gateway.stop() == 0


def test_broker_away(private_broker, services, tmp_path):
    """503 while the broker is away, then 202 again by itself; no job answered with 202 is lost."""
    node = Place(private_broker)
    control = Control(node)
    control.tenant("steady")
    gateway = Gateway(node, tmp_path, *services).wait_ready()
    caller = known(Caller(gateway, control.key("steady", ["submit"])))
    accepted = [caller.submit().json()["id"] for _ in range(5)]
    private_broker.stop()
    answer, = until(lambda: (a := caller.submit()).status_code == 503 and [a], what="broker seen away")
    check_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1
    assert requests.get(gateway.url + "/readyz", timeout=20).status_code == 503
    assert requests.get(gateway.url + "/healthz", timeout=20).status_code == 200
    private_broker.start()
    gateway.wait_ready()
    accepted.append(caller.submit().json()["id"])
    connection = node.connect()
    found = {properties.message_id for _, properties, _ in drain(connection.channel(), "steady")}
    connection.close()
    assert set(accepted) <= found
    assert gateway.stop() == 0


def unconfirmed(gateway):
    text = requests.get(gateway.health + "/metrics", timeout=20).text
    return int(Metrics(text)["warren_publish_in_flight"])


def test_drain_under_load(node, control, services, tmp_path, tally):
    """SIGTERM: every job answered with 202 is in the broker, and the gateway exits with 0."""
    control.tenant("leaving")
    gateway = Gateway(node, tmp_path, *services).wait_ready()
    key = control.key("leaving", ["submit"])
    known(Caller(gateway, key))
    accepted = []

    def run(_):
        try:
            with Caller(gateway, key) as caller:
                while (answer := caller.submit()).status_code == 202:
                    accepted.append(answer.json()["id"])
        except requests.ConnectionError:
            pass  # the port is closed

    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(run, range(8))
        until(lambda: len(accepted) >= 50, what="load")
        in_flight = until(lambda: unconfirmed(gateway), what="a publish under way", every=0)
        assert gateway.stop() == 0
        list(runs)
    connection = node.connect()
    found = {properties.message_id for _, properties, _ in drain(connection.channel(), "leaving")}
    connection.close()
    tally("gateway SIGTERM, no consumer", accepted, found, note=f"unconfirmed then {in_flight}")


def test_broker_refuses_login(node, services, tmp_path):
    """A gateway that cannot log in says so and is not ready; it does not end."""
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("nonsense", encoding="utf-8")
    gateway = Gateway(node, tmp_path, *services, amqp_password_file=wrong)
    until(lambda: gateway.lines("publishing link is down"), what="failure is logged")
    answer = requests.get(gateway.health + "/readyz", timeout=20)
    assert answer.status_code == 503
    answer = requests.post(gateway.url + JOBS, json={}, timeout=20,
                           headers={"Authorization": "Bearer wk_aaaaaaaa_" + "a" * 43})
    check_problem(answer, 503)
    assert gateway.stop() == 0


def test_taken_port(node, services, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(AssertionError, match="cannot listen"):
            Gateway(node, tmp_path, *services, port=taken.getsockname()[1])


def test_broker_hangs(private_broker, services, tmp_path):
    """No confirm in time: 503 with the id, and "unknown". One message may be in flight: the next is refused
    without being sent."""
    node = Place(private_broker)
    control = Control(node)
    control.tenant("patient")
    gateway = Gateway(node, tmp_path, *services, confirm_timeout="1s", window_messages=1).wait_ready()
    caller = known(Caller(gateway, control.key("patient", ["submit"])))
    assert caller.submit().status_code == 202
    beam = int((private_broker.folder / "pid").read_text(encoding="utf-8"))
    os.kill(beam, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda _: Caller(gateway, caller.headers["Authorization"].split()[1]).submit(),
                                     range(2))
        answers = [check_problem(a, 503) for a in (first, second)]
        unknown = [a for a in answers if a.get("accepted") == "unknown"]
        assert len(unknown) == 1 and uuid.UUID(unknown[0]["id"]).version == 7
        assert all("id" not in a for a in answers if a is not unknown[0])
        assert all(int(a.headers["Retry-After"]) >= 1 for a in (first, second))
    finally:
        os.kill(beam, signal.SIGCONT)
    gateway.wait_ready()
    job = until(lambda: (a := caller.submit()).status_code == 202 and a.json(), what="accepted again")
    with node.connect() as connection:
        found = [properties.message_id for _, properties, _ in drain(connection.channel(), "patient")]
    # The job of unknown fate is there or not, but never twice.
    assert job["id"] in found and found.count(unknown[0]["id"]) <= 1
    assert gateway.stop() == 0


@pytest.mark.parametrize("raised, lowered", [
    (("set_vm_memory_high_watermark", "absolute", "1MB"), ("set_vm_memory_high_watermark", "0.6")),
    (("set_disk_free_limit", "1000000000000000"), ("set_disk_free_limit", "200MB")),
], ids=["memory", "disk"])
def test_broker_blocks(private_broker, services, tmp_path, raised, lowered):
    """At an alarm the broker blocks a publisher only at its next message, which it does not confirm. Later
    messages are refused unsent. The gateway is ready again by itself when the alarm is over."""
    node = Place(private_broker)
    control = Control(node)
    control.tenant("waiting")
    gateway = Gateway(node, tmp_path, *services, confirm_timeout="1s").wait_ready()
    caller = known(Caller(gateway, control.key("waiting", ["submit"])))
    accepted = []

    def refused():
        answer = caller.submit()
        if answer.status_code != 202:
            return [answer]
        accepted.append(answer.json()["id"])
        return None

    assert refused() is None
    private_broker.ctl(*raised)
    try:
        # rabbitmqctl returns before every connection knows of the alarm.
        first, = until(refused, what="the alarm at the gateway")
        unknown = check_problem(first, 503)
        assert (uuid.UUID(unknown["id"]).version, unknown["accepted"]) == (7, "unknown")
        second = caller.submit()
        assert "id" not in check_problem(second, 503, words="takes no messages now")
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in (first, second))
        assert not gateway.is_ready()
        assert requests.get(gateway.url + "/healthz", timeout=20).status_code == 200
        blocked = [line["link"] for line in gateway.lines("the broker takes no messages")]
        assert blocked in (["queues"], ["queues", "packs"]), "the second tells of the first job's doubt"
    finally:
        private_broker.ctl(*lowered)
    gateway.wait_ready()
    accepted.append(caller.submit().json()["id"])
    with node.connect() as connection:
        found = [properties.message_id for _, properties, _ in drain(connection.channel(), "waiting")]
    # The job of unknown fate waited in the broker's socket: it is there or not, but never twice.
    assert set(accepted) <= set(found) <= {*accepted, unknown["id"]} and len(found) == len(set(found))
    assert gateway.stop() == 0
