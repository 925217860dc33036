# SPDX-License-Identifier: Apache-2.0
"""A consumer keeps to its budget of held bytes, however large the jobs are."""
from harness.events import Events
from harness.publish import publish
from harness.until import until

PAYLOAD = 200 * 1024
BUDGET = 2 * 1024 * 1024
FIRST_WINDOW = 8  # deliveries of a queue that may be under way when the budget is reached


def test_large_jobs_stay_within_the_budget(make_warren):
    warren = make_warren(settings={"consumer": {"held_max": BUDGET, "concurrency": 4}})
    tenants = [warren.tenant(name, amqp_login=True) for name in ("acme", "other", "third")]
    ids = []
    for tenant in tenants:
        with tenant.pika() as connection:
            channel = connection.channel()
            # These occupy the workers, so the rest has to wait.
            ids += [publish(channel, tenant.name, "sleep", {"ms": 3000}, lane="critical")
                    for _ in range(4)]
            for lane in ("high", "medium", "low"):
                ids += [publish(channel, tenant.name, "noop", "x" * PAYLOAD, lane=lane)
                        for _ in range(25)]
    most = [0]

    def is_full():
        most[0] = max(most[0], warren.consumer.metrics()["warren_held_bytes"])
        return most[0] > BUDGET

    until(is_full, 60, "the budget reached")
    events = Events(warren)

    def ended():
        is_full()
        return len(events.ended(ids)) == len(ids)

    events.until(ended, 120, "all ended")
    events.close()
    assert most[0] < BUDGET + len(tenants) * 3 * FIRST_WINDOW * PAYLOAD * 1.1
    until(lambda: warren.consumer.metrics()["warren_held_bytes"] == 0, 30, "nothing held")
    assert max(events.count("started", set(ids)).values()) == 1


def test_what_comes_at_once_stays_within_the_budget_too(make_warren):
    """120 jobs of half a MiB are queued. The consumer may hold 1 MiB, and the one job that exceeds it."""
    warren = make_warren(handlers={"types": {"slow": {"exec": ["/bin/sleep", "60"], "concurrency": 1}}},
                         settings={"consumer": {"held_max": 1 << 20, "concurrency": 100}})
    tenant = warren.tenant("acme", amqp_login=True)
    assert warren.consumer.stop() == 0
    with tenant.pika() as connection:
        channel = connection.channel()
        for _ in range(120):
            publish(channel, "acme", "slow", "x" * (1 << 19), lane="low")
    warren.consumer.start()

    def held():
        return warren.consumer.metrics()["warren_held_bytes"]

    until(lambda: held() > 1 << 20, 60, "the budget is used")
    assert max(held() for _ in range(50)) < 2 << 20
