/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_acts.c: acts under way, the moved list and run numbers in registry.db.
 */
#include "status-store/acts/registry_acts.h"

#include <string.h>

#include "common/model/mark.h"
#include "status-store/registry/registry_rows.h"

/* A parked job, or one of a paused tenant, waits longer than its due time says. */
#define PAUSE_LONG ((msec)30 * MSEC_DAY)
/* As long as dead letters, which ask for a number again. */
#define RUNS_KEEP ((msec)90 * MSEC_DAY)
/* A run is told within this time after its grant, or has not begun. */
#define RUN_UNTOLD ((msec)MSEC_HOUR)

struct granted {
        int64_t run; /* 0: none */
        msec at;
};

static int last_granted(struct database *db, const char *tenant, const struct uuid *id,
                        struct granted *out, struct err *e)
{
        AUTO_RESET *find = database_query(db,
                                          "SELECT run, at FROM runs WHERE tenant = ?1 AND id = ?2"
                                          " ORDER BY run DESC LIMIT 1",
                                          DB_VALUES(value_text(tenant), value_id(id)), e);
        int found = db_step(find, e);
        *out = (struct granted){.run = 0};
        if (found == 1)
                *out = (struct granted){sqlite3_column_int64(find, 0),
                                        sqlite3_column_int64(find, 1)};
        return found < 0 ? -1 : 0;
}

static int add_run(struct database *db, const char *tenant, const struct uuid *id, int64_t run,
                   int64_t copy, struct bytes holder, struct err *e)
{
        return database_run(db,
                            "INSERT INTO runs(tenant, id, run, copy, holder, at)"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                            DB_VALUES(value_text(tenant), value_id(id), value_int(run),
                                      value_int(copy), value_blob(holder), value_int(clock_wall())),
                            e);
}

static int grant_retry(struct database *db, struct intent *i, struct err *e)
{
        const struct uuid id = uuid_of(i->id);
        struct granted last;
        if (last_granted(db, i->tenant, &id, &last, e) != 0)
                return -1;
        i->run = 1 + (last.run > i->run ? last.run : i->run);
        return add_run(db, i->tenant, &id, i->run, i->copy, (struct bytes){0}, e);
}

static int put_intent(struct database *db, const struct intent *i, struct err *e)
{
        const struct uuid id = uuid_of(i->id);
        return database_run(
                db,
                "INSERT OR REPLACE INTO acts(tenant, id, kind, run, attempt, copy, run_at,"
                " priority, moved, due, by, at)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                DB_VALUES(value_text(i->tenant), value_id(&id), value_int(i->kind),
                          value_int(i->run), value_int(i->attempt), value_int(i->copy),
                          value_int(i->run_at), value_int(i->priority), value_int(i->moved),
                          value_int(i->due), value_text(i->by), value_int(i->at)),
                e);
}

struct begin {
        struct intent *all;
        size_t count;
        write_fn *progress;
        void *owner;
};

static int begin_acts(struct database *db, void *owner, struct err *e)
{
        const struct begin *b = owner;
        for (size_t i = 0; i < b->count; i++) {
                if (b->all[i].kind == ACT_RETRY && grant_retry(db, &b->all[i], e) != 0)
                        return -1;
                if (put_intent(db, &b->all[i], e) != 0)
                        return -1;
        }
        return b->progress != NULL ? b->progress(db, b->owner, e) : 0;
}

int registry_begin_acts(struct registry *r, struct intent *all, size_t count, write_fn *progress,
                        void *owner, struct err *e)
{
        struct begin b = {all, count, progress, owner};
        return registry_write(r, begin_acts, &b, e);
}

static int delete_intent(struct database *db, const struct intent *i, struct err *e)
{
        const struct uuid id = uuid_of(i->id);
        return database_run(db, "DELETE FROM acts WHERE tenant = ?1 AND id = ?2",
                            DB_VALUES(value_text(i->tenant), value_id(&id)), e);
}

/* Messages of a type that is unknown may be held by a pause of any type. */
static int may_be_missing(struct database *db, const struct intent *i, const struct moved_terms *t,
                          struct err *e)
{
        if (i->due > t->now + t->keep / 2)
                return 0;
        int held = rows_exist(
                db,
                "SELECT 1 FROM tenants WHERE name = ?1 AND (paused OR held_until > ?3)"
                " UNION ALL SELECT 1 FROM pauses WHERE (paused OR held_until > ?3)"
                " AND (key IN ('type:' || ?2, 'type:' || ?1 || '/' || ?2)"
                "  OR ?2 IS NULL AND (instr(key, '/') = 0"
                "  OR substr(key, 1, length(?1) + 6) = 'type:' || ?1 || '/'))",
                DB_VALUES(value_text(i->tenant), value_text(i->type), value_int(t->now)), e);
        return held < 0 ? -1 : !held;
}

