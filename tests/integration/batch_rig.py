# SPDX-License-Identifier: Apache-2.0
"""Sends batches, whole or as raw bytes."""
import json
import urllib.parse

from gateway_rig import JOBS
from harness.batches import NDJSON
from http_rig import Answers

BATCH = JOBS + "/batch"


def as_array(jobs):
    return json.dumps(jobs).encode()


def as_lines(jobs):
    return b"".join(json.dumps(job).encode() + b"\n" for job in jobs)


FORMS = {"array": (as_array, "application/json"), "lines": (as_lines, NDJSON)}


def send(caller, body, form="array", **arguments):
    """body: bytes, or a list of jobs."""
    write, media = FORMS[form]
    data = write(body) if isinstance(body, list) else body
    return caller.post(BATCH, data=data, headers={"Content-Type": media, **arguments.pop("headers", {})},
                       **arguments)


def refused(job, status, pointer=None, words=""):
    problem = job["problem"]
    assert problem["status"] == status, problem
    assert words in problem["detail"], problem
    if pointer is not None:
        error, = problem["errors"]
        assert error["pointer"] == pointer, problem
    return problem


class Raw:
    """A connection that sends a batch's request byte by byte, as the test wants it."""

    def __init__(self, caller, media=NDJSON, length=None):
        port = urllib.parse.urlsplit(caller.base).port
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        self.answers = Answers(port)
        self.answers.send(f"POST {BATCH} HTTP/1.1\r\nHost: a\r\nContent-Type: {media}\r\n"
                          f"Authorization: {caller.headers['Authorization']}\r\n{framing}\r\n\r\n".encode())

    def send(self, data):
        self.answers.send(data)
        return self

    def cut(self):
        self.answers.file.close()
        self.answers.socket.close()

    def read(self):
        status, headers, body = self.answers.read()
        return status, headers, json.loads(body)
