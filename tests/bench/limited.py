# SPDX-License-Identifier: Apache-2.0
"""The load for a tenant with a running limit, and for one without."""
from bench.pipeline import cpu_seconds


def _load(pipeline, tenant, jobs):
    pids, usual = pipeline.pids(), pipeline.tenant
    before = {name: sum(map(cpu_seconds, group)) for name, group in pids.items()}
    pipeline.tenant = tenant
    try:
        seconds, _ = pipeline.submit_and_run(jobs)
    finally:
        pipeline.tenant = usual
    return {"jobs_per_s": jobs / seconds,
            "cpu_us_per_job": {name: (sum(map(cpu_seconds, group)) - before[name]) * 1e6 / jobs
                               for name, group in pids.items()}}


def measure(pipeline, jobs, limit):
    """Both in turn, on the same programs."""
    limited = pipeline.warren.tenant("limited", max_pending="unlimited", max_running=limit)
    found = {"unlimited": _load(pipeline, pipeline.tenant, jobs),
             "limited": _load(pipeline, limited, jobs)}
    found["ratio"] = found["limited"]["jobs_per_s"] / found["unlimited"]["jobs_per_s"]
    return found
