/* SPDX-License-Identifier: Apache-2.0
 *
 * store.c: writes status.db.
 */
#include "status-store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/migrations.h"

enum statement {
        BEGIN,
        COMMIT,
        ROLLBACK,
        FIND,
        INSERT,
        UPDATE,
        DATE_JOBS,
        DATE_ATTEMPTS,
        PUT_PAYLOAD,
        DROP_PAYLOADS,
        EACH_OTHER,
        DROP_OTHERS,
        PUT_OTHER,
        EACH_ATTEMPT,
        PUT_ATTEMPT,
        PUT_START,
        FORGET_ATTEMPTS,
        FORGET_STARTS,
        PUT_WORKER,
        GET_POSITION,
        PUT_POSITION,
        STATEMENT_COUNT,
};

static const char *const statement_sql[STATEMENT_COUNT] = {
        [BEGIN] = "BEGIN IMMEDIATE",
        [COMMIT] = "COMMIT",
        [ROLLBACK] = "ROLLBACK",
        [FIND] = "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.id = ?1 AND j.tenant = ?2",
        [INSERT] = "INSERT INTO jobs(seq, id, tenant, type, others, keys" JOB_NAMES FACTS_NAMES
                   ") VALUES(?, ?, ?, ?, ?, ?" JOB_PLACES FACTS_PLACES ")",
        [UPDATE] = "UPDATE jobs SET type = ?, others = ?, keys = ?" JOB_SETS FACTS_SETS
                   " WHERE seq = ?",
        [DATE_JOBS] = "UPDATE jobs SET told = ?1, earliest = min(ifnull(earliest, ?1), ?1),"
                      " created = min(ifnull(nullif(born, 0), ?1), ifnull(earliest, ?1), ?1),"
                      " finished_at = CASE WHEN state = ?2 THEN ifnull(finished_at, ?1)"
                      " ELSE finished_at END WHERE told = 0",
        [DATE_ATTEMPTS] =
                "UPDATE attempts SET ended_at = ?1 WHERE ended_at IS NULL AND outcome = ?2",
        [PUT_PAYLOAD] = "INSERT OR REPLACE INTO bodies(place, payload) VALUES(?1, ?2)",
        [DROP_PAYLOADS] = delete_bodies_sql,
        [EACH_OTHER] = "SELECT " OTHER_COLUMNS " FROM others WHERE seq = ?1 ORDER BY first",
        [DROP_OTHERS] = "DELETE FROM others WHERE seq = ?1",
        [PUT_OTHER] = "INSERT INTO others(seq, " OTHER_COLUMNS ") VALUES(?, ?, ?" FACTS_PLACES ")",
        [EACH_ATTEMPT] = "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE seq = ?1",
        [PUT_ATTEMPT] = "INSERT OR REPLACE INTO attempts(seq, " ATTEMPT_COLUMNS
                        ") VALUES(?, ?" ATTEMPT_PLACES ")",
        [PUT_START] = "INSERT OR IGNORE INTO starts(seq" START_NAMES ") VALUES(?" START_PLACES ")",
        [FORGET_ATTEMPTS] = "DELETE FROM attempts WHERE seq = ?1 AND run <= ?2",
        [FORGET_STARTS] = "DELETE FROM starts WHERE seq = ?1 AND run <= ?2",
        [PUT_WORKER] = "INSERT INTO workers(worker, at, state, raw) VALUES(?1, ?2, ?3, ?4)"
                       " ON CONFLICT(worker) DO UPDATE SET at = excluded.at,"
                       " state = excluded.state, raw = excluded.raw WHERE excluded.at >= at",
        [GET_POSITION] = "SELECT one" POSITION_NAMES " FROM position",
        [PUT_POSITION] = "INSERT OR REPLACE INTO position(one" POSITION_NAMES
                         ") VALUES(1" POSITION_PLACES ")",
};

#define START(column, declaration, kind, member) COLUMN_OF(struct start, kind, member)
#define POSITION(column, declaration, kind, member) COLUMN_OF(struct position, kind, member)
static const struct column start_members[] = {START_MEMBERS(START)};
static const struct column position_members[] = {POSITION_MEMBERS(POSITION)};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct store {
        sqlite3 *db;
        struct names *names;
        sqlite3_stmt *statements[STATEMENT_COUNT];
};

static int store_open_tables(struct store *s, const char *path, struct err *e)
{
        s->db = db_open(path, DB_PROJECTION, e);
        if (s->db == NULL || status_db_migrate(s->db, e) != 0)
                return -1;
        s->names = names_create(s->db, e);
        if (s->names == NULL)
                return -1;
        for (int i = 0; i < STATEMENT_COUNT; i++) {
                s->statements[i] = db_prepare(s->db, statement_sql[i], e);
                if (s->statements[i] == NULL)
                        return -1;
        }
        return 0;
}

