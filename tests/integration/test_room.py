# SPDX-License-Identifier: Apache-2.0
"""A job for which the system has no room waits, and no attempt is charged. Handlers do not inherit what a
service changes for itself."""
import json
import os
import re

from harness.broker import BIN
from harness.until import until
from harness.warren import default_handlers

HELD = 80  # more than can run at once


def warnings(consumer):
    lines = [json.loads(line) for line in consumer.log().splitlines() if line.startswith("{")]
    return [line for line in lines if "needs more open files" in line["msg"]]


def restart(consumer, prefix, **settings):
    assert consumer.stop() == 0
    consumer.prefix = prefix
    consumer.settings.update(settings)
    consumer.start()


def gated(gate):
    """Handlers whose jobs end when the file is there."""
    script = f'until [ -e "{gate}" ]; do sleep 0.1; done'
    return {"types": {"waits": {"exec": ["/bin/sh", "-c", script]}}}


def put_off(consumer):
    return consumer.metrics().sum("warren_starts_put_off_total", kind="exec")


def test_jobs_wait_for_descriptors_at_no_charge(make_warren, tmp_path):
    warren = make_warren(handlers=gated(tmp_path / "gate"))
    restart(warren.consumer, ["prlimit", "--nofile=140:140"], concurrency=HELD)
    [warning] = warnings(warren.consumer)
    assert warning["limit"] == 140 and warning["needed"] > 5 * HELD
    assert "LimitNOFILE" in warning["next"]

    ids = [warren.api.submit("waits", {})["id"] for _ in range(HELD // 3)]
    until(lambda: put_off(warren.consumer) > 0, 60, "no more room")
    (tmp_path / "gate").touch()
    for id in ids:
        job = warren.api.wait(id)
        assert (job["status"], job["attempt"]) == ("completed", 1), job
        assert len(warren.api.attempts(id)["attempts"]) == 1
    assert warren.consumer.metrics().sum("warren_jobs_failed_total") == 0


def test_the_soft_limit_is_raised_as_far_as_it_may(make_warren, tmp_path):
    warren = make_warren(handlers=gated(tmp_path / "gate"))
    programs = (warren.gateway, warren.consumer, warren.status_store, warren.dlx_monitor)
    for program in programs:
        restart(program, ["prlimit", "--nofile=64:4096"])
        with open(f"/proc/{program.pid}/limits", encoding="utf-8") as limits:
            assert re.search(r"^Max open files +4096 +4096 ", limits.read(), re.M)
    restart(warren.consumer, ["prlimit", "--nofile=64:4096"], concurrency=HELD)
    assert not warnings(warren.consumer)
    ids = [warren.api.submit("waits", {})["id"] for _ in range(HELD // 3)]
    until(lambda: warren.consumer.metrics()["warren_workers_active"] == len(ids), 60, "all at once")
    (tmp_path / "gate").touch()
    for id in ids:
        assert warren.api.wait(id)["status"] == "completed"
    assert put_off(warren.consumer) == 0


def test_a_handler_starts_as_if_from_where_the_consumer_did(make_warren):
    script = ("cut -d' ' -f19,41 /proc/self/stat; umask; ulimit -Sn; ulimit -Hn;"
              "cat /proc/self/timerslack_ns /proc/self/oom_score_adj;"
              "grep -E '^Sig(Blk|Ign)' /proc/self/status")
    warren = make_warren(handlers={"types": {"shows": {"exec": ["/bin/sh", "-c", script]}}})
    restart(warren.consumer, ["/bin/sh", "-c", 'umask 027; ulimit -Sn 777; ulimit -Hn 4096;'
                                               'trap "" USR1; exec "$@"', "sh"])
    job = warren.api.wait(warren.api.submit("shows", {})["id"])
    shown = job["result"].split("\n")
    assert shown[:4] == [f"{os.getpriority(os.PRIO_PROCESS, 0)} 0", "0027", "777", "4096"]
    with open("/proc/self/oom_score_adj", encoding="utf-8") as own:
        assert shown[4:6] == ["50000", own.read().strip()]
    assert shown[6:] == ["SigBlk:\t" + "0" * 16, "SigIgn:\t" + "0" * 16]


def test_handlers_end_where_sigchld_was_ignored(make_warren):
    """The consumer's parent may ignore SIGCHLD. While it is ignored, no process can be waited for."""
    handlers = default_handlers()
    handlers["types"]["fails"] = {"exec": ["/bin/sh", "-c", "echo why >&2; exit 65"]}
    warren = make_warren(handlers=handlers)
    restart(warren.consumer, ["env", "--ignore-signal=CHLD"])
    assert warren.api.run("noop")["status"] == "completed"
    job = warren.api.run("fails")
    assert (job["status"], job["reason"], job["error"]) == ("dead", "permanent", "why")


def test_programs_leave_the_consumer_what_it_needs(make_warren, tmp_path):
    """The consumer's connections come back while as many programs run as possible."""
    warren = make_warren(handlers=gated(tmp_path / "gate"))
    restart(warren.consumer, ["prlimit", "--nofile=160:160"], concurrency=HELD)
    ids = [warren.api.submit("waits", {})["id"] for _ in range(HELD // 4)]
    until(lambda: put_off(warren.consumer) > 0, 60, "no more room")
    assert warren.consumer.metrics()["warren_workers_active"] >= 2
    warren.broker.ctl("close_all_connections", "--vhost", warren.vhost, "as asked by a test")
    until(lambda: warren.consumer.log().count('"disconnected"') >= 2, 30, "its connections lost")
    until(warren.consumer.is_ready, 30, "its connections back")
    (tmp_path / "gate").touch()
    for id in ids:
        assert warren.api.wait(id)["status"] == "completed"


def test_plugin_hosts_leave_the_consumer_what_it_needs(make_warren):
    """There are not enough descriptors for all hosts: the consumer connects and works with fewer."""
    warren = make_warren()
    restart(warren.consumer, ["prlimit", "--nofile=100:100"], concurrency=HELD)
    assert warnings(warren.consumer)
    assert warren.api.run("noop")["status"] == "completed"
    assert warren.consumer.metrics().sum("warren_starts_put_off_total", kind="plugin") > 0


def test_a_start_put_off_while_the_only_worker_was_taken_for_busy(make_warren, tmp_path):
    """The launcher hangs until waiting jobs are requeued, and then ends without becoming the program."""
    launcher = tmp_path / "launcher"
    launcher.write_text(f'#!/bin/sh\n[ -e "{tmp_path}/hung" ] && exec "{BIN}/warren-launch" "$@"\n'
                        f'until [ -e "{tmp_path}/gate" ]; do sleep 0.1; done\ntouch "{tmp_path}/hung"\n')
    launcher.chmod(0o755)
    warren = make_warren(handlers={"types": {"runs": {"exec": ["/bin/true"]}}})
    restart(warren.consumer, [], concurrency=1, launch_program=launcher)
    first = warren.api.submit("runs", {})["id"]
    until(lambda: warren.consumer.metrics()["warren_workers_active"] == 1, 30, "the launcher hangs")
    second = warren.api.submit("runs", {})["id"]
    until(lambda: "waiting jobs are requeued" in warren.consumer.log(), 60, "a stall")
    (tmp_path / "gate").touch()
    for id in (first, second):
        job = warren.api.wait(id)
        assert (job["status"], job["attempt"]) == ("completed", 1), job
    assert put_off(warren.consumer) == 1
