/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c: opens registry.db, and gives access to it.
 */
#include "status-store/registry.h"

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/migrate.h"
#include "status-store/registry_db.h"

enum { READERS = 4 };

/* clang-format off */
#define TABLES_1 \
        "CREATE TABLE IF NOT EXISTS tenants(name TEXT PRIMARY KEY, v INTEGER NOT NULL," \
        " rate_count INTEGER, rate_per INTEGER, burst INTEGER, max_running INTEGER," \
        " slots_version INTEGER, max_pending INTEGER, weight INTEGER, paused INTEGER," \
        " deleted INTEGER, amqp_login INTEGER, created_at INTEGER, deleted_at INTEGER," \
        " told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;" \
        "CREATE TABLE IF NOT EXISTS keys(id TEXT PRIMARY KEY, v INTEGER NOT NULL," \
        " tenant TEXT NOT NULL, sha256 BLOB NOT NULL, scopes INTEGER, expires INTEGER," \
        " revoked INTEGER, created_at INTEGER, told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;" \
        "CREATE INDEX IF NOT EXISTS keys_tenant ON keys(tenant);" \
        /* The last version of a deleted tenant: one that reuses the name goes on from it. */ \
        "CREATE TABLE IF NOT EXISTS versions(name TEXT PRIMARY KEY, v INTEGER) WITHOUT ROWID;" \
        /* Names of deleted tenants. They stay: the archive may hold their letters. */ \
        "CREATE TABLE IF NOT EXISTS former(name TEXT PRIMARY KEY) WITHOUT ROWID;"
/* clang-format on */

/* Before version 1 files had no version, and the first ones no table `former`: it is filled from
 * the versions that deleted tenants left. */
static const char unversioned_to_1[] =
        TABLES_1 "INSERT OR IGNORE INTO former SELECT name FROM versions UNION"
                 " SELECT name FROM tenants WHERE deleted = 1 AND deleted_at > 0;";

static const struct db_step steps[] = {{.sql = unversioned_to_1}};

static const struct db_schema schema = {.tables = TABLES_1,
                                        .steps = steps,
                                        .version = sizeof(steps) / sizeof(steps[0]),
                                        .otherwise =
                                                "bring back a backup made by an earlier version"};

struct registry {
        struct writer *writer;
        struct readers *readers;
};

struct registry *registry_create(const char *path, struct err *e)
{
        AUTO(registry) r = xcalloc(1, sizeof(*r));
        AUTO_DB *db = db_open(path, DB_PRIMARY, e);
        if (db == NULL || db_migrate(db, &schema, e) != 0)
                return NULL;
        r->writer = writer_create(&db, e);
        if (r->writer == NULL)
                return NULL;
        r->readers = readers_create(path, READERS, e);
        return r->readers != NULL ? TAKE(r) : NULL;
}

void registry_destroy(struct registry **r)
{
        if (*r == NULL)
                return;
        readers_destroy(&(*r)->readers);
        writer_destroy(&(*r)->writer);
        free(*r);
        *r = NULL;
}

int registry_write(struct registry *r, write_fn *run, void *owner, struct err *e)
{
        return writer_run(r->writer, run, owner, e);
}

struct reader *registry_read(struct registry *r, struct err *e)
{
        return readers_take(r->readers, e);
}
