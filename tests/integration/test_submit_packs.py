# SPDX-License-Identifier: Apache-2.0
"""A submission's two confirms: its queue's, then that of the pack that tells the event stream. What the
client is answered, and what the stream is told, for each way they can end."""
import json
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from gateway_rig import Caller, Gateway, check_problem, drain, known
from harness.broker import BIN
from harness.until import until
from submit_rig import events, ids_of, make_rig, told  # noqa: F401 (fixtures)

QUEUE = "jobs.acme.medium"
UNTOLD = "the event stream was not told of some jobs: they show when they start"


def told_so_far(events, rig):
    """What the stream has told up to a job that is submitted now."""
    marker = rig.submit().json()["id"]
    found = told(events, [marker])
    del found[marker]
    return found


def published(properties):
    """The headers as they were published: a quorum queue adds its count."""
    return {name: value for name, value in properties.headers.items() if name != "x-delivery-count"}


def test_an_accepted_job_is_in_its_queue_and_in_the_stream(make_rig, events):
    rig = make_rig(confirm_timeout="5s")
    answers = rig.submit_many(16)
    assert {answer.status_code for answer in answers} == {202}
    assert all("told" not in answer.json() for answer in answers)
    accepted = [answer.json()["id"] for answer in answers]
    queued = rig.queued()
    assert sorted(ids_of(queued)) == sorted(accepted)
    stream = told(events, accepted)
    for _, properties, body in queued:
        exchange, key, entry, content = stream[properties.message_id]
        assert (exchange, key, content) == ("work", "acme.medium", body)
        assert entry.headers == published(properties)
        assert (entry.type, entry.timestamp, entry.app_id) == (properties.type, properties.timestamp,
                                                               properties.app_id)
    metrics = rig.metrics()
    assert metrics["warren_pack_jobs_total"] == 16 and 1 <= metrics["warren_packs_total"] <= 16
    assert metrics["warren_jobs_untold"] == metrics["warren_publish_in_flight"] == 0


def test_the_largest_payload_fits_a_pack(make_rig, events):
    """RabbitMQ refuses a message over 1 MiB, and a pack would then be published again for ever."""
    rig = make_rig(payload_max="1020KiB", confirm_timeout="5s")
    payload = "x" * (1020 * 1024 - 2)
    answer = rig.submit(type="t" * 64, payload=payload, delay="30d", timeout="24h", max_retries=100)
    assert answer.status_code == 202 and "told" not in answer.json(), answer.text
    assert len(told(events, [answer.json()["id"]])[answer.json()["id"]][3]) == 1020 * 1024


def test_a_delayed_job_is_in_the_delay_queue_and_in_the_stream(make_rig, events, node):
    job = make_rig().submit(delay="30s").json()
    with node.connect() as connection:
        method, properties, _ = connection.channel().basic_get("delay.30s", auto_ack=True)
    assert properties.message_id == job["id"] and method.exchange == "hold.30s"
    exchange, key, entry, _ = told(events, [job["id"]])[job["id"]]
    assert (exchange, key) == ("hold.30s", "acme.medium")
    assert entry.headers == published(properties)


def test_large_jobs_come_through(make_rig, events):
    """Four of them do not fit into one pack."""
    rig = make_rig(confirm_timeout="20s", window_bytes="4MiB")
    payload = "x" * 200_000
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: rig.submit(payload=payload), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    stream = told(events, [answer.json()["id"] for answer in answers])
    assert all(stream[answer.json()["id"]][3] == f'"{payload}"'.encode() for answer in answers)
    rig.queued()


def test_refused_before_the_queue_while_the_link_of_packs_is_down(make_rig, forwarder, events):
    rig = make_rig()
    forwarder.close("packs")
    until(rig.why_not_ready, 30, "it is seen")
    problem = check_problem(rig.submit(), 503)
    assert "id" not in problem and "accepted" not in problem
    assert rig.queued() == []
    assert [line["link"] for line in rig.gateway.lines("publishing link is down")] == ["packs"]
    forwarder.heal("packs")
    rig.gateway.wait_ready()
    assert rig.submit().status_code == 202
    assert len(rig.queued()) == 1