int registry_moved_may_be_missing(struct registry *r, const struct intent *i,
                                  const struct moved_terms *terms, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        return reader == NULL ? -1 : may_be_missing(reader_database(reader), i, terms, e);
}

bool moved_is_short(const struct moved_terms *t, const char *tenant)
{
        return t->full || strcmp(t->crowding, tenant) == 0;
}

struct ending {
        const struct intent *all;
        size_t count;
        const struct moved_terms *terms;
        int64_t added;
};

/* Of two acts on a job the greater stays, with the longer time. */
static int put_moved(struct database *db, struct ending *end, const struct intent *i, struct err *e)
{
        const struct moved_terms *t = end->terms;
        const struct uuid id = uuid_of(i->id);
        int known = rows_exist(db, "SELECT 1 FROM moved WHERE tenant = ?1 AND id = ?2",
                               DB_VALUES(value_text(i->tenant), value_id(&id)), e);
        if (known < 0)
                return -1;
        bool is_short = known == 0 && moved_is_short(t, i->tenant);
        int missing = is_short ? may_be_missing(db, i, t, e) : 0;
        if (missing != 0)
                return missing < 0 ? -1 : 0;
        msec due = i->due > t->now + PAUSE_LONG ? i->due : t->now + PAUSE_LONG;
        bool ends = act_ends_the_run(i->kind);
        end->added += known == 0;
        return database_run(
                db,
                "INSERT INTO moved(tenant, id, run, attempt, copy, kind, keep)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(tenant, id) DO UPDATE"
                " SET run = excluded.run, attempt = excluded.attempt, copy = excluded.copy,"
                " kind = excluded.kind, keep = max(keep, excluded.keep)"
                " WHERE (excluded.run, excluded.attempt, excluded.copy) >= (run, attempt, copy)",
                DB_VALUES(value_text(i->tenant), value_id(&id), value_int(i->run),
                          value_int(ends ? JOB_COUNTER_MAX : i->attempt),
                          value_int(ends ? JOB_COUNTER_MAX : i->copy), value_int(i->kind),
                          value_int(due + t->keep)),
                e);
}

static int end_acts(struct database *db, void *owner, struct err *e)
{
        struct ending *end = owner;
        end->added = 0;
        for (size_t i = 0; i < end->count; i++) {
                if (put_moved(db, end, &end->all[i], e) != 0 ||
                    delete_intent(db, &end->all[i], e) != 0)
                        return -1;
        }
        return 0;
}

int registry_end_acts(struct registry *r, const struct intent *all, size_t count,
                      const struct moved_terms *terms, int64_t *added, struct err *e)
{
        struct ending end = {.all = all, .count = count, .terms = terms};
        int done = registry_write(r, end_acts, &end, e);
        *added = done == 0 ? end.added : 0;
        return done;
}

static int drop_act(struct database *db, void *owner, struct err *e)
{
        return delete_intent(db, owner, e);
}

int registry_drop_act(struct registry *r, const struct intent *intent, struct err *e)
{
        struct intent i = *intent;
        return registry_write(r, drop_act, &i, e);
}

#define INTENT_COLUMNS "tenant, id, kind, run, attempt, copy, run_at, priority, moved, due, by, at"

/* Rows of this table are read again by the version that wrote them: a number that is no kind is
 * damage. */
static int read_intent(sqlite3_stmt *s, struct intent *out, struct err *e)
{
        int kind = sqlite3_column_int(s, 2);
        struct bytes id = db_bytes(s, 1);
        if (kind < 0 || kind >= ACT_KINDS || id.length != UUID_BYTES)
                return err_set(e, ERR_CORRUPT, "an act in the registry cannot be read");
        *out = (struct intent){.kind = (enum act_kind)kind,
                               .run = sqlite3_column_int64(s, 3),
                               .attempt = sqlite3_column_int64(s, 4),
                               .copy = sqlite3_column_int64(s, 5),
                               .run_at = sqlite3_column_int64(s, 6),
                               .priority = sqlite3_column_int(s, 7),
                               .moved = sqlite3_column_int64(s, 8),
                               .due = sqlite3_column_int64(s, 9),
                               .at = sqlite3_column_int64(s, 11)};
        db_text(s, 0, out->tenant, sizeof(out->tenant));
        uuid_unpack((const unsigned char *)id.data, out->id);
        db_text(s, 10, out->by, sizeof(out->by));
        return 0;
}

