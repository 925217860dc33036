# SPDX-License-Identifier: Apache-2.0
"""How long a consumer that starts needs to subscribe the queues of many tenants, and its memory."""
import time

from bench.pipeline import broker_pid, cpu_seconds, resident_mb

LANES = ("critical", "high", "medium", "low", "long")
IDLE_FOR = 10  # s of which the CPU time is measured


def names_of(pipeline):
    listed = pipeline.warren.admin.request("GET", "/tenants").json()["tenants"]
    return [tenant["name"] for tenant in listed]


def make(pipeline, count):
    """Makes tenants until there are `count`. One that was made although its answer was late: 409."""
    admin = pipeline.warren.admin
    there = len(names_of(pipeline))
    for number in range(there, count):
        while True:
            answer = admin.request("POST", "/tenants", json={"name": f"many-{number}"})
            if answer.status_code in (201, 409):
                break
            if answer.status_code != 503:
                raise SystemExit(f"tenant {number}: {answer.status_code} {answer.text}")


def wait_subscribed(pipeline, names):
    """Until the broker counts a consumer on each queue."""
    with pipeline.broker.pika(pipeline.warren.vhost) as connection:
        channel = connection.channel()
        for name in names:
            for lane in LANES:
                while True:
                    found = channel.queue_declare(f"jobs.{name}.{lane}", passive=True)
                    if found.method.consumer_count > 0:
                        break
                    time.sleep(0.01)


def measure(pipeline, count):
    """The figures of a consumer that is started with so many tenants."""
    before = resident_mb(broker_pid(pipeline.broker))
    started = time.monotonic()
    make(pipeline, count)
    made = time.monotonic() - started
    names = names_of(pipeline)
    consumer = pipeline.warren.consumer
    consumer.stop()
    started = time.monotonic()
    consumer.start(ready=False)
    wait_subscribed(pipeline, names)
    figures = {"tenants": len(names), "made_s": made, "subscribed_s": time.monotonic() - started,
               "consumer_cpu_s": cpu_seconds(consumer.pid),
               "consumer_mb": resident_mb(consumer.pid),
               "broker_mb_before": before, "broker_mb": resident_mb(broker_pid(pipeline.broker))}
    spent = cpu_seconds(consumer.pid)
    time.sleep(IDLE_FOR)
    figures["consumer_idle_cores"] = (cpu_seconds(consumer.pid) - spent) / IDLE_FOR
    return figures