def test_not_ready_before_the_stream_can_be_told(node, control, services, tmp_path, forwarder):
    """The gateway starts while one of its links finds no broker."""
    forwarder.close("packs")
    gateway = Gateway(node, tmp_path, *services, amqp_urls=forwarder.url(node.vhost))
    control.tenant("acme")
    caller = known(Caller(gateway, control.key("acme", ["submit", "read"])))
    until(lambda: gateway.lines("publishing link is up"), 30, "the other link")
    assert "id" not in check_problem(caller.submit(), 503) and not gateway.is_ready()
    forwarder.heal("packs")
    gateway.wait_ready()
    assert caller.submit().json().get("told") is None
    assert gateway.stop() == 0
    with node.connect() as connection:
        assert len(drain(connection.channel(), "acme")) == 1


def test_refused_while_the_link_of_queues_is_down(make_rig, forwarder):
    rig = make_rig()
    forwarder.close("queues")
    until(rig.why_not_ready, 30, "it is seen")
    assert "id" not in check_problem(rig.submit(), 503)
    forwarder.heal("queues")
    rig.gateway.wait_ready()
    assert rig.submit().status_code == 202


def test_returned_and_nothing_told(make_rig, events, node):
    """The tenant's queue is not bound, as while the tenant is deleted."""
    rig = make_rig()
    before = set(told_so_far(events, rig))
    with node.connect() as connection:
        channel = connection.channel()
        channel.queue_unbind(QUEUE, "work", "acme.medium")
        problem = check_problem(rig.submit(), 503, words="no queue for this job")
        assert "id" not in problem
        channel.queue_bind(QUEUE, "work", "acme.medium")
    assert rig.metrics()["warren_publish_in_flight"] == 0
    after = told_so_far(events, rig)
    assert len(set(after) - before) == 1, "only the first marker"


def test_told_late(make_rig, forwarder, events):
    rig = make_rig()
    forwarder.deaf.add("packs")
    answer = rig.submit(type="noop", priority="high")
    job = answer.json()
    assert (answer.status_code, job["told"], job["status"]) == (202, False, "pending")
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert ids_of(rig.queued()) == [job["id"]], "the job will run"
    assert rig.is_untold() and rig.metrics()["warren_submissions_told_late_total"] == 1
    assert rig.metrics()["warren_publish_in_flight"] == 1
    assert rig.metrics().sum("warren_jobs_submitted_total") == 1
    # As long as the stream confirms nothing, nobody else has to wait for it.
    problem = check_problem(rig.submit(), 503, words="does not confirm in time")
    assert "id" not in problem and rig.queued() == []
    assert "does not confirm in time" in rig.why_not_ready()
    forwarder.heal("packs")
    entry = told(events, [job["id"]])[job["id"]]
    assert entry[0] == "work"
    rig.gateway.wait_ready()
    assert rig.submit().json().get("told") is None
    until(lambda: not rig.is_untold(), 30, "all is told")
    rig.queued()


def test_a_stream_that_is_slower_than_a_client_waits(make_rig, forwarder, events):
    """Each confirm comes after confirm_timeout. It counts all the same: the pack is not published again."""
    rig = make_rig(confirm_timeout="200ms")
    forwarder.slow["packs"] = 0.5
    job = rig.submit().json()
    assert job["told"] is False
    until(lambda: not rig.is_untold(), 30, "told")
    until(lambda: rig.why_not_ready() is None, 30, "ready")
    forwarder.slow.clear()
    assert "x-again" not in told(events, [job["id"]])[job["id"]][2].headers
    rig.queued()


def limit_queue(node, jobs):
    """Then RabbitMQ nacks what comes above that number."""
    path = f"/api/policies/{node.vhost}/small"
    if jobs is None:
        node.broker.management("DELETE", path)
        return
    node.broker.management("PUT", path, {"pattern": f"^{QUEUE}$", "apply-to": "queues",
                                         "definition": {"max-length": jobs}})


