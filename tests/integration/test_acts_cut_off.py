# SPDX-License-Identifier: Apache-2.0
"""Acts while one of the primary's connections to the broker is cut off: what cannot be known is not done, and
what was begun is ended later."""
import pytest

from acts_rig import Marks, act, kind_of
from harness.forwarder import Forwarder
from harness.until import until
from harness.warren import Warren

UNKNOWN = "0190f0f0-0000-7000-8000-000000000000"


class Cut:
    def __init__(self, broker, folder):
        self.way = Forwarder(broker.port).open()
        self.warren = Warren(broker, folder, start=False)
        self.warren.status_store.settings["amqp_urls"] = self.way.url(self.warren.vhost)

    def delayed(self):
        id = self.warren.api.submit("echo", {"a": 1}, delay="1h")["id"]
        self.warren.api.wait(id, "scheduled")
        return id

    def mend(self, name):
        self.way.deaf.discard(name)
        self.way.mute.discard(name)
        self.way.reset(name)

    def none_is_left(self):
        until(lambda: self.warren.status_store.metrics().sum("warren_acts_unfinished") == 0, 30,
              "no act is left")


@pytest.fixture(scope="module")
def cut(broker, tmp_path_factory):
    made = Cut(broker, tmp_path_factory.mktemp("warren"))
    try:
        made.warren.start()
        yield made
    finally:
        made.way.deaf.clear()
        made.way.mute.clear()
        made.warren.end()
        made.way.shut()


def test_a_projection_that_is_behind(cut):
    id = cut.delayed()
    cut.way.mute.add("follow")
    answer = act(cut.warren.api, "PATCH", id, 503, json={"priority": "high"})
    assert kind_of(answer) == "status-behind" and "accepted" not in answer
    assert kind_of(act(cut.warren.api, "POST", f"{UNKNOWN}/cancel", 503)) == "status-behind"
    answer = act(cut.warren.api, "POST", f"{id}/cancel")
    assert (answer["status"], answer["workers_behind"]) == ("cancelled", None)
    marks = Marks(cut.warren)
    assert [mark["why"] for mark in marks.of(id)] == ["cancel"]
    marks.close()
    cut.mend("follow")
    job = cut.warren.api.wait(id, "cancelled")
    assert job["priority"] == "medium"


@pytest.mark.parametrize("name, what, end", [("marks", "cancel", "cancelled"), ("moves", "run-now", "completed"),
                                             ("moves", "cancel", "cancelled")])
def test_what_was_begun_is_ended(cut, name, what, end):
    id = cut.delayed()
    cut.way.deaf.add(name)
    answer = act(cut.warren.api, "POST", f"{id}/{what}", 503)
    assert answer["accepted"] == "unknown"
    assert cut.warren.status_store.metrics().sum("warren_acts_unfinished") == 1
    cut.mend(name)
    cut.none_is_left()
    assert cut.warren.api.wait(id)["status"] == end
    marks = Marks(cut.warren)
    assert marks.of(id)[0]["why"] == what.replace("-", "_")
    marks.close()
    attempts = cut.warren.api.attempts(id)["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == (["completed"] if end == "completed" else [])
