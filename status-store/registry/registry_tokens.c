/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_tokens.c: the queues of limits' tokens in registry.db.
 */
#include "status-store/registry/registry_tokens.h"

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_rows.h"
#include "status-store/registry/registry_versions.h"

static int begin_tokens(struct database *db, void *owner, struct err *e)
{
        struct token_queue *q = owner;
        const struct db_value *limit =
                DB_VALUES(value_int(q->kind), value_text(q->of), value_int(clock_wall()));
        if (database_run(db,
                         "UPDATE token_queues SET state = " TOKENS_STALE ", stale_since = ?3"
                         " WHERE kind = ?1 AND name = ?2 AND state = " TOKENS_FILLING,
                         limit, e) != 0 ||
            database_run(db,
                         "INSERT INTO limit_versions(kind, name, version) VALUES(?1, ?2, 1)"
                         " ON CONFLICT(kind, name) DO UPDATE SET version = version + 1",
                         limit, e) != 0)
                return -1;
        AUTO_RESET *find = database_query(
                db, "SELECT version FROM limit_versions WHERE kind = ?1 AND name = ?2", limit, e);
        if (db_step(find, e) != 1)
                return -1;
        q->version = sqlite3_column_int64(find, 0);
        return database_run(db,
                            "INSERT OR REPLACE INTO token_queues(kind, name, version, per, state)"
                            " VALUES(?1, ?2, ?3, ?4, " TOKENS_FILLING ")",
                            DB_VALUES(value_int(q->kind), value_text(q->of), value_int(q->version),
                                      value_int(q->per)),
                            e);
}

int registry_begin_tokens(struct registry *r, struct token_queue *q, struct err *e)
{
        return registry_write(r, begin_tokens, q, e);
}

/* A record of its v may have been published, with a limit that is in force. */
#define TYPE_TOLD "(force_running <> 0 OR force_count <> 0)"

static int use_tokens(struct database *db, void *owner, struct err *e)
{
        static const char *const set[] = {
                [LIMIT_TENANT_SLOTS] =
                        "UPDATE tenants SET slots_version = ?2, told = 0,"
                        " v = v + (force_running <> 0) WHERE name = ?1"
                        " AND slots_version = 0 AND max_running = ?3 AND NOT deleted",
                [LIMIT_TYPE_SLOTS] =
                        "UPDATE types SET slots_version = ?2, told = 0, v = v + " TYPE_TOLD
                        " WHERE name = ?1 AND slots_version = 0 AND max_running = ?3",
                [LIMIT_TYPE_RATE] =
                        "UPDATE types SET rate_version = ?2, told = 0, v = v + " TYPE_TOLD
                        " WHERE name = ?1 AND rate_version = 0 AND rate_count = ?3 AND rate_per = "
                        "?4",
        };
        const struct token_queue *q = owner;
        const struct db_value *values =
                DB_VALUES(value_text(q->of), value_int(q->version), value_int(q->tokens),
                          value_int(q->per), value_int(q->kind));
        int used = rows_change(db,
                               "UPDATE token_queues SET state = " TOKENS_FILLED
                               " WHERE kind = ?5 AND name = ?1 AND version = ?2"
                               " AND state = " TOKENS_FILLING,
                               values, e);
        if (used == 1)
                used = rows_change(db, set[q->kind], values, e);
        if (used == 0)
                return err_set(e, ERR_CONFLICT, "the limit of %s was changed meanwhile", q->of);
        return used < 0 ? -1 : 0;
}

int registry_use_tokens(struct registry *r, const struct token_queue *q, struct err *e)
{
        return registry_write(r, use_tokens, (void *)q, e);
}

int registry_abandon_tokens(struct registry *r, const struct token_queue *q, struct err *e)
{
        int done = registry_rows_change(r,
                                        "UPDATE token_queues SET state = " TOKENS_STALE
                                        ", stale_since = ?4"
                                        " WHERE kind = ?1 AND name = ?2 AND version = ?3",
                                        DB_VALUES(value_int(q->kind), value_text(q->of),
                                                  value_int(q->version), value_int(clock_wall())),
                                        e);
        return done < 0 ? -1 : 0;
}

int registry_forget_tokens(struct registry *r, const struct token_queue *q, struct err *e)
{
        int done = registry_rows_change(
                r, "DELETE FROM token_queues WHERE kind = ?1 AND name = ?2 AND version = ?3",
                DB_VALUES(value_int(q->kind), value_text(q->of), value_int(q->version)), e);
        return done < 0 ? -1 : 0;
}

struct queue_list {
        struct token_queue *list;
        size_t count;
};

static void queue_list_fini(struct queue_list *all)
{
        free(all->list);
}
#define AUTO_QUEUE_LIST __attribute__((cleanup(queue_list_fini))) struct queue_list

static int read_queues(struct registry *r, const char *sql, msec before, struct queue_list *all,
                       struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *rows = reader_query(reader, sql, DB_VALUES(value_int(before)), e);
        int more = 0;
        while ((more = db_step(rows, e)) == 1) {
                all->list = xrealloc(all->list, (all->count + 1) * sizeof(*all->list));
                struct token_queue *q = &all->list[all->count++];
                *q = (struct token_queue){.kind = (enum limit_queue)sqlite3_column_int(rows, 0),
                                          .version = sqlite3_column_int64(rows, 2),
                                          .per = sqlite3_column_int64(rows, 3),
                                          .stale_since = sqlite3_column_int64(rows, 4)};
                db_text(rows, 1, q->of, sizeof(q->of));
        }
        return more;
}

#define SELECT_QUEUES "SELECT kind, name, version, per, stale_since FROM token_queues"

static int each_of(struct queue_list *all, token_queue_fn *each, void *owner, struct err *e)
{
        for (size_t i = 0; i < all->count; i++) {
                if (each(owner, &all->list[i], e) != 0)
                        return -1;
        }
        return 0;
}

int registry_each_filled(struct registry *r, token_queue_fn *each, void *owner, struct err *e)
{
        AUTO_QUEUE_LIST all = {0};
        if (read_queues(r, SELECT_QUEUES " WHERE state = " TOKENS_FILLED, 0, &all, e) != 0)
                return -1;
        return each_of(&all, each, owner, e);
}

int registry_each_stale(struct registry *r, msec before, token_queue_fn *each, void *owner,
                        struct err *e)
{
        AUTO_QUEUE_LIST all = {0};
        if (read_queues(r, SELECT_QUEUES " WHERE state = " TOKENS_STALE " AND stale_since <= ?1",
                        before, &all, e) != 0)
                return -1;
        return each_of(&all, each, owner, e);
}
