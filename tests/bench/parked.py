# SPDX-License-Identifier: Apache-2.0
"""What parked jobs cost while their type is paused, beside the same Warren idle; how fast they are parked and
brought back."""
import time

MOST = 0.01  # of a core, more than idle


def _set(pipeline, verb):
    answer = pipeline.warren.admin.request("POST", f"/types/noop/{verb}")
    if answer.status_code != 202:
        raise SystemExit(f"{verb}: {answer.status_code} {answer.text}")


def _cores(pipeline, seconds):
    """Cores in use, by program."""
    before = pipeline.spent()
    time.sleep(seconds)
    after = pipeline.spent()
    return {name: (after[name] - before[name]) / seconds for name in after}


def _until(condition, seconds, what):
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + seconds:
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(0.1)
    return time.monotonic() - began


def measure(pipeline, jobs, seconds):
    """SystemExit when Warren's programs together take more of a core than MOST, compared with idle."""
    pipeline.submit_and_run(1)
    time.sleep(5)
    idle = _cores(pipeline, seconds)
    _set(pipeline, "pause")
    time.sleep(1)
    began, before = time.monotonic(), pipeline.completed()
    accepted = pipeline.submit(jobs)["status"].get("202", 0)
    _until(lambda: pipeline.warren.depth("parked.noop") >= accepted, 600, "all are parked")
    parked_s = time.monotonic() - began
    time.sleep(10)
    parked = _cores(pipeline, seconds)
    began = time.monotonic()
    _set(pipeline, "resume")
    pipeline.wait_completed(before + accepted, 600)
    back_s = time.monotonic() - began
    more = {name: parked[name] - idle[name] for name in parked}
    warren = sum(share for name, share in more.items() if name != "broker")
    if warren > MOST:
        raise SystemExit(f"{accepted} parked jobs take {warren:.4f} of a core: {more}")
    return {"jobs": accepted, "parked_per_s": accepted / parked_s, "back_per_s": accepted / back_s,
            "idle_cores": idle, "parked_cores": parked, "more_cores": more, "warren_more_cores": warren}