def check_unknown(answer):
    problem = check_problem(answer, 503)
    assert problem["accepted"] == "unknown"
    return problem["id"]


def check_doubt(events, id):
    """The stream is told of it as a job that its queue may not hold."""
    exchange, key, entry, _ = told(events, [id])[id]
    assert (exchange, key, entry.headers["x-doubt"]) == ("work", "acme.medium", 1)


def test_a_nack_is_unknown(make_rig, events, node):
    rig = make_rig()
    limit_queue(node, 1)
    try:
        answer, = until(lambda: (a := rig.submit()).status_code == 503 and [a], 60, "a nack")
    finally:
        limit_queue(node, None)
    id = check_unknown(answer)
    assert id not in ids_of(rig.queued())
    check_doubt(events, id)


@pytest.mark.parametrize("kept", [True, False], ids=["in the queue", "not in the queue"])
@pytest.mark.parametrize("lost", [True, False], ids=["connection lost", "no confirm in time"])
def test_no_confirm_of_the_queue_is_unknown(make_rig, forwarder, events, kept, lost):
    rig = make_rig(confirm_timeout="30s" if lost else "500ms")
    (forwarder.mute if kept else forwarder.deaf).add("queues")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(rig.submit)
        if lost:
            until(lambda: rig.metrics()["warren_publish_in_flight"] == 1, 30, "it is published")
            if kept:
                until(lambda: rig.node.broker.depth(rig.node.vhost, QUEUE) == 1, 30, "it is queued")
            else:
                until(lambda: forwarder.swallowed["queues"] == 1, 30, "it is swallowed")
            forwarder.heal("queues")
        id = check_unknown(answer.result(60))
    check_doubt(events, id)
    assert ids_of(rig.queued()) == ([id] if kept else [])
    until(lambda: not rig.is_untold(), 30, "all is told")
    assert rig.metrics().sum("warren_submissions_refused_total", reason="unknown") == 1
    if not lost:
        forwarder.renew("queues")
    rig.gateway.wait_ready()
    assert rig.submit().status_code == 202
    assert len(rig.queued()) == 1, "it was not published again"


def test_the_window_counts_until_the_pack_is_confirmed(make_rig, forwarder):
    rig = make_rig(confirm_timeout="30s", window_messages=2)
    forwarder.deaf.add("packs")
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(rig.submit) for _ in range(2)]
        until(lambda: rig.metrics()["warren_jobs_untold"] == 2, 30, "both are queued")
        problem = check_problem(rig.submit(), 503, words="2 submissions are not confirmed yet")
        assert "id" not in problem
        forwarder.heal("packs")
        assert [answer.result(60).status_code for answer in both] == [202, 202]
    assert len(rig.queued()) == 2
    assert rig.metrics().sum("warren_submissions_refused_total", reason="window") == 1


def test_a_stop_under_load_answers_all_and_tells_all(make_rig, events):
    rig = make_rig(confirm_timeout="5s")
    accepted, refused = [], []

    def run(_):
        try:
            while (answer := rig.submit()).status_code == 202:
                accepted.append(answer.json()["id"])
            refused.append(check_problem(answer, 503))
        except requests.ConnectionError:
            pass  # the port is closed

    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(run, range(8))
        until(lambda: len(accepted) >= 50, what="load")
        until(lambda: rig.metrics()["warren_publish_in_flight"] > 0, what="one under way", every=0)
        assert rig.gateway.stop() == 0
        list(runs)
    assert all("id" not in problem for problem in refused)
    queued = ids_of(rig.queued())
    assert set(accepted) <= set(queued)
    told(events, queued)


