# SPDX-License-Identifier: Apache-2.0
"""What clients of the live feed cost the gateway, and the submissions that come in meanwhile."""
import json
import subprocess
import time

from bench.pipeline import cpu_seconds, resident_mb

PER_JOB = 3  # transitions of a job that completes: submitted, started, completed
SETTLE = 3  # s until all clients are connected

# Name, what each client asks for; None: there are none.
VARIANTS = (("none", None), ("all events", ""), ("none again", None), ("one type each", "types=live-%d"),
            ("counts", "mode=counts"))


def _clients(pipeline, options, query):
    command = [pipeline.bin / "warren-bench-live", str(pipeline.warren.gateway.port), pipeline.warren.admin_key,
               str(options.clients), str(options.live_seconds + SETTLE), query]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _measure(pipeline, options, query):
    clients = _clients(pipeline, options, query) if query is not None else None
    time.sleep(SETTLE)
    rate = options.transitions // PER_JOB
    gateway = pipeline.warren.gateway.pid
    before, began = cpu_seconds(gateway), time.monotonic()
    command = pipeline.submit_command(pipeline.tenant, rate * options.live_seconds, "noop", options.payload,
                                      flags=("--rate", str(rate)))
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    seconds = time.monotonic() - began
    figures = {"cores": (cpu_seconds(gateway) - before) / seconds, "resident_mb": resident_mb(gateway),
               "transitions_per_s": PER_JOB * found["accepted"] / seconds, "submit_p50_ms": found["p50_ms"],
               "submit_p99_ms": found["p99_ms"]}
    if clients is not None:
        figures["clients"] = json.loads(clients.communicate()[0])
    return figures


def measure(pipeline, options):
    """Figures by variant; `idle`: what clients cost while nothing happens."""
    gateway = pipeline.warren.gateway.pid
    figures = {}
    empty = resident_mb(gateway)
    clients = _clients(pipeline, options, "types=live-none")
    time.sleep(SETTLE)
    before, began = cpu_seconds(gateway), time.monotonic()
    time.sleep(options.live_seconds / 2)
    figures["idle"] = {"cores": (cpu_seconds(gateway) - before) / (time.monotonic() - began),
                       "resident_mb": resident_mb(gateway),
                       "kb_a_client": (resident_mb(gateway) - empty) * 1024 / options.clients}
    clients.communicate()
    for name, query in VARIANTS:
        figures[name] = _measure(pipeline, options, query)
    return figures


def line(name, figures):
    """For people."""
    text = f"live: {name:<14} {figures['cores']:>6.2f} cores, {figures['resident_mb']:.0f} MB"
    if "kb_a_client" in figures:
        return text + f", {figures['kb_a_client']:.0f} KB a client"
    text += (f"; {figures['transitions_per_s']:.0f} transitions/s; submission p50 {figures['submit_p50_ms']} ms, "
             f"p99 {figures['submit_p99_ms']} ms")
    if "clients" in figures:
        text += f"; {figures['clients']}"
    return text
