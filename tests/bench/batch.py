# SPDX-License-Identifier: Apache-2.0
"""Jobs submitted in batches, and raw confirmed publishing of the same jobs to one queue."""

IN_FLIGHT = 512  # the jobs that all batches of a gateway have in flight
RUN_WITHIN = 600


def _submit(pipeline, jobs, options):
    found, cpu = pipeline.noops(jobs, flags=("--batch", str(options.batch)),
                                connections=options.batch_connections)
    if found["accepted"] != jobs:
        raise SystemExit(f"{found['accepted']} of {jobs} jobs accepted: {found['status']}")
    return {**found, "cpu_us_per_job": cpu}


def measure(pipeline, ceiling, options):
    """`ceiling(form, in_flight)` measures raw publishing. A paused tenant's jobs are only kept, as
    there; those of one that is not run at the same time."""
    path, admin = f"/tenants/{pipeline.tenant.name}", pipeline.warren.admin
    before = pipeline.completed()
    found = {"raw": ceiling("queue", IN_FLIGHT)}
    admin.request("POST", f"{path}/pause").raise_for_status()
    found["kept"] = _submit(pipeline, options.jobs, options)
    admin.request("POST", f"{path}/resume").raise_for_status()
    pipeline.wait_completed(before + options.jobs, RUN_WITHIN)
    found["run"] = _submit(pipeline, options.jobs, options)
    pipeline.wait_completed(before + 2 * options.jobs, RUN_WITHIN)
    found["ratio"] = found["kept"]["per_s"] / found["raw"]["jobs_per_s"]
    return found
