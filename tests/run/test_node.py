# SPDX-License-Identifier: Apache-2.0
"""rabbitmq/node: a broker reported as ready is ready. Also rabbitmq.conf, which installations use too."""
import os
import subprocess

from harness.broker import ROOT
from harness.until import until

STREAMS = [f"stream-{i}" for i in range(60)]


def down_streams(broker):
    rows = broker.management("GET", "/api/queues/warren?disable_stats=true")
    states = {row["name"]: row["state"] for row in rows}
    # "live" is the word of RabbitMQ 3.10, "running" that of 4 for every queue with enough nodes.
    return {name: states.get(name) for name in STREAMS if states.get(name) not in ("live", "running")}


def test_streams_are_back_when_it_says_ready(private_broker):
    with private_broker.pika() as connection:
        channel = connection.channel()
        for name in STREAMS:
            channel.queue_declare(name, durable=True, arguments={"x-queue-type": "stream"})
    private_broker.stop()
    private_broker.start()
    if private_broker.version < (4,):
        assert down_streams(private_broker) == {}
    else:  # for some 200 ms its list of queues may be empty
        until(lambda: down_streams(private_broker) == {}, 20, "streams")


def test_kill_returns_when_epmd_has_ended(tmp_path):
    slow = "trap 'sleep 0.5; exit' TERM; echo; while :; do sleep 0.05; done"
    with subprocess.Popen(["bash", "-c", slow], stdout=subprocess.PIPE,
                          env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}) as epmd:
        try:
            epmd.stdout.readline()
            (tmp_path / "epmd.pid").write_text(str(epmd.pid), encoding="utf-8")
            subprocess.run([ROOT / "rabbitmq/node", "kill", tmp_path], check=True, timeout=60)
            assert epmd.poll() is not None
        finally:
            epmd.kill()


def test_guest_never_comes_from_afar(private_broker):
    """Debian's broker has the login guest, with a well-known password."""
    private_broker.ctl("add_user", "guest", "guest")
    asked = 'rabbit_access_control:check_user_loopback(<<"{}">>, {{192, 0, 2, 1}}).'
    assert private_broker.ctl("eval", asked.format("guest")).strip() == "not_allowed"
    assert private_broker.ctl("eval", asked.format("warren-admin")).strip() == "ok"
