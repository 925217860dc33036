/* SPDX-License-Identifier: Apache-2.0
 *
 * stored_db.h: databases as earlier versions wrote them, stored as SQL in tests/unit/databases.
 */
#pragma once

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/db.h"
#include "tests/unit/stored_text.h"

static inline char *stored_sql(const char *name)
{
        AUTO_FREE char *path = xasprintf(STORED_DATABASES "/%s.sql", name);

        return stored_text(path);
}

static inline void stored_db_exec(const char *path, const char *sql)
{
        struct err e = {0};
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        if (db_exec(db, sql, &e) != 0)
                fail_msg("%s", e.text);
        db_close(&db);
}

/* Creates a database from `name`.sql. */
static inline void stored_db_make(const char *path, const char *name)
{
        AUTO_FREE char *sql = stored_sql(name);

        stored_db_exec(path, sql);
}

static inline void stored_db_remove(const char *path)
{
        static const char *const suffixes[] = {"", "-wal", "-shm"};

        for (size_t i = 0; i < COUNT(suffixes); i++) {
                AUTO_FREE char *file = xasprintf("%s%s", path, suffixes[i]);
                unlink(file);
        }
}

/* The rows of a query with one text column, one per line. */
static inline char *stored_db_lines(const char *path, const char *sql)
{
        struct err e = {0};
        AUTO_BUFFER out = {0};
        AUTO_DB *db = db_open(path, DB_READ_ONLY, &e);
        AUTO_STATEMENT *s = db_prepare(db, sql, &e);

        if (s == NULL)
                fail_msg("%s", e.text);
        while (db_step(s, &e) == 1)
                buffer_printf(&out, "%s\n", (const char *)sqlite3_column_text(s, 0));
        return buffer_take(&out);
}

/* The version, the tables with their columns in any order, the indexes and triggers. */
static inline char *stored_db_schema(const char *path)
{
        return stored_db_lines(
                path, "SELECT 'version ' || user_version FROM pragma_user_version UNION ALL"
                      " SELECT * FROM (SELECT m.name || ' ' || c.name || ' ' || c.type || c.pk"
                      " FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
                      " WHERE m.type = 'table' ORDER BY 1) UNION ALL"
                      " SELECT * FROM (SELECT type || ' ' || name || ' ' ||"
                      " replace(replace(sql, 'IF NOT EXISTS ', ''), '\"', '') FROM sqlite_master"
                      " WHERE type <> 'table' AND sql IS NOT NULL ORDER BY 1)");
}