def test_a_stop_under_load_while_the_stream_is_away(make_rig, forwarder):
    """Who was let in is answered, and each accepted job is in its queue."""
    rig = make_rig(drain_limit="1s")
    answers = []

    def run(_):
        try:
            while True:
                answers.append(rig.submit())
        except requests.ConnectionError:
            pass  # the port is closed

    with ThreadPoolExecutor(16) as pool:
        runs = pool.map(run, range(16))
        until(lambda: len(answers) >= 50, what="load")
        forwarder.deaf.add("packs")
        until(rig.is_untold, every=0, what="some are queued")
        rig.gateway.process.send_signal(signal.SIGTERM)
        forwarder.close("packs")
        assert rig.gateway.process.wait(timeout=30) == 0
        list(runs)
    accepted = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    late = [answer for answer in answers if answer.json().get("told") is False]
    assert all("id" not in answer.json() for answer in answers if answer.status_code != 202)
    assert accepted <= set(ids_of(rig.queued()))
    line, = rig.gateway.lines(UNTOLD)
    assert 1 <= len(late) == line["jobs"] <= 16


def test_a_stop_tells_what_was_late(make_rig, forwarder, events):
    rig = make_rig()
    forwarder.deaf.add("packs")
    job = rig.submit().json()
    assert job["told"] is False
    rig.gateway.process.send_signal(signal.SIGTERM)
    with pytest.raises(requests.ConnectionError):
        until(lambda: rig.submit() and False, 30, "the port is closed")
    forwarder.heal("packs")
    assert rig.gateway.process.wait(timeout=30) == 0
    told(events, [job["id"]])
    rig.queued()


def connect_until_refused(port):
    """Asks for a list again and again until the port is closed. A wait of 10 s is an error."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"GET /api/v1/jobs HTTP/1.1\r\nHost: warren\r\n\r\n")
                client.recv(100)
        except ConnectionRefusedError:
            return
        except ConnectionError:
            pass


def test_who_connects_as_the_port_closes_is_not_left_waiting(make_rig, forwarder):
    """The gateway goes on for its packs; its HTTP port is closed meanwhile."""
    rig = make_rig(drain_limit="10m")
    forwarder.deaf.add("packs")
    assert rig.submit().json()["told"] is False
    port = int(rig.gateway.url.rsplit(":", 1)[1])
    with ThreadPoolExecutor(16) as pool:
        clients = [pool.submit(connect_until_refused, port) for _ in range(16)]
        rig.gateway.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.result()
    assert rig.gateway.process.poll() is None
    forwarder.heal("packs")
    assert rig.gateway.process.wait(timeout=30) == 0


@pytest.mark.parametrize("signals", [1, 2])
def test_a_stop_says_how_many_jobs_it_could_not_tell(make_rig, forwarder, signals):
    """After drain_limit, or at once at a second signal."""
    rig = make_rig(drain_limit="200ms" if signals == 1 else "10m")
    forwarder.deaf.add("packs")
    assert {answer.json()["told"] for answer in rig.submit_many(3)} == {False}
    rig.gateway.process.send_signal(signal.SIGTERM)
    if signals == 2:
        until(lambda: rig.gateway.lines("stopping"), 30, "the first signal is seen")
        rig.gateway.process.send_signal(signal.SIGTERM)
    assert rig.gateway.process.wait(timeout=30) == signals - 1
    line, = [line for line in map(json.loads, rig.gateway.text().splitlines()) if line["msg"] == UNTOLD]
    assert line["jobs"] == 3
    assert len(rig.queued()) == 3


def test_a_gateway_with_another_login_does_not_start(tmp_path):
    token = tmp_path / "internal.token"
    token.touch(mode=0o600)
    token.write_text("internal-secret\n", encoding="utf-8")
    ended = subprocess.run([BIN / "warren-gateway", "--amqp_login=warren-consumer", "--port=0", "--health_port=0",
                            f"--amqp_password_file={token}", f"--internal_token_file={token}"],
                           stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == 1 and "amqp_login must be warren-gateway" in ended.stderr


def test_the_links_are_named_for_the_operator(make_rig):
    rig = make_rig()
    assert {line["link"] for line in rig.gateway.lines("publishing link is up")} == {"queues", "packs"}
    metrics = rig.metrics()
    assert all(metrics.sum("warren_link_up", link=name) == 1 for name in ("queues", "packs"))
