# SPDX-License-Identifier: Apache-2.0
"""How many pages of the audit, and how many lookups that read all digests, are made at once."""
import concurrent.futures
import contextlib
import sqlite3

import pytest

from harness.status_rig import StatusStore, now_ms
from harness.until import until

GIVEN, REFUSED = (200, None), (503, "1")
NUMBERS = "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < {}) "


def insert(path, count, sql, *values):
    """So many rows; `i` is the number of each."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(NUMBERS.format(count) + sql, values)


@pytest.fixture(scope="module")
def primary(broker, tmp_path_factory):
    """With so many digests and acts that to look at them takes a while."""
    made = StatusStore(broker, tmp_path_factory.mktemp("places")).primary().start()
    assert made.program.stop() == 0
    insert(made.folder / "status-store.db", 500_000,
           "INSERT INTO finds(seq, trace, key) SELECT i, random(), random() FROM n")
    insert(made.folder / "registry.db", 50_000,
           "INSERT INTO audit(act, at, by, what) SELECT randomblob(16), ?, 'local', 'type.pause' FROM n", now_ms())
    made.program.start()
    yield made
    made.end()


@pytest.mark.parametrize("path, query", [("/audit", {"what": "nosuch"}), ("/lookup", {"q": "nosuch"})])
def test_two_of_one_tenant_and_no_more(primary, path, query):
    """All admin keys are one tenant, "*"."""
    def ask(tenant):
        answer = primary.request("GET", path, params={"tenant": tenant, **query})
        return answer.status_code, answer.headers.get("Retry-After")

    def ask_at_once(*tenants):
        return list(pool.map(ask, tenants))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert ask_at_once(*"**") == [GIVEN] * 2
            assert ask_at_once(*"****", "acme", "acme")[4:] == [GIVEN] * 2, "they have the rest"
        answers = set()
        until(lambda: answers.update(ask_at_once(*"********")) or len(answers) > 1, 30, "some are refused")
        assert answers == {GIVEN, REFUSED}
