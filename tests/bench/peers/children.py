# SPDX-License-Identifier: Apache-2.0
"""Programs of a measurement that tell by a pipe when they are ready and when they are done."""
import contextlib
import os
import select
import subprocess
import time

END_SECONDS = 30


@contextlib.contextmanager
def program(command, **options):
    """A program with its input open; it is terminated on leaving, and killed if that takes long."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def shown(process):
    return " ".join(map(str, process.args))


def read_until(fd, wanted, seconds, processes):
    """Reads a pipe until wanted(bytes read in all) is true. No process may fail meanwhile."""
    deadline = time.monotonic() + seconds
    found = bytearray()
    while not wanted(found):
        if select.select([fd], [], [], 1)[0]:
            chunk = os.read(fd, 65536)
            if not chunk:
                raise SystemExit(f"has ended: {shown(processes[0])}")
            found += chunk
        failed = [shown(process) for process in processes if process.poll() not in (None, 0)]
        if failed:
            raise SystemExit(f"has failed: {failed[0]}")
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {shown(processes[0])}")


def wait_word(process, word, seconds, others=()):
    """Until the program has printed the word. It and the others may not fail meanwhile."""
    read_until(process.stdout.fileno(), lambda found: word in found.split(), seconds,
               [process, *others])


def begin(processes):
    """Lets programs begin that wait for a line of input; returns the time."""
    started = time.monotonic()
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    return started
