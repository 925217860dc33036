/* SPDX-License-Identifier: Apache-2.0
 *
 * store.c: the writing side of status.db.
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
        [INSERT] = "INSERT INTO jobs(seq, state, created, type, priority, lane, max_retries,"
                   " timeout, run_at, started_at, worker, finished_at, duration_ms, reason,"
                   " error_kind, progress, spilled, keys, traceparent, key, key_hash,"
                   " progress_message, error, result, forgotten, born, earliest, told,"
                   " content, first, ran, others, published, id, tenant) VALUES(?1, ?2, ?3, ?4, "
                   "?5, ?6,"
                   " ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,"
                   " ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33,"
                   " ?34, ?35)",
        [UPDATE] = "UPDATE jobs SET state = ?2, created = ?3, type = ?4, priority = ?5, lane = ?6,"
                   " max_retries = ?7, timeout = ?8, run_at = ?9, started_at = ?10, worker = ?11,"
                   " finished_at = ?12, duration_ms = ?13, reason = ?14, error_kind = ?15,"
                   " progress = ?16, spilled = ?17, keys = ?18, traceparent = ?19, key = ?20,"
                   " key_hash = ?21, progress_message = ?22, error = ?23, result = ?24,"
                   " forgotten = ?25, born = ?26, earliest = ?27, told = ?28,"
                   " content = ?29, first = ?30, ran = ?31, others = ?32, published = ?33"
                   " WHERE seq = ?1",
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
        [PUT_OTHER] = "INSERT INTO others(" OTHER_COLUMNS ", seq)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        [EACH_ATTEMPT] = "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE seq = ?1",
        [PUT_ATTEMPT] = "INSERT OR REPLACE INTO attempts(seq, " ATTEMPT_COLUMNS ")"
                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        [PUT_START] = "INSERT OR IGNORE INTO starts(seq, run, attempt, digest, at, worker,"
                      " released) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        [FORGET_ATTEMPTS] = "DELETE FROM attempts WHERE seq = ?1 AND run <= ?2",
        [FORGET_STARTS] = "DELETE FROM starts WHERE seq = ?1 AND run <= ?2",
        [PUT_WORKER] = "INSERT INTO workers(worker, at, state, raw) VALUES(?1, ?2, ?3, ?4)"
                       " ON CONFLICT(worker) DO UPDATE SET at = excluded.at,"
                       " state = excluded.state, raw = excluded.raw WHERE excluded.at >= at",
        [GET_POSITION] = "SELECT offset, hash, clock, first_offset, messages, events, skipped,"
                         " gaps, gap_from, gap_to, rebuilds, base, counted FROM position",
        [PUT_POSITION] = "INSERT OR REPLACE INTO position(one, offset, hash, clock,"
                         " first_offset, messages, events, skipped, gaps, gap_from, gap_to,"
                         " rebuilds, base, counted) VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
                         " ?9, ?10, ?11, ?12, ?13)",
};

enum { POSITION_COLUMNS = 13 };

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

/* Its rows may be all there is of old jobs. What is beside it goes first: a new file must not find
 * another's WAL. */
static int set_aside(const char *path, const struct err *why, struct err *e)
{
        static const char *const suffixes[] = {"-wal", "-shm", ""};
        AUTO_FREE char *aside = xasprintf("%s.damaged-%lld", path, (long long)clock_wall());
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
                AUTO_FREE char *from = xasprintf("%s%s", path, suffixes[i]);
                AUTO_FREE char *to = xasprintf("%s%s", aside, suffixes[i]);
                if (rename(from, to) != 0 && errno != ENOENT)
                        return err_set_errno(e, "%s is damaged, and cannot be renamed", from);
        }
        LOG_ERROR("status database damaged: it is folded again from what the stream holds",
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
        const int64_t values[] = {p->offset,   p->hash,    p->clock,  p->first_offset, p->messages,
                                  p->events,   p->skipped, p->gaps,   p->gap_from,     p->gap_to,
                                  p->rebuilds, p->base,    p->counted};
        for (int i = 0; i < POSITION_COLUMNS; i++)
                db_bind_int(put, i + 1, values[i]);
        if (db_run(put, e) != 0)
                return -1;
        return db_run(s->statements[COMMIT], e);
}

void store_rollback(struct store *s)
{
        struct err ignored = {0};
        if (sqlite3_get_autocommit(s->db) == 0 && db_run(s->statements[ROLLBACK], &ignored) != 0)
                LOG_WARN("rollback failed", log_err(&ignored));
        /* Those that the transaction had inserted are gone. */
        names_forget(s->names);
}

int store_position(struct store *s, struct position *p, struct err *e)
{
        *p = (struct position){0};
        AUTO_RESET *get = s->statements[GET_POSITION];
        int found = db_step(get, e);
        if (found != 1)
                return found;
        int64_t *const fields[] = {&p->offset,   &p->hash,   &p->clock,    &p->first_offset,
                                   &p->messages, &p->events, &p->skipped,  &p->gaps,
                                   &p->gap_from, &p->gap_to, &p->rebuilds, &p->base,
                                   &p->counted};
        for (int i = 0; i < POSITION_COLUMNS; i++)
                *fields[i] = sqlite3_column_int64(get, i);
        p->known = p->offset >= 0;
        return 0;
}