int registry_intent(struct registry *r, const char *tenant, const char *id, struct intent *out,
                    struct err *e)
{
        const struct uuid raw = uuid_of(id);
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *find = reader_query(reader,
                                        "SELECT " INTENT_COLUMNS " FROM acts WHERE id = ?2"
                                        " AND (?1 = '*' OR tenant = ?1)",
                                        DB_VALUES(value_text(tenant), value_id(&raw)), e);
        int found = db_step(find, e);
        return found == 1 && read_intent(find, out, e) != 0 ? -1 : found;
}

int registry_intents(struct registry *r, const struct intent *after, struct intent *out, size_t max,
                     struct err *e)
{
        const struct intent first = {.at = INT64_MIN};
        const struct intent from = after != NULL ? *after : first;
        const struct uuid id = uuid_of(from.id);
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *all =
                reader_query(reader,
                             "SELECT " INTENT_COLUMNS " FROM acts"
                             " WHERE (at, tenant, id) > (?1, ?2, ?3)"
                             " ORDER BY at, tenant, id LIMIT ?4",
                             DB_VALUES(value_int(from.at), value_string(bytes_of_text(from.tenant)),
                                       value_id(&id), value_int((int64_t)max)),
                             e);
        int count = 0;
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                if (read_intent(all, &out[count], e) != 0)
                        return -1;
                count++;
        }
        return more < 0 ? -1 : count;
}

static int count_rows(struct registry *r, const char *sql, int64_t *count, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *rows = reader_query(reader, sql, NULL, e);
        if (db_step(rows, e) != 1)
                return -1;
        *count = sqlite3_column_int64(rows, 0);
        return 0;
}

int registry_count_intents(struct registry *r, int64_t *count, struct err *e)
{
        return count_rows(r, "SELECT count(*) FROM acts", count, e);
}

int registry_count_moved(struct registry *r, int64_t *count, struct err *e)
{
        return count_rows(r, "SELECT count(*) FROM moved", count, e);
}

int registry_most_moved(struct registry *r, char tenant[TENANT_SIZE], int64_t *rows, struct err *e)
{
        tenant[0] = '\0';
        *rows = 0;
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *most = reader_query(reader,
                                        "SELECT tenant, count(*) AS n FROM moved GROUP BY tenant"
                                        " ORDER BY n DESC LIMIT 1",
                                        NULL, e);
        int found = db_step(most, e);
        if (found == 1) {
                db_text(most, 0, tenant, TENANT_SIZE);
                *rows = sqlite3_column_int64(most, 1);
        }
        return found < 0 ? -1 : 0;
}

/* 1: the holder has a run already; 0; -1. */
static int find_grant(struct database *db, struct run_grant *g, const struct uuid *id,
                      struct err *e)
{
        const struct bytes holder = bytes_of(g->holder, sizeof(g->holder));
        AUTO_RESET *find = database_query(
                db, "SELECT run, copy FROM runs WHERE tenant = ?1 AND id = ?2 AND holder = ?3",
                DB_VALUES(value_text(g->tenant), value_id(id), value_blob(holder)), e);
        int found = db_step(find, e);
        if (found == 1) {
                g->run = sqlite3_column_int64(find, 0);
                g->copy = sqlite3_column_int64(find, 1);
        }
        return found;
}

/* A later run, of a retry that was begun and has not ended, is not known. 1; 0; -1. */
static int retry_is_under_way(struct database *db, const struct run_grant *g, const struct uuid *id,
                              struct err *e)
{
        return rows_exist(db,
                          "SELECT 1 FROM acts"
                          " WHERE tenant = ?1 AND id = ?2 AND kind = ?3 AND run > max(?4, ?5)",
                          DB_VALUES(value_text(g->tenant), value_id(id), value_int(ACT_RETRY),
                                    value_int(g->run_of), value_int(g->seen)),
                          e);
}

/* 1; 0; -1. A run that was granted lately and that the projection has not seen may be in its queue.
 * An earlier one has ended and its row was deleted, or it never began. Of a holder of an earlier
 * version it is not known which run it is of. */