/* Renames a damaged file: its rows may be all that is left of old jobs. WAL files first: the new
 * file must not find them. */
static int set_aside(const char *path, const struct err *why, struct err *e)
{
        static const char *const suffixes[] = {"-wal", "-shm", ""};
        AUTO_FREE char *aside = xasprintf("%s.damaged-%lld", path, (long long)clock_wall());
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
                AUTO_FREE char *from = xasprintf("%s%s", path, suffixes[i]);
                AUTO_FREE char *to = xasprintf("%s%s", aside, suffixes[i]);
                if (rename(from, to) != 0 && errno != ENOENT)
                        return err_set_errno(e, "%s is damaged and cannot be renamed", from);
        }
        LOG_ERROR("status database damaged: it is rebuilt from what the stream holds",
                  log_text("path", path), log_text("kept_as", aside), log_err(why));
        return 0;
}

struct store *store_create(const char *path, struct err *e)
{
        AUTO(store) s = xcalloc(1, sizeof(*s));
        struct err why = {0};
        if (store_open_tables(s, path, &why) == 0)
                return TAKE(s);
        if (why.code != ERR_CORRUPT) {
                (void)err_set(e, why.code, "%s", why.text);
                return NULL;
        }
        store_destroy(&s);
        if (set_aside(path, &why, e) != 0)
                return NULL;
        s = xcalloc(1, sizeof(*s));
        if (store_open_tables(s, path, e) != 0)
                return NULL;
        return TAKE(s);
}

void store_destroy(struct store **s)
{
        if (*s == NULL)
                return;
        for (int i = 0; i < STATEMENT_COUNT; i++)
                db_finalize(&(*s)->statements[i]);
        names_destroy(&(*s)->names);
        db_close(&(*s)->db);
        free(*s);
        *s = NULL;
}

sqlite3 *store_db(struct store *s)
{
        return s->db;
}

struct names *store_names(struct store *s)
{
        return s->names;
}

int store_begin(struct store *s, struct err *e)
{
        return db_run(s->statements[BEGIN], e);
}

int store_commit(struct store *s, const struct position *p, struct err *e)
{
        sqlite3_stmt *put = s->statements[PUT_POSITION];
        columns_bind(put, 1, position_members, COUNT(position_members), p);
        if (db_run(put, e) != 0)
                return -1;
        return db_run(s->statements[COMMIT], e);
}

void store_rollback(struct store *s)
{
        struct err ignored = {0};
        if (sqlite3_get_autocommit(s->db) == 0 && db_run(s->statements[ROLLBACK], &ignored) != 0)
                LOG_WARN("rollback failed", log_err(&ignored));
        /* Names inserted by the transaction are gone. */
        names_forget(s->names);
}

int store_position(struct store *s, struct position *p, struct err *e)
{
        *p = (struct position){0};
        AUTO_RESET *get = s->statements[GET_POSITION];
        int found = db_step(get, e);
        if (found != 1)
                return found;
        columns_read(get, 1, position_members, COUNT(position_members), p);
        p->known = p->offset >= 0;
        return 0;
}

int store_rewind(struct store *s, struct err *e)
{
        struct position p;
        if (store_position(s, &p, e) != 0 || store_begin(s, e) != 0)
                return -1;
        /* A service's clock may be far ahead: counting would stop until then. */
        msec now = clock_wall();
        msec counted = p.clock < now ? p.clock : now;
        struct position start = {.offset = -1,
                                 .rebuilds = p.rebuilds + 1,
                                 .base = p.base + (p.known ? p.offset + 1 : 0),
                                 .counted = counted > p.counted ? counted : p.counted};
        if (store_commit(s, &start, e) != 0) {
                store_rollback(s);
                return -1;
        }
        return 0;
}

int store_find(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
               struct stored_job *job, struct err *e)
{
        AUTO_RESET *find = s->statements[FIND];
        sqlite3_bind_blob(find, 1, id, ID_SIZE, SQLITE_STATIC);
        db_bind_int(find, 2, tenant);
        int found = db_step(find, e);
        if (found == 1 && stored_job_read(find, job, e) != 0)
                return -1;
        return found;
}

int store_insert(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
                 const struct stored_job *job, int64_t type, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *insert = s->statements[INSERT];
        db_bind_int(insert, 1, job->seq);
        sqlite3_bind_blob(insert, 2, id, ID_SIZE, SQLITE_STATIC);
        db_bind_int(insert, 3, tenant);
        db_bind_int_or_null(insert, 4, type);
        stored_job_bind(insert, 5, job, keys);
        return db_run(insert, e);
}

