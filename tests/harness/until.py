# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition, with a deadline."""
import time


def until(condition, timeout=30, what="the condition", every=0.02):
    """Returns the first true value of condition(); fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s, last was {value!r}")
        time.sleep(every)
