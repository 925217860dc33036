# SPDX-License-Identifier: Apache-2.0
"""Pseudo-terminals, where the system has them."""
import os
import pty

import pytest


def open_terminal():
    """(master, slave), or the test is skipped: a bare chroot or container may have none."""
    try:
        return pty.openpty()
    except OSError as missing:
        pytest.skip(f"no pseudo-terminal here, is /dev/pts mounted? ({missing})")


def need_terminal():
    for end in open_terminal():
        os.close(end)
