/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_versions.c: the versions of limits.
 */
#include "status-store/registry/registry_versions.h"

#include "common/base/own.h"

static int last_version(struct database *db, enum limit_queue kind, const char *of,
                        int64_t *version, struct err *e)
{
        AUTO_RESET *find = database_query(
                db, "SELECT version FROM limit_versions WHERE kind = ?1 AND name = ?2",
                DB_VALUES(value_int(kind), value_text(of)), e);
        int found = db_step(find, e);
        *version = found == 1 ? sqlite3_column_int64(find, 0) : 0;
        return found < 0 ? -1 : 0;
}

/* The record of what has no limit has the last version, abandoned ones too: so a registry that is
 * lost can go on from `control`. */
int version_after(struct database *db, const struct limit_change *c, int64_t *version,
                  struct limit *in_force, struct err *e)
{
        if (c->was.count == RECORD_UNLIMITED || c->was.version != 0)
                *in_force = c->was;
        if (!c->limited)
                return last_version(db, c->kind, c->of, version, e);
        *version = c->same && *version != 0 ? c->was.version : 0;
        return 0;
}

/* Versions between the last one known here and the one seen: their queues may be left. */
static const char missed_sql[] =
        "INSERT OR IGNORE INTO token_queues(kind, name, version, per, state, stale_since)"
        " WITH RECURSIVE missed(i) AS (SELECT max(?5 + 1, ?3 - 1000) UNION ALL"
        " SELECT i + 1 FROM missed WHERE i < ?3 - 1)"
        " SELECT ?1, ?2, i, ?4, " TOKENS_STALE ", ?6 FROM missed WHERE i < ?3";

int version_seen(struct database *db, const struct limit_seen *s, struct err *e)
{
        int64_t known = 0;
        if (last_version(db, s->kind, s->of, &known, e) != 0)
                return -1;
        const struct db_value *values =
                DB_VALUES(value_int(s->kind), value_text(s->of), value_int(s->version),
                          value_int(s->per), value_int(known), value_int(clock_wall()));
        if (database_run(db, missed_sql, values, e) != 0 ||
            database_run(db,
                         "INSERT INTO limit_versions(kind, name, version) VALUES(?1, ?2, ?3)"
                         " ON CONFLICT(kind, name) DO UPDATE SET version ="
                         " max(version, excluded.version)",
                         values, e) != 0)
                return -1;
        if (!s->limited)
                return 0;
        return database_run(db,
                            "INSERT OR IGNORE INTO token_queues(kind, name, version, per, state)"
                            " VALUES(?1, ?2, ?3, ?4, " TOKENS_FILLED ")",
                            values, e);
}

#define NOW_STALE \
        "UPDATE token_queues SET state = " TOKENS_STALE ", stale_since = ?3 WHERE name = ?1" \
        " AND state <> " TOKENS_STALE

/* While the row's own version is 0, the one in force stays, and so does one that is being filled.
 */
int versions_published(struct database *db, enum record_kind kind, const char *of, int64_t v,
                       struct err *e)
{
        const struct db_value *values =
                DB_VALUES(value_text(of), value_int(v), value_int(clock_wall()));
        if (kind == RECORD_TENANT)
                return database_run(
                        db,
                        NOW_STALE
                        " AND kind = 0 AND version <> (SELECT CASE WHEN max_running > 0"
                        " AND NOT deleted THEN nullif(slots_version, 0) ELSE 0 END FROM tenants"
                        " WHERE name = ?1 AND v = ?2)",
                        values, e);
        if (kind != RECORD_TYPE)
                return 0;
        if (database_run(db,
                         NOW_STALE " AND kind = 1 AND version <> (SELECT CASE WHEN max_running > 0"
                                   " THEN nullif(slots_version, 0) ELSE 0 END FROM types"
                                   " WHERE name = ?1 AND v = ?2)",
                         values, e) != 0)
                return -1;
        return database_run(db,
                            NOW_STALE " AND kind = 2 AND version <> (SELECT CASE WHEN rate_count >"
                                      " 0 THEN nullif(rate_version, 0) ELSE 0 END FROM types"
                                      " WHERE name = ?1 AND v = ?2)",
                            values, e);
}
