/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_pauses.c: the pauses of job types in registry.db.
 */
#include "status-store/registry/registry_pauses.h"

#include <stdio.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_rows.h"

#define PAUSE_COLUMNS "key, v, paused, at, by"

static void read_pause(sqlite3_stmt *s, struct pause_record *p)
{
        *p = (struct pause_record){0};
        db_text(s, 0, p->key, sizeof(p->key));
        p->v = sqlite3_column_int64(s, 1);
        p->paused = sqlite3_column_int(s, 2) != 0;
        p->paused_at = sqlite3_column_int64(s, 3);
        db_text(s, 4, p->by, sizeof(p->by));
}

static int find_pause(struct database *db, const char *key, struct pause_record *out, struct err *e)
{
        AUTO_RESET *find = database_query(db, "SELECT " PAUSE_COLUMNS " FROM pauses WHERE key = ?1",
                                          DB_VALUES(value_text(key)), e);
        int found = db_step(find, e);
        *out = (struct pause_record){.v = 0};
        if (found == 1)
                read_pause(find, out);
        else
                snprintf(out->key, sizeof(out->key), "%s", key);
        return found;
}

int registry_pause(struct registry *r, const char *key, struct pause_record *out, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        return reader == NULL ? -1 : find_pause(reader_database(reader), key, out, e);
}

static int put_pause(struct database *db, const struct pause_record *p, bool told, struct err *e)
{
        return database_run(db,
                            "INSERT OR REPLACE INTO pauses(" PAUSE_COLUMNS ", told, held_until)"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?6,"
                            " ifnull((SELECT held_until FROM pauses WHERE key = ?1), 0))",
                            DB_VALUES(value_text(p->key), value_int(p->v), value_int(p->paused),
                                      value_int(p->paused_at), value_text(p->by), value_int(told)),
                            e);
}

/* `of`: how a tenant's keys begin; "type:": of any. */
static int count_pauses(struct database *db, const char *of, int64_t *count, struct err *e)
{
        AUTO_RESET *all = database_query(db,
                                         "SELECT count(*) FROM pauses"
                                         " WHERE substr(key, 1, length(?1)) = ?1",
                                         DB_VALUES(value_text(of)), e);
        if (db_step(all, e) != 1)
                return -1;
        *count = sqlite3_column_int64(all, 0);
        return 0;
}

static int check_room(struct database *db, const char *key, int64_t max, struct err *e)
{
        char tenant[TENANT_SIZE], type[JOB_TYPE_SIZE], of[PAUSE_KEY_SIZE];
        int64_t all = 0;
        int64_t own = 0;
        bool of_tenant = pause_key_parse(bytes_of_text(key), tenant, type) && tenant[0] != '\0';
        snprintf(of, sizeof(of), "type:%s/", tenant);
        if (count_pauses(db, "type:", &all, e) != 0 ||
            (of_tenant && count_pauses(db, of, &own, e) != 0))
                return -1;
        if (own >= PAUSES_TENANT_MAX)
                return err_set(e, ERR_CONFLICT,
                               "%s has %d pauses of types, each with a queue that stays, and may"
                               " have no more",
                               tenant, PAUSES_TENANT_MAX);
        if (all < (of_tenant ? share_of_tenants(max) : max))
                return 0;
        return err_set(e, ERR_CONFLICT,
                       "there are %lld pauses of types, each with a queue that stays, and"
                       " pauses_max of the status-store allows no more",
                       (long long)all);
}

struct change {
        struct pause_record *pause;
        int64_t max;
};

static int change_pause(struct database *db, void *owner, struct err *e)
{
        const struct change *c = owner;
        struct pause_record *p = c->pause, old;
        int found = find_pause(db, p->key, &old, e);
        if (found < 0 || (found == 0 && p->paused && check_room(db, p->key, c->max, e) != 0))
                return -1;
        if (old.paused == p->paused) {
                *p = old;
                return 0;
        }
        p->v = old.v + 1;
        p->paused_at = p->paused ? clock_wall() : old.paused_at;
        if (!p->paused && rows_end_pause(db, PAUSE_ENDS("pauses", "key", "at"), p->key, e) != 0)
                return -1;
        return put_pause(db, p, false, e);
}

int registry_change_pause(struct registry *r, struct pause_record *p, int64_t max, struct err *e)
{
        struct change c = {.pause = p, .max = max};
        return registry_write(r, change_pause, &c, e);
}

int pauses_end_of_tenant(struct database *db, const char *tenant, struct err *e)
{
        return database_run(db,
                            "UPDATE pauses SET paused = 0, v = v + 1, told = 0 WHERE paused"
                            " AND substr(key, 1, length(?1) + 6) = 'type:' || ?1 || '/'",
                            DB_VALUES(value_text(tenant)), e);
}

static int read_pauses(struct registry *r, enum which which, struct pause_record **list,
                       size_t *count, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *all = reader_query(reader,
                                       "SELECT " PAUSE_COLUMNS " FROM pauses"
                                       " WHERE ?1 = 0 OR told = 0 ORDER BY key",
                                       DB_VALUES(value_int(which)), e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                *list = xrealloc(*list, (*count + 1) * sizeof(**list));
                read_pause(all, &(*list)[(*count)++]);
        }
        return more;
}

int registry_each_pause(struct registry *r, enum which which, pause_fn *each, void *owner,
                        struct err *e)
{
        AUTO_FREE struct pause_record *list = NULL;
        size_t count = 0;
        if (read_pauses(r, which, &list, &count, e) != 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                if (each(owner, &list[i], e) != 0)
                        return -1;
        }
        return 0;
}

static int raise_pause(struct database *db, void *owner, struct err *e)
{
        const struct pause_record *seen = owner;
        struct pause_record p;
        int found = find_pause(db, seen->key, &p, e);
        if (found < 0)
                return -1;
        if (found == 0)
                return put_pause(db, seen, true, e);
        if (p.v >= seen->v)
                return 0;
        p.v = seen->v + 1;
        return put_pause(db, &p, false, e) != 0 ? -1 : 1;
}

int registry_seen_pause(struct registry *r, const struct pause_record *seen, struct err *e)
{
        int high = registry_rows_exist(r, "SELECT 1 FROM pauses WHERE key = ?1 AND v >= ?2",
                                       DB_VALUES(value_text(seen->key), value_int(seen->v)), e);
        if (high != 0)
                return high < 0 ? -1 : 0;
        struct pause_record copy = *seen;
        return registry_write(r, raise_pause, &copy, e);
}