int store_update(struct store *s, const struct stored_job *job, int64_t type, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *update = s->statements[UPDATE];
        db_bind_int_or_null(update, 1, type);
        db_bind_int(update, stored_job_bind(update, 2, job, keys), job->seq);
        return db_run(update, e);
}

int store_date(struct store *s, msec first, struct err *e)
{
        const int dead[] = {[DATE_JOBS] = STATUS_DEAD, [DATE_ATTEMPTS] = ATTEMPT_DEAD};
        for (int i = DATE_JOBS; i <= DATE_ATTEMPTS; i++) {
                db_bind_int(s->statements[i], 1, first);
                db_bind_int(s->statements[i], 2, dead[i]);
                if (db_run(s->statements[i], e) != 0)
                        return -1;
        }
        return 0;
}

int store_put_payloads(struct store *s, const struct job_facts *all, struct err *e)
{
        sqlite3_stmt *put = s->statements[PUT_PAYLOAD];
        for (const struct job_facts *f = all; f != NULL; f = f->next) {
                if (f->payload.length == 0)
                        continue;
                db_bind_int(put, 1, f->first * SEQ_PER_OFFSET);
                db_bind_blob(put, 2, f->payload.data, f->payload.length);
                if (db_run(put, e) != 0)
                        return -1;
        }
        return 0;
}

int store_drop_payloads(struct store *s, int64_t seq, struct err *e)
{
        db_bind_int(s->statements[DROP_PAYLOADS], 1, seq);
        return db_run(s->statements[DROP_PAYLOADS], e);
}

int store_load_others(struct store *s, int64_t seq, struct job_facts **all, struct err *e)
{
        AUTO_RESET *each = s->statements[EACH_OTHER];
        db_bind_int(each, 1, seq);
        int more = 0;
        while ((more = db_step(each, e)) == 1) {
                struct job_facts *f = other_read(each, e);
                if (f == NULL)
                        return -1;
                LL_APPEND(*all, f);
        }
        return more;
}

static int put_other(struct store *s, int64_t seq, const struct job_facts *f, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *put = s->statements[PUT_OTHER];
        db_bind_int(put, 1, seq);
        other_bind(put, 2, f, keys);
        return db_run(put, e);
}

int store_put_others(struct store *s, int64_t seq, const struct job_facts *others, struct err *e)
{
        db_bind_int(s->statements[DROP_OTHERS], 1, seq);
        if (db_run(s->statements[DROP_OTHERS], e) != 0)
                return -1;
        for (const struct job_facts *f = others; f != NULL; f = f->next)
                if (put_other(s, seq, f, e) != 0)
                        return -1;
        return 0;
}

int store_each_attempt(struct store *s, int64_t seq, attempt_fn *each, void *owner, struct err *e)
{
        AUTO_RESET *all = s->statements[EACH_ATTEMPT];
        db_bind_int(all, 1, seq);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                struct attempt_row a = {0};
                int read = attempt_read(all, &a, e);
                if (read == 0)
                        each(owner, &a);
                attempt_row_fini(&a);
                if (read != 0)
                        return -1;
        }
        return more;
}

int store_put_attempt(struct store *s, int64_t seq, const struct attempt_row *a, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *put = s->statements[PUT_ATTEMPT];
        db_bind_int(put, 1, seq);
        attempt_bind(put, 2, a, keys);
        return db_run(put, e);
}

int store_put_start(struct store *s, int64_t seq, const struct start *start, struct err *e)
{
        sqlite3_stmt *put = s->statements[PUT_START];
        db_bind_int(put, 1, seq);
        columns_bind(put, 2, start_members, COUNT(start_members), start);
        return db_run(put, e);
}

int store_forget_attempts(struct store *s, int64_t seq, int64_t run, struct err *e)
{
        for (int i = FORGET_ATTEMPTS; i <= FORGET_STARTS; i++) {
                db_bind_int(s->statements[i], 1, seq);
                db_bind_int(s->statements[i], 2, run);
                if (db_run(s->statements[i], e) != 0)
                        return -1;
        }
        return 0;
}

int store_put_worker(struct store *s, struct bytes worker, msec at, const char *state,
                     struct bytes raw, struct err *e)
{
        sqlite3_stmt *put = s->statements[PUT_WORKER];
        sqlite3_bind_text64(put, 1, worker.data, worker.length, SQLITE_STATIC, SQLITE_UTF8);
        db_bind_int(put, 2, at);
        db_bind_text(put, 3, state);
        db_bind_blob(put, 4, raw.data, raw.length);
        return db_run(put, e);
}
