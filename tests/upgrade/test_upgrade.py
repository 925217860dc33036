# SPDX-License-Identifier: Apache-2.0
"""The version before beside this one: docs/upgrading.md's order under load, the way back, and what happens
out of order. `./test.sh upgrade` builds the version before and runs this."""
import contextlib
import sqlite3
import time

import pytest

from harness.broker import BIN
from harness.pauses import await_paused, pause, resume
from harness.until import until
from installation import BEFORE, Installation, Steps, back_up, remove_database, restore

SKIPPED = "warren_projection_skipped_events"
WAYS = ("gateway", "gateway-1", "amqp")


@pytest.fixture()
def site(private_broker, tmp_path_factory):
    assert BEFORE.name, "WARREN_BEFORE_BIN: the folder of the programs of the version before"
    installed = Installation(private_broker, tmp_path_factory.mktemp("warren"))
    yield installed
    installed.end()


@pytest.fixture()
def steps(site, tally):
    site.start_load()
    return Steps(site, tally)


def upgrade(site, steps, what, program, **how):
    """The new one, beside what is left of the old ones, for a while."""
    site.put(program, **how)
    taken = {name: site.load.taken(name) for name in WAYS}
    until(lambda: all(site.load.taken(name) > taken[name] for name in WAYS), 30,
          f"{what}: jobs by every way")
    steps.hold(what)


def check_same_rows(site, ids):
    """Both status-stores show the same of every job, but for the time at which each read it."""
    first, second = ({job["id"]: {name: str(value) for name, value in job.items()}
                      for job in site.warren.api_at(gateway).list_all(limit=500)}
                     for gateway in site.gateways)
    odd = {id: sorted(set(first[id].items()) ^ set(second[id].items()), key=str)
           for id in ids if first[id] != second[id]}
    assert not odd, (len(odd), list(odd.items())[:3])


def check_starts(site, steps, tally, what):
    """No job ran more often than it should: nothing was killed."""
    site.load.stop()
    steps.check(f"{what}: the last ones")
    wanted = site.load.wanted
    starts = site.starts(wanted)
    more = {id: starts[id] - end[1] for id, end in wanted.items() if starts[id] != end[1]}
    tally(f"{what}: all", wanted, starts, note=f"started more or less often than they should {len(more)}")
    assert not more, list(more.items())[:5]


def later(site, gateway, delay):
    """A job that comes due when the programs have been exchanged."""
    id = site.warren.api_at(gateway).submit("noop", ["later"], delay=delay)["id"]
    site.load.take(id, gateway.name, ("completed", 1, None))
    return id


def check_cancel(site, what):
    """Older consumers read no marks, and are not waited for."""
    id = site.warren.api.submit("noop", ["cancelled"], delay="1h")["id"]
    answer = site.warren.api.request("POST", f"/jobs/{id}/cancel")
    assert answer.status_code == 202 and answer.json()["workers_behind"] == [], (what, answer.text)


def check_pause_and_move(site):
    """Jobs of a paused type wait until the pause is over. One that is moved runs once."""
    warren = site.warren
    ids = await_paused(warren, warren.api, pause(warren, "echo"))
    resume(warren, "echo")
    ids.append(warren.api.submit("noop", ["moved"], delay="1h")["id"])
    warren.api.wait(ids[-1], "scheduled")
    answer = warren.api.request("POST", f"/jobs/{ids[-1]}/run-now")
    assert answer.status_code == 202, answer.text
    assert {warren.api.wait(id)["status"] for id in ids} == {"completed"}
    assert set(site.starts(ids).values()) == {1}


@pytest.mark.timeout(1200)
def test_in_the_documented_order_and_back(site, steps, tally):
    old_gateway, new_gateway = site.gateways
    steps.hold("the version before")
    steps.waiting = {later(site, gateway, "1m30s") for gateway in site.gateways}
    site.install(BIN)
    steps.hold("0 the files")
    site.apply_topology()
    steps.hold("1 topology and accounts")
    upgrade(site, steps, "2 the replica", site.replica, while_stopped=back_up)
    site.know_operator()
    upgrade(site, steps, "2 the primary", site.primary, while_stopped=back_up)
    until(site.check_topology, 60, "topology check finds nothing")
    steps.hold("3 bindings")
    upgrade(site, steps, "4 dlx-monitor", site.warren.dlx_monitor)
    upgrade(site, steps, "5 one gateway of two", new_gateway)
    made_between = site.warren.tenant("made-between")
    assert made_between.api.run("echo", [1])["status"] == "completed"
    assert site.warren.api_at(new_gateway, "made-between").run("echo", [2])["status"] == "completed"
    upgrade(site, steps, "5 both gateways", old_gateway)
    check_cancel(site, "with the consumers of the version before")
    upgrade(site, steps, "6 one consumer of two", site.consumers[0])
    check_cancel(site, "with one consumer of two")
    upgrade(site, steps, "6 both consumers", site.consumers[1])
    check_cancel(site, "with both consumers")
    check_pause_and_move(site)
    steps.waiting.clear()
    steps.hold("this version", 1)
    check_same_rows(site, steps.ended)
    steps.waiting = {later(site, gateway, "1m") for gateway in site.gateways}
    site.install(BEFORE)
    for consumer in site.consumers:
        upgrade(site, steps, f"back: {consumer.name}", consumer)
    for gateway in site.gateways:
        upgrade(site, steps, f"back: {gateway.name}", gateway)
    upgrade(site, steps, "back: dlx-monitor", site.warren.dlx_monitor, while_stopped=older_archive)
    steps.waiting.clear()
    steps.hold("back, but for the status-stores", 1)
    check_starts(site, steps, tally, "back")
    check_same_rows(site, site.load.wanted)
    assert site.primary.metrics()[SKIPPED] == site.replica.metrics()[SKIPPED] == 0
    status_stores_back(site, tally)