static int later_is_under_way(struct database *db, const struct run_grant *g, const struct uuid *id,
                              const struct granted *last, struct err *e)
{
        bool seen = g->open && g->seen > g->run_of;
        bool unseen =
                last->run > g->seen && last->run > g->run_of && last->at > g->as_of - RUN_UNTOLD;
        if (g->run_of == 0)
                return 0;
        return seen || unseen ? 1 : retry_is_under_way(db, g, id, e);
}

static int grant_run(struct database *db, void *owner, struct err *e)
{
        struct run_grant *g = owner;
        const struct uuid id = uuid_of(g->id);
        struct granted last;
        int found = find_grant(db, g, &id, e);
        if (found != 0)
                return found < 0 ? -1 : 0;
        if (last_granted(db, g->tenant, &id, &last, e) != 0)
                return -1;
        int later = later_is_under_way(db, g, &id, &last, e);
        if (later < 0)
                return -1;
        if (later == 1)
                return err_set(e, ERR_CONFLICT,
                               "a later run of the job is under way: wait for its end, then retry"
                               " the job");
        g->run = 1 + (last.run > g->after ? last.run : g->after);
        return add_run(db, g->tenant, &id, g->run, g->copy, bytes_of(g->holder, sizeof(g->holder)),
                       e);
}

int registry_grant_run(struct registry *r, struct run_grant *g, struct err *e)
{
        return registry_write(r, grant_run, g, e);
}

int registry_moved(struct registry *r, struct delivery_asked *d, struct err *e)
{
        const struct uuid id = uuid_of(d->id);
        d->listed = MOVED_UNKNOWN;
        d->forgotten = false;
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *find = reader_query(
                reader, "SELECT run, attempt, copy, kind FROM moved WHERE tenant = ?1 AND id = ?2",
                DB_VALUES(value_text(d->tenant), value_id(&id)), e);
        int found = db_step(find, e);
        if (found != 1)
                return found;
        const struct mark_place act = {.run = sqlite3_column_int64(find, 0),
                                       .attempt = sqlite3_column_int64(find, 1),
                                       .copy = sqlite3_column_int64(find, 2)};
        const struct mark_place asked = {d->run, d->attempt, d->copy};
        int kind = sqlite3_column_int(find, 3);
        bool ends = kind >= 0 && kind < ACT_KINDS && act_ends_the_run((enum act_kind)kind);
        if (!mark_covers(act, asked))
                return 0;
        d->listed = ends ? MOVED_ENDED : MOVED_SUPERSEDED;
        d->forgotten = kind == ACT_FORGET;
        return 0;
}

int registry_is_moved(struct registry *r, const char *tenant, const char *id, struct err *e)
{
        const struct uuid raw = uuid_of(id);
        return registry_rows_exist(r, "SELECT 1 FROM moved WHERE tenant = ?1 AND id = ?2",
                                   DB_VALUES(value_text(tenant), value_id(&raw)), e);
}

struct forgetting {
        msec now;
        int64_t gone;
};

static int forget_moved(struct database *db, void *owner, struct err *e)
{
        struct forgetting *f = owner;
        if (database_run(
                    db,
                    "DELETE FROM moved WHERE (tenant, id) IN (SELECT tenant, id FROM moved AS m"
                    " WHERE m.keep < ?1"
                    " AND NOT EXISTS (SELECT 1 FROM pauses WHERE (paused OR held_until > ?1)"
                    "  AND instr(key, '/') = 0)"
                    " AND NOT EXISTS (SELECT 1 FROM pauses WHERE (paused OR held_until > ?1)"
                    "  AND key LIKE 'type:' || m.tenant || '/%')"
                    " AND NOT EXISTS (SELECT 1 FROM tenants AS t WHERE t.name = m.tenant"
                    "  AND (t.paused OR t.held_until > ?1))"
                    " ORDER BY m.keep LIMIT ?2)",
                    DB_VALUES(value_int(f->now), value_int(MOVED_FORGOTTEN_AT_ONCE)), e) != 0)
                return -1;
        f->gone = sqlite3_changes(database_handle(db));
        return database_run(
                db,
                "DELETE FROM runs WHERE (tenant, id, run) IN"
                " (SELECT tenant, id, run FROM runs WHERE at < ?1 LIMIT ?2)",
                DB_VALUES(value_int(f->now - RUNS_KEEP), value_int(MOVED_FORGOTTEN_AT_ONCE)), e);
}

int registry_forget_moved(struct registry *r, msec now, int64_t *gone, struct err *e)
{
        struct forgetting f = {.now = now};
        int done = registry_write(r, forget_moved, &f, e);
        *gone = done == 0 ? f.gone : 0;
        return done;
}
