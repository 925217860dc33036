# SPDX-License-Identifier: Apache-2.0
"""Jobs submitted alone, each with an idempotency key; then the same once more."""
import uuid

RUN_WITHIN = 600


def _submit(pipeline, jobs, prefix):
    found, cpu = pipeline.noops(jobs, flags=("--keys", prefix))
    if found["accepted"] != jobs:
        raise SystemExit(f"{found['accepted']} of {jobs} jobs accepted: {found['status']}")
    return {**found, "cpu_us_per_job": cpu}


def measure(pipeline, jobs):
    """SystemExit when a key made two jobs."""
    prefix, before = f"bench-{uuid.uuid4()}", pipeline.completed()
    found = {"first": _submit(pipeline, jobs, prefix)}
    pipeline.wait_completed(before + jobs, RUN_WITHIN)
    found["again"] = _submit(pipeline, jobs, prefix)
    pipeline.submit(1)  # when this has run, all before it have
    pipeline.wait_completed(before + jobs + 1, RUN_WITHIN)
    if (made := pipeline.completed() - before) != jobs + 1:
        raise SystemExit(f"{jobs} keys made {made - 1} jobs")
    return found
