# SPDX-License-Identifier: Apache-2.0
"""Jobs that were acted on and come due when their rows and marks are gone: the list of the primary knows them. A
delay of 14.5 s takes four legs: 10 s, twice 2 s, 500 ms. Marks live for 4 s: legs of more than 2 s are asked about."""
import time

import pytest

from acts_rig import act, all_settled, noting
from harness.api import in_ms
from harness.until import until

DELAY = 14500
SHORT = {"marks_keep": "4s"}


@pytest.fixture(scope="module")
def warren(broker, tmp_path_factory):
    store = {"keep_ended": "1s", **SHORT}
    with noting(broker, tmp_path_factory.mktemp("warren"), consumer={"drain": "1s", **SHORT},
                **{"status-store": store}) as whole:
        yield whole


@pytest.fixture(scope="module")
def replica(warren):
    return warren.add_status_store(keep_ended="1s", **SHORT)


class Clock:
    """Seconds since it was made."""

    def __init__(self):
        self.began = time.monotonic()

    def now(self):
        return time.monotonic() - self.began

    def wait(self, seconds):
        time.sleep(max(0, self.began + seconds - time.monotonic()))


def delayed(warren):
    return warren.api.submit("note", delay=f"{DELAY}ms")["id"]


def dropped(warren):
    return warren.consumer.metrics().sum("warren_duplicates_checked_total", verdict="dropped")


def is_gone(warren, id):
    return warren.api.request("GET", f"/jobs/{id}").status_code == 404


def prune(store, rebuilt=False):
    """The store starts again, and deletes what has ended; `rebuilt`: first it has lost all and read it again."""
    assert store.stop() == 0
    for file in store.folder.glob("status.db*") if rebuilt else ():
        file.unlink()
    store.start()
    if rebuilt:
        store.restart()


def test_acts_hold_when_rows_and_marks_are_gone(warren):
    """And the projection was read again from the stream, by then."""
    clock = Clock()
    names = "untouched cancelled now sooner later forgotten retried second_leg third_leg"
    job = {name: delayed(warren) for name in names.split()}
    warren.api.wait(job["third_leg"], "scheduled")
    for name in ("cancelled", "retried"):
        act(warren.api, "POST", f"{job[name]}/cancel")
    act(warren.api, "POST", f"{job['retried']}/retry")
    for name in ("now", "forgotten"):
        act(warren.api, "POST", f"{job[name]}/run-now")
    act(warren.api, "PATCH", job["sooner"], json={"run_at": in_ms(300)})
    act(warren.api, "PATCH", job["later"], json={"run_at": in_ms(DELAY + 1500)})
    warren.api.wait(job["forgotten"])
    act(warren.api, "DELETE", job["forgotten"], 204)
    acted = clock.now()
    until(lambda: all(warren.starts(job[name]) for name in ("now", "sooner", "retried")), 4, "they run")
    clock.wait(acted + 1.2)
    prune(warren.status_store)
    ended = [job[name] for name in ("cancelled", "now", "sooner", "forgotten", "retried")]
    until(lambda: all(is_gone(warren, id) for id in ended), 7, "they are deleted before they come due")
    prune(warren.status_store, rebuilt=True)
    clock.wait(acted + 4.1)
    warren.consumer.restart()  # it reads no mark that is older than they live
    clock.wait(10.3)
    act(warren.api, "POST", f"{job['second_leg']}/cancel")
    clock.wait(12.3)
    act(warren.api, "POST", f"{job['third_leg']}/cancel")
    clock.wait(14.7)
    until(lambda: warren.starts(job["untouched"]) == 1, 10, "one without an act runs")
    assert warren.starts(job["later"]) == 0
    until(lambda: warren.starts(job["later"]) == 1, 10, "its later time")
    all_settled(warren)
    ran = {name: warren.starts(id) for name, id in job.items()}
    assert ran == {"untouched": 1, "cancelled": 0, "now": 1, "sooner": 1, "later": 1, "forgotten": 1,
                   "retried": 1, "second_leg": 0, "third_leg": 0}
    assert dropped(warren) >= len(ended), "a store has said so, not a mark"
    until(lambda: all(is_gone(warren, id) for id in ended), 10, "their old messages leave no rows")


