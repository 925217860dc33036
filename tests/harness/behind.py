# SPDX-License-Identifier: Apache-2.0
"""A status-store that answers and does not fold."""
import contextlib
import sqlite3


@contextlib.contextmanager
def behind(program):
    """The program folds nothing meanwhile: the test holds the write lock of its database. Reads go on."""
    writer = sqlite3.connect(program.settings["database"], timeout=60, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        writer.execute("ROLLBACK")
        writer.close()