int store_rewind(struct store *s, struct err *e)
{
        struct position p;
        if (store_position(s, &p, e) != 0 || store_begin(s, e) != 0)
                return -1;
        /* A clock that some service set far ahead would stop the counts until then. */
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

static void bind_facts(sqlite3_stmt *s, const struct job_facts *f)
{
        db_bind_int(s, 5, f->priority);
        db_bind_int(s, 6, f->lane);
        db_bind_int(s, 7, f->max_retries);
        db_bind_int_or_null(s, 8, f->timeout);
        db_bind_int_or_null(s, 9, f->run_at);
        db_bind_text(s, 19, f->traceparent);
        db_bind_text(s, 20, f->idempotency_key);
        db_bind_text(s, 21, f->key_hash);
        db_bind_int_or_null(s, 29, (int64_t)f->content);
        db_bind_int(s, 30, f->first);
}

static int others_of(const struct job_row *row)
{
        int count = 0;
        for (const struct job_facts *f = row->facts; f != NULL && f->next != NULL; f = f->next)
                count++;
        return count;
}

static void bind_job(sqlite3_stmt *s, const struct stored_job *job, int64_t type,
                     unsigned char keys[KEYS_SIZE])
{
        const struct job_row *row = &job->row;
        db_bind_int(s, 1, job->seq);
        db_bind_int(s, 2, job->state);
        db_bind_int(s, 3, row->created_at);
        db_bind_int_or_null(s, 4, type);
        bind_facts(s, job_row_facts(row));
        db_bind_int_or_null(s, 10, row->started_at);
        db_bind_text(s, 11, row->worker);
        db_bind_int_or_null(s, 12, row->finished_at);
        db_bind_int_or_null(s, 13, row->duration_ms);
        db_bind_int_or_null(s, 14, row->reason);
        db_bind_int_or_null(s, 15, row->error_kind);
        sqlite3_bind_double(s, 16, row->progress);
        db_bind_int_or_null(s, 17, job->spilled);
        struct fold_key *all[KEYS_MAX];
        job_row_keys((struct job_row *)row, all);
        size_t length = keys_pack((const struct fold_key *const *)all, KEYS_MAX, keys);
        db_bind_blob(s, 18, keys, length);
        db_bind_blob(s, 22, row->progress_message.data, row->progress_message.length);
        db_bind_blob(s, 23, row->error.data, row->error.length);
        db_bind_blob(s, 24, row->result.data, row->result.length);
        db_bind_int_or_null(s, 25, row->forgotten_run);
        db_bind_int(s, 26, row->born);
        db_bind_int_or_null(s, 27, row->earliest);
        db_bind_int(s, 28, row->told_at);
        db_bind_int_or_null(s, 31, (int64_t)row->ran_content);
        db_bind_int_or_null(s, 32, others_of(row));
        db_bind_int_or_null(s, 33, job->published);
}

int store_insert(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
                 const struct stored_job *job, int64_t type, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *insert = s->statements[INSERT];
        bind_job(insert, job, type, keys);
        sqlite3_bind_blob(insert, 34, id, ID_SIZE, SQLITE_STATIC);
        db_bind_int(insert, 35, tenant);
        return db_run(insert, e);
}

int store_update(struct store *s, const struct stored_job *job, int64_t type, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *update = s->statements[UPDATE];
        bind_job(update, job, type, keys);
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
        const struct fold_key *both[] = {&f->key, &f->wait};
        sqlite3_stmt *put = s->statements[PUT_OTHER];
        db_bind_int(put, 1, (int64_t)f->content);
        db_bind_int(put, 2, f->first);
        db_bind_text(put, 3, f->type);
        db_bind_int(put, 4, f->priority);
        db_bind_int(put, 5, f->lane);
        db_bind_int(put, 6, f->max_retries);
        db_bind_int(put, 7, f->timeout);
        db_bind_int(put, 8, f->run_at);
        db_bind_text(put, 9, f->traceparent);
        db_bind_text(put, 10, f->idempotency_key);
        db_bind_text(put, 11, f->key_hash);
        db_bind_blob(put, 12, keys, keys_pack(both, 2, keys));
        db_bind_int(put, 13, seq);
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
        const struct fold_key *both[] = {&a->start, &a->end};
        sqlite3_stmt *put = s->statements[PUT_ATTEMPT];
        db_bind_int(put, 1, seq);
        db_bind_int(put, 2, a->run);
        db_bind_int(put, 3, a->attempt);
        db_bind_int_or_null(put, 4, a->started_at);
        db_bind_text(put, 5, a->worker);
        db_bind_int(put, 6, a->redelivered);
        db_bind_int_or_null(put, 7, a->ended_at);
        db_bind_int(put, 8, a->outcome);
        db_bind_int(put, 9, a->reason);
        db_bind_int(put, 10, a->error_kind);
        db_bind_blob(put, 11, keys, keys_pack(both, 2, keys));
        db_bind_blob(put, 12, a->error.data, a->error.length);
        return db_run(put, e);
}

int store_put_start(struct store *s, int64_t seq, const struct start *start, struct err *e)
{
        sqlite3_stmt *put = s->statements[PUT_START];
        db_bind_int(put, 1, seq);
        db_bind_int(put, 2, start->run);
        db_bind_int(put, 3, start->attempt);
        db_bind_int(put, 4, (int64_t)start->digest);
        db_bind_int(put, 5, start->at);
        db_bind_text(put, 6, start->worker);
        db_bind_int(put, 7, start->released);
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