def ask_first(warren, *stores):
    warren.consumer.settings["status_store_url"] = ",".join(f"http://127.0.0.1:{store.port}" for store in stores)
    warren.consumer.restart()


def test_only_the_primary_knows(warren, replica):
    """A replica has lost the row too. What it does not know waits until the primary has answered."""
    ask_first(warren, replica)
    cancelled, untouched = (warren.api.submit("note", delay="6s")["id"] for _ in range(2))
    warren.api.wait(cancelled, "scheduled")
    act(warren.api, "POST", f"{cancelled}/cancel")
    clock = Clock()
    clock.wait(2)  # more than keep_ended
    for store in (replica, warren.status_store):
        prune(store)
    assert warren.consumer.stop() == 0
    clock.wait(4.2)
    warren.consumer.start()
    until(lambda: warren.starts(untouched) == 1, 15, "what the replica knows runs")
    until(lambda: "only the primary status-store knows" in warren.consumer.log(), 10, "it is not sure")
    assert warren.starts(cancelled) == 0
    before = dropped(warren)
    ask_first(warren, replica, warren.status_store)
    until(lambda: dropped(warren) > 0, 20, "the primary has said that it is over")
    all_settled(warren)
    assert (before, warren.starts(cancelled), warren.starts(untouched)) == (0, 0, 1)
    until(lambda: is_gone(warren, cancelled), 10, "its message leaves no row")


def test_rows_that_go_during_the_last_of_several_legs(warren, replica):
    """A delay of 15.5 s takes a leg of 10 s and one of 5 s. Its end makes a row again in which a replica, which is
    asked first, finds nothing of the act."""
    ask_first(warren, replica, warren.status_store)
    clock = Clock()
    job = {name: warren.api.submit("note", delay="15.5s")["id"] for name in ("untouched", "cancelled", "now")}
    clock.wait(10.3)
    act(warren.api, "POST", f"{job['cancelled']}/cancel")
    act(warren.api, "POST", f"{job['now']}/run-now")
    acted = clock.now()
    warren.api.wait(job["now"])
    assert warren.consumer.stop() == 0
    clock.wait(acted + 1.2)  # more than keep_ended
    for store in (replica, warren.status_store):
        prune(store)
    ended = (job["cancelled"], job["now"])
    until(lambda: all(is_gone(warren, id) for id in ended), 3, "they are deleted before they come due")
    clock.wait(acted + 4.1)
    warren.consumer.start()  # it reads no mark that is older than they live
    clock.wait(15.6)
    until(lambda: warren.starts(job["untouched"]) == 1, 10, "one without an act runs")
    all_settled(warren)
    assert {name: warren.starts(id) for name, id in job.items()} == {"untouched": 1, "cancelled": 0, "now": 1}
    until(lambda: all(is_gone(warren, id) for id in ended), 10, "their old messages leave no rows")


def test_old_messages_wait_for_a_store(warren):
    """No store answers for longer than a consumer waits for it."""
    def judged(verdict):
        return warren.consumer.metrics().sum("warren_duplicates_checked_total", verdict=verdict)
    ask_first(warren, warren.status_store)
    cancelled, untouched = (warren.api.submit("note", delay="2s")["id"] for _ in range(2))
    warren.api.wait(cancelled, "scheduled")
    act(warren.api, "POST", f"{cancelled}/cancel")
    clock = Clock()
    assert warren.consumer.stop() == 0
    clock.wait(1.2)  # more than keep_ended
    prune(warren.status_store)
    until(lambda: is_gone(warren, cancelled), 3, "its row is deleted")
    assert warren.status_store.stop() == 0
    clock.wait(4.1)
    warren.consumer.start()  # it reads no mark that is older than they live
    until(lambda: judged("behind") >= 2, 20, "both are sent away")
    assert (warren.starts(cancelled), warren.starts(untouched)) == (0, 0)
    warren.status_store.start()
    until(lambda: warren.starts(untouched) == 1, 20, "a store has answered")
    until(lambda: judged("dropped") == 1, 20, "and said that it is over")
    all_settled(warren)
    assert (warren.starts(cancelled), warren.starts(untouched)) == (0, 1)
