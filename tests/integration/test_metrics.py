# SPDX-License-Identifier: Apache-2.0
"""What /metrics shows: well-formed everywhere; how many jobs wait in each queue."""
import re
import signal

import pytest

from harness.broker import ROOT
from harness.live import Feed
from harness.pauses import park, resume
from harness.status_rig import StatusStore, uuid7
from harness.until import until

LANES = ("critical", "high", "medium", "low", "long")


def programs(warren):
    return (warren.gateway, warren.consumer, warren.status_store, warren.dlx_monitor)


def test_every_programs_metrics_are_well_formed(warren):
    warren.api.run("fail", {"permanent": True})
    warren.api.run("echo", 'odd "text" \\')
    for program in programs(warren):
        metrics = program.metrics()
        metrics.check()
        assert metrics.sum("warren_build_info", program=program.name) == 1


def test_handlers_that_were_refused_show(fresh_warren):
    consumer = fresh_warren.consumer
    good = fresh_warren.handlers_path.read_text(encoding="utf-8")
    for text, stale in ((good, 0), ("{", 1), (good, 0)):
        fresh_warren.handlers_path.write_text(text, encoding="utf-8")
        consumer.signal(signal.SIGHUP)
        until(lambda want=stale: consumer.metrics()["warren_handlers_stale"] == want, 30, f"stale is {stale}")


def test_every_metric_of_the_contract_is_shown(warren):
    section = (ROOT / "docs/http.md").read_text(encoding="utf-8").split("\n## Metrics\n")[1]
    wanted = {}
    for name, labels in re.findall(r"`(warren_\w+)(?:{([\w,]+)})?`", section.split("\n## ")[0]):
        wanted.setdefault(name, set(filter(None, labels.split(","))))
    assert len(wanted) >= 13 and wanted["warren_queue_size"] == {"tenant", "lane"}
    warren.api.run("fail", {"times": 1})
    warren.api.run("fail", {"permanent": True}, idempotency_key="metrics")
    assert warren.api.request("POST", "/jobs", json={"no": "job"}).status_code == 422
    hasty = warren.tenant("hasty", rate="1/1h", burst=1).api
    assert [hasty.request("POST", "/jobs", json={"type": "echo"}).status_code for _ in range(2)] == [202, 429]
    ended = warren.api.run("echo")["id"]
    assert warren.api.request("POST", f"/jobs/{ended}/cancel").status_code == 409
    park(warren, 1)
    resume(warren, "echo")
    with Feed(warren.url, warren.tenant("acme").key, offset=0) as feed:
        feed.gap()
    missing = set()

    def complete():
        shown = {}
        for program in programs(warren):
            for name, labels, _ in program.metrics().samples:
                shown.setdefault(re.sub("_(bucket|sum|count)$", "", name), set()).update(labels)
        missing.clear()
        missing.update(name for name, labels in wanted.items()
                       if name not in shown or not labels <= shown[name])
        return not missing

    until(complete, 30, missing)


@pytest.fixture
def primary(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenants=(), tenant_delete_after="0s", tenants_max=4)
    made.primary().start()
    yield made
    made.end()


def create(primary, *names):
    for name in names:
        assert primary.request("POST", "/tenants", json={"name": name}).status_code == 201


def sizes(primary):
    """{(tenant, lane): jobs} as /metrics says now."""
    metrics = primary.program.metrics()
    metrics.check()
    return {(labels["tenant"], labels["lane"]): value
            for name, labels, value in metrics.samples if name == "warren_queue_size"}


def publish(primary, tenant, lane, count):
    for _ in range(count):
        primary.stream.job(uuid7(), tenant=tenant, lane=lane)


def none(*tenants):
    return {(tenant, lane): 0 for tenant in tenants for lane in LANES}


def test_what_waits_in_every_queue(primary):
    create(primary, "first", "second", "third")
    publish(primary, "first", "high", 3)
    publish(primary, "second", "long", 1)
    want = {**none("first", "second", "third"), ("first", "high"): 3, ("second", "long"): 1}
    until(lambda: sizes(primary) == want, 30, "the sizes")
    # A queue that does not exist is not shown; the others still are.
    primary.broker.management("DELETE", f"/api/queues/{primary.vhost}/jobs.second.low")
    assert primary.request("DELETE", "/tenants/first?force=true").status_code == 204
    publish(primary, "second", "critical", 2)
    want = {**none("second", "third"), ("second", "long"): 1, ("second", "critical"): 2}
    del want["second", "low"]
    until(lambda: sizes(primary) == want, 60, "a tenant less, and a queue")
    # The missing queue does not block changes of tenants.
    create(primary, "fourth")


def test_one_series_for_all_beyond_the_bound(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenants=(), tenants_max=3).primary().start()
    try:
        create(made, "first", "second", "third")
        publish(made, "first", "high", 1)
        publish(made, "second", "high", 1)
        publish(made, "third", "high", 2)
        until(lambda: sum(sizes(made).values()) == 4, 30, "the sizes")
        made.program.stop()
        made.program.settings["tenants_max"] = 1
        made.start()
        until(lambda: sum(sizes(made).values()) == 4, 30, "the same jobs")
        assert len(sizes(made)) == len(LANES) + 1 and sizes(made)["other", "other"] > 0
    finally:
        made.end()


def test_a_replica_counts_no_queues(primary):
    create(primary, "only")
    replica = primary.add("replica", primary="false").start()
    until(lambda: sizes(primary) == none("only"), 30, "the primary's sizes")
    assert "warren_queue_size" not in replica.metrics().text
    assert replica.stop() == 0
