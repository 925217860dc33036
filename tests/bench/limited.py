# SPDX-License-Identifier: Apache-2.0
"""The load for a tenant with a running limit, and for one without."""


def _load(pipeline, tenant, jobs):
    usual, before = pipeline.tenant, pipeline.spent()
    pipeline.tenant = tenant
    try:
        seconds, _ = pipeline.submit_and_run(jobs)
    finally:
        pipeline.tenant = usual
    after = pipeline.spent()
    return {"jobs_per_s": jobs / seconds,
            "cpu_us_per_job": {name: (after[name] - before[name]) * 1e6 / jobs for name in after}}


def measure(pipeline, jobs, limit):
    """Both in turn, on the same programs."""
    limited = pipeline.warren.tenant("limited", max_pending="unlimited", max_running=limit)
    found = {"unlimited": _load(pipeline, pipeline.tenant, jobs),
             "limited": _load(pipeline, limited, jobs)}
    found["ratio"] = found["limited"]["jobs_per_s"] / found["unlimited"]["jobs_per_s"]
    return found
