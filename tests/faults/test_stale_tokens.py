# SPDX-License-Identifier: Apache-2.0
"""Jobs that run under tokens of a limit that was changed: nothing happens to them, nor to the link that their
tokens came over."""
import json
import math

from harness.until import until
from limits_rig import Limited


def token_queues(limited, prefix):
    return {name for name in limited.warren.broker.queues(limited.warren.vhost) if name.startswith(prefix)}


def complaints(limited):
    """What the consumers' logs say of lost links, and of anything else."""
    lines = [json.loads(line) for consumer in limited.consumers for line in consumer.log().splitlines()]
    return [line for line in lines if line["level"] in ("warn", "error")]


def running(limited):
    return [run for run in limited.recorder.runs(type="long") if run.end == math.inf]


def change_under_long_jobs(make_warren, tmp_path):
    """Three jobs run under tokens of queues that no record names any more."""
    limited = Limited(make_warren, tmp_path, "long", "short")
    limited.warren.tenant("acme", max_running=3)
    limited.limit("types/long", max_running=3, max_rate="50/1s")
    for _ in range(3):
        limited.submit("acme", "long", 6000)
    until(lambda: len(running(limited)) == 3, 20, "they run")
    limited.limit("tenants/acme", max_running=2)
    limited.limit("types/long", max_running=2, max_rate="40/1s")
    return limited


def await_whole(limited, tally, what):
    """More jobs run as ever; every token is back, and no link was lost."""
    limited.submit_all("acme", "short", [20] * 40)
    limited.submit_all("acme", "long", [20] * 6)
    limited.await_ended(tally, what)
    assert set(limited.recorder.started().values()) == {1}
    assert complaints(limited) == []
    queues = ("slots.acme.2", "slots-type.long.2")
    until(lambda: [limited.warren.depth(queue) for queue in queues] == [2, 2], 20, "all tokens are back")


def test_the_queues_stay_while_jobs_run_under_their_tokens(make_warren, tmp_path, tally):
    """The broker counts a token that is held as a consumer."""
    limited = change_under_long_jobs(make_warren, tmp_path)
    until(lambda: token_queues(limited, "rates-type.long.") == {"rates-type.long.2"}, 5,
          "that of the rate goes, whose tokens nobody holds")
    assert len(running(limited)) == 3, "the jobs ended before that"
    assert token_queues(limited, "slots.acme.") == {"slots.acme.1", "slots.acme.2"}
    assert token_queues(limited, "slots-type.long.") == {"slots-type.long.1", "slots-type.long.2"}
    await_whole(limited, tally, "limits changed under long jobs")
    until(lambda: token_queues(limited, "slots") == {"slots.acme.2", "slots-type.long.2"}, 20,
          "the old ones go")


def test_their_queues_deleted_all_the_same(make_warren, tmp_path, tally):
    limited = change_under_long_jobs(make_warren, tmp_path)
    for queue in ("slots.acme.1", "slots-type.long.1"):
        limited.warren.broker.management("DELETE", f"/api/queues/{limited.warren.vhost}/{queue}")
    assert len(running(limited)) == 3, "the jobs ended before that"
    await_whole(limited, tally, "the tokens' queues deleted under running jobs")