def older_archive(program):
    """As docs/upgrading.md says: without the column that an older dlx-monitor does not know."""
    with contextlib.closing(sqlite3.connect(program.settings["archive"])) as db:
        db.executescript("ALTER TABLE letters DROP COLUMN replay_copy; PRAGMA user_version = 3;")


def refuses_to_start(store):
    """An older status-store does not touch the file of a newer one."""
    assert store.stop() == 0
    store.start(ready=False)
    assert store.process.wait(30) == 1
    assert "move the file away" in store.log().splitlines()[-1], store.log()[-1000:]


def status_stores_back(site, tally):
    """With its files of before the upgrade an older status-store shows all jobs that ended, without what only
    packs said of them."""
    site.forget_operator()
    refuses_to_start(site.primary)
    for store in (site.primary, site.replica):
        site.put(store, while_stopped=restore)
    wanted = site.load.wanted

    def shown():
        rows.update(site.rows(site.gateways[0]))
        return all(rows.get(id) == end for id, end in wanted.items())

    rows = {}
    until(shown, 60, "every job as it should be", every=1)
    jobs = site.warren.api.list_all(limit=500)
    bare = [job for job in jobs if job["id"] in wanted and job["type"] is None]
    assert bare and all(job["payload"] is None and job["status"] == "completed" for job in bare)
    tally("back: the status-stores", wanted, rows,
          note=f"shown without type and payload {len(bare)}, {SKIPPED} {site.primary.metrics()[SKIPPED]:.0f}")


@pytest.mark.timeout(600)
def test_the_primary_before_the_topology(site, steps, tally):
    """Jobs run on, and it provisions tenants once it can."""
    site.install(BIN)
    upgrade(site, steps, "the primary before the topology", site.primary)
    until(lambda: "tenants not provisioned; trying again" in site.primary.log(), 30, "its log says so")
    site.apply_topology()
    until(site.check_topology, 60, "topology check finds nothing")
    assert site.warren.tenant("made-after").api.run("echo", [1])["status"] == "completed"
    check_starts(site, steps, tally, "the primary before the topology")


@pytest.mark.timeout(600)
def test_a_gateway_before_the_bindings(site, steps, tally):
    """It refuses what goes to a tenant's queue, and takes what is to wait: the delay queues are bound."""
    early = site.gateways[0]
    steps.hold("the version before")
    site.install(BIN)
    site.apply_topology()
    taken = set(site.load.taken_by)
    site.put(early)
    until(lambda: sum(site.load.refused.values()) > 20, 30, "refusals by the gateway before the bindings")
    refused = site.load.refused.copy()
    assert all(answer.startswith("503") and "unknown" not in answer for answer in refused), refused
    site.put(site.replica)
    site.put(site.primary)
    until(site.check_topology, 60, "topology check finds nothing")
    waited = {id for id, by in site.load.taken_by.copy().items() if by == early.name} - taken
    site.load.refused.clear()
    steps.hold(f"{sum(refused.values())} refusals {list(refused)}")
    check_starts(site, steps, tally, "a gateway before the bindings")
    assert site.primary.metrics()[SKIPPED] > 0
    check_same_rows(site, set(site.load.wanted) - waited)


@pytest.mark.timeout(600)
def test_a_status_store_after_a_gateway(site, steps, tally):
    """It lacks what was told in packs, until it folds the stream anew."""
    late = site.replica
    upgraded, other = site.gateways
    site.install(BIN)
    site.apply_topology()
    site.put(site.primary)
    until(site.check_topology, 60, "topology check finds nothing")
    site.put(upgraded)
    time.sleep(5)
    waiting = later(site, upgraded, "20s")
    steps.waiting.add(waiting)
    site.load.stop()
    steps.check("a status-store before this version")
    steps.waiting.clear()
    skipped = late.metrics()[SKIPPED]
    bare = [job for job in site.warren.api_at(other).list_all(limit=500) if job["type"] is None]
    assert site.warren.api_at(upgraded).get(waiting)["status"] == "scheduled"
    assert site.warren.api_at(other).request("GET", f"/jobs/{waiting}").status_code == 404
    assert skipped > 0 and bare and all(job["payload"] is None for job in bare), (skipped, len(bare))
    site.put(late, while_stopped=remove_database)
    check_starts(site, steps, tally, "a status-store that is folded anew")
    check_same_rows(site, site.load.wanted)
    tally("a status-store after a gateway", site.load.wanted, site.rows(other),
          note=f"before it was folded anew: {SKIPPED} {skipped:.0f}, jobs without type {len(bare)}")
