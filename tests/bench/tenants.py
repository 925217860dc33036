# SPDX-License-Identifier: Apache-2.0
"""How long a consumer that starts needs to subscribe the queues of many tenants, and its memory."""
import concurrent.futures
import time

from bench.pipeline import broker_pid, cpu_seconds, resident_mb

LANES = ("critical", "high", "medium", "low", "long")
AT_ONCE = 8     # tenants made at once
IDLE_FOR = 10   # s of which the CPU time is measured


def make(pipeline, count):
    """Makes tenants until there are `count`."""
    admin = pipeline.warren.admin
    there = len(admin.request("GET", "/tenants").json()["tenants"])

    def one(number):
        answer = admin.request("POST", "/tenants", json={"name": f"many-{number}"})
        if answer.status_code != 201:
            raise SystemExit(f"tenant {number}: {answer.status_code} {answer.text}")

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(there, count)))


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


def names_of(pipeline):
    return [tenant["name"] for tenant in pipeline.warren.admin.request("GET", "/tenants").json()["tenants"]]


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
