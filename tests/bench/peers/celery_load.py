# SPDX-License-Identifier: Apache-2.0
"""Celery under load: its application, as the worker loads it, and the adding side.

    python3 -m celery -A bench.peers.celery_load worker …
    python3 -m bench.peers.celery_load JOBS ADDERS PAYLOAD_BYTES

CELERY_LOAD_BROKER is the broker's URL. The worker writes to the pipe CELERY_LOAD_PIPE: an "R" when
it is ready, a dot for each task that ran. The adding side prints "ready" and waits for a line of
standard input; each adder, a thread, then adds one task after the other.
"""
import os
import sys
import threading

import celery
from celery.signals import worker_ready

ADDERS_MAX = 64
# Older workers set their prefetch limit for the whole channel, which a quorum queue refuses.
HAS_QUORUM = celery.VERSION[:2] >= (5, 5)

app = celery.Celery("bench", broker=os.environ.get("CELERY_LOAD_BROKER"))
app.conf.update(
    broker_pool_limit=ADDERS_MAX,  # a connection for each adder
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_ignore_result=True,
)
if HAS_QUORUM:
    app.conf.update(task_default_queue_type="quorum", worker_detect_quorum_queues=True)

_pipe = int(os.environ.get("CELERY_LOAD_PIPE", "-1"))


@worker_ready.connect
def tell_ready(**_):
    os.write(_pipe, b"R")


@app.task(name="noop")
def noop(_payload):
    os.write(_pipe, b".")


def add(jobs, payload):
    for _ in range(jobs):
        noop.delay(payload)


def main():
    jobs, adders, payload_bytes = (int(text) for text in sys.argv[1:])
    payload = "x" * max(0, payload_bytes - 2)  # and two quotes
    shares = [jobs // adders + (i < jobs % adders) for i in range(adders)]
    threads = [threading.Thread(target=add, args=(share, payload)) for share in shares]
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=3)
    print("ready", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
