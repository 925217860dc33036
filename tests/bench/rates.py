# SPDX-License-Identifier: Apache-2.0
"""The share of a type's execution rate that three consumers together reach, and the busiest `per`."""
import time

CONSUMERS = 3
SECONDS = 10  # of work at the rate
RATES = (("10/1s", 10, 1.0), ("200/1s", 200, 1.0), ("1000/1s", 1000, 1.0), ("100/100ms", 100, 0.1))


def _limit(pipeline, rate):
    answer = pipeline.warren.admin.request("PATCH", "/types/noop", json={"max_rate": rate})
    if answer.status_code != 200:
        raise SystemExit(f"max_rate {rate}: {answer.status_code} {answer.text}")


def _share(pipeline, name, count, per):
    """Of the starts after the first tokens, which are there at once."""
    _limit(pipeline, name)
    jobs = count + round(SECONDS * count / per)
    began = time.monotonic()
    pipeline.submit_and_run(jobs)
    return (jobs - count) / ((time.monotonic() - began) * count / per)


def measure(pipeline):
    added = [pipeline.warren.add_consumer() for _ in range(CONSUMERS - 1)]
    shares = {name: _share(pipeline, name, count, per) for name, count, per in RATES}
    _limit(pipeline, "unlimited")
    for consumer in added:
        consumer.stop()
    return shares
