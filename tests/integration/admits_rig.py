# SPDX-License-Identifier: Apache-2.0
"""Gateways that share rates over stream `admits`, and what a test tells them there."""
import contextlib
import json
import re
import time

import pika

from gateway_rig import Gateway, Service

STREAM = {"x-queue-type": "stream", "x-max-age": "1h", "x-stream-max-segment-size-bytes": 16000000}


@contextlib.contextmanager
def gateways(place, folder):
    """A function that starts one more gateway of this vhost, with settings of its own."""
    services = Service(), Service()
    running = []

    def begin(**settings):
        running.append(Gateway(place, folder, *services, **settings))
        return running[-1].wait_ready()

    yield begin
    for program in running:
        if program.process.poll() is None:
            assert program.stop() == 0


def tenant(control, name, count, per, burst):
    """Its key."""
    control.tenant(name, rate={"count": count, "per": per}, burst=burst)
    return control.key(name, ["submit"])


def limit_of(answer):
    """What is left, and the seconds until the bucket is full."""
    found = re.fullmatch(r'"tenant";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    return int(found.group(1)), int(found.group(2))


def look(caller):
    """As limit_of; uses up nothing."""
    answer = caller.submit(b"{}")
    assert answer.status_code == 422
    return limit_of(answer)


def use_up(caller, most):
    """Submits until it is refused; returns how many were admitted."""
    for admitted in range(most):
        answer = caller.submit()
        if answer.status_code != 202:
            assert answer.status_code == 429, answer.text
            return admitted
    return most


def published(place, **more):
    """Publishes a record as a gateway would."""
    record = {"gateway": "elsewhere/1/aaaaaaaa", "n": 1, "at": int(time.time() * 1000), **more}
    publish(place, json.dumps(record))


def publish(place, *bodies, login="warren-gateway"):
    with place.connect(login) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("admits", "", body, pika.BasicProperties(
                user_id=login, content_type="application/json", delivery_mode=2))


def make_stream(place, **arguments):
    """Makes `admits` anew."""
    with place.connect() as connection:
        channel = connection.channel()
        channel.queue_delete("admits")
        channel.queue_declare("admits", durable=True, arguments={**STREAM, **arguments})
        channel.queue_bind("admits", "admits", "")
