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


def read_until(fd, wanted, seconds, what):
    """Reads a pipe until wanted(bytes read in all) is true."""
    deadline = time.monotonic() + seconds
    found = bytearray()
    while not wanted(found):
        readable, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        chunk = os.read(fd, 65536) if readable else b""
        if not chunk:
            raise SystemExit(f"{what}: {'has ended' if readable else f'not within {seconds} s'}")
        found += chunk


def wait_word(process, word, seconds, what):
    """Until the program has printed the word."""
    read_until(process.stdout.fileno(), lambda found: word in found.split(),
               seconds, f"{what} {word.decode()}")


def begin(processes):
    """Lets programs begin that wait for a line of input; returns the time."""
    started = time.monotonic()
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    return started
