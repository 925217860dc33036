# SPDX-License-Identifier: Apache-2.0
"""tests/bench/peers/children.py: a program that is ready, is done, or fails."""
import subprocess
import time

import pytest

from bench.peers.children import begin, program, wait_word


def shell(text):
    return program(["sh", "-c", text], stdout=subprocess.PIPE)


def test_ready_and_done():
    with shell("echo ready; read -r word; echo $word done; exec sleep 60") as child:
        wait_word(child, b"ready", 10)
        begin([child])
        wait_word(child, b"done", 10)
    assert child.returncode == -15


@pytest.mark.parametrize("text, want", [
    ("exit 3", "has failed|has ended"),
    ("exit 0", "has ended"),
    ("exec sleep 60", "not within 0 s"),
])
def test_never_ready(text, want):
    with pytest.raises(SystemExit, match=want), shell(text) as child:
        wait_word(child, b"ready", 0)


def test_another_one_fails():
    began = time.monotonic()
    with shell("exec sleep 60") as child, shell("exit 1") as other:
        with pytest.raises(SystemExit, match="has failed: sh -c exit 1"):
            wait_word(child, b"ready", 30, [other])
    assert time.monotonic() - began < 20
