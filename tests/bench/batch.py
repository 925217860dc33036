# SPDX-License-Identifier: Apache-2.0
"""Jobs submitted in batches, and raw confirmed publishing of the same jobs to one queue."""
import requests

IN_FLIGHT = 512  # the jobs that all batches of a gateway have in flight
RUN_WITHIN = 600


def _submit(pipeline, jobs, options):
    found, cpu = pipeline.noops(jobs, flags=("--batch", str(options.batch)),
                                connections=options.batch_connections)
    if found["accepted"] != jobs:
        raise SystemExit(f"{found['accepted']} of {jobs} jobs accepted: {found['status']}")
    return {**found, "cpu_us_per_job": cpu}


def _tenant(pipeline, action):
    """`pause` or `resume`, which no gateway offers."""
    warren = pipeline.warren
    token = (warren.folder / "internal.token").read_text(encoding="utf-8").strip()
    requests.post(f"http://127.0.0.1:{warren.status_store.port}/internal/v1/tenants/"
                  f"{pipeline.tenant.name}/{action}", timeout=30,
                  headers={"Authorization": f"Bearer {token}"}).raise_for_status()


def measure(pipeline, ceiling, options):
    """`ceiling(form, in_flight)` measures raw publishing. A paused tenant's jobs are only kept, as
    there; those of one that is not run at the same time."""
    before = pipeline.completed()
    found = {"raw": ceiling("queue", IN_FLIGHT)}
    _tenant(pipeline, "pause")
    found["kept"] = _submit(pipeline, options.jobs, options)
    _tenant(pipeline, "resume")
    pipeline.wait_completed(before + options.jobs, RUN_WITHIN)
    found["run"] = _submit(pipeline, options.jobs, options)
    pipeline.wait_completed(before + 2 * options.jobs, RUN_WITHIN)
    found["ratio"] = found["kept"]["per_s"] / found["raw"]["jobs_per_s"]
    return found
