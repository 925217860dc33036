/* SPDX-License-Identifier: Apache-2.0
 *
 * archive.c: all changes of the archive.
 */
#include "dlx-monitor/archive.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "dlx-monitor/letter_text.h"
#include "dlx-monitor/schema.h"

struct archive {
        char *path;
        pthread_mutex_t mutex;
        struct database *db; /* guarded by mutex */
};

/* Fails when a table is missing, which would be noticed only when it is used. */
static const char tables_are_there_sql[] =
        "SELECT 1 FROM letters, contents, usage, warnings LIMIT 0";

struct archive *archive_open(const char *path, struct err *e)
{
        AUTO(archive) a = xcalloc(1, sizeof(*a));
        AUTO_DB *db = db_open(path, DB_ARCHIVE, e);

        pthread_mutex_init(&a->mutex, NULL);
        a->path = xstrdup(path);
        if (db == NULL || archive_schema_apply(db, e) != 0 ||
            db_exec(db, tables_are_there_sql, e) != 0)
                return NULL;
        a->db = database_create(&db);
        return TAKE(a);
}

void archive_destroy(struct archive **archive)
{
        struct archive *a = TAKE(*archive);

        if (a == NULL)
                return;
        database_destroy(&a->db);
        pthread_mutex_destroy(&a->mutex);
        free(a->path);
        free(a);
}

sqlite3_stmt *archive_query(const struct archive *a, const char *sql, const struct db_value *values,
                            struct err *e)
{
        AUTO_DB *db = db_open(a->path, DB_READ_ONLY, e);
        sqlite3_stmt *s =
                db == NULL || letter_text_register(db, e) != 0 ? NULL : db_prepare(db, sql, e);

        if (s == NULL)
                return NULL;
        db_bind_values(s, values);
        (void)TAKE(db);
        return s;
}

void archive_query_end_(sqlite3_stmt **s)
{
        sqlite3 *db = sqlite3_db_handle(*s);

        db_finalize(s);
        db_close(&db);
}

/* Locks the archive and begins a transaction. Also after a failure, `finish` must follow. */
static int begin(struct archive *a, struct err *e)
{
        pthread_mutex_lock(&a->mutex);
        return database_run(a->db, "BEGIN IMMEDIATE", NULL, e);
}

/* Commits when result is 0; otherwise, or when that fails, rolls back and returns -1. Unlocks. */
static int finish(struct archive *a, int result, struct err *e)
{
        if (result == 0)
                result = database_run(a->db, "COMMIT", NULL, e);
        if (database_in_transaction(a->db))
                (void)!database_run(a->db, "ROLLBACK", NULL, NULL);
        pthread_mutex_unlock(&a->mutex);
        return result;
}

static struct db_value string_of(struct bytes text)
{
        return value_string(text.data == NULL ? bytes_of_text("") : text);
}

/* 1: new; 0: had been archived before; -1. */
static int put_letter_locked(struct archive *a, const struct letter *l, const char *burial,
                             struct err *e)
{
        int result = database_run(
                a->db,
                "INSERT INTO letters(id, burial, job_id, claimed_id, tenant, type, reason,"
                " error, error_kind, run, attempt, source, grp, dead_at, size, exchange,"
                " routing_key, announced, archived_at)"
                " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT(burial) DO NOTHING",
                DB_VALUES(value_text(l->id), value_text(burial), value_text(l->job_id),
                          value_text(l->claimed_id), value_string(bytes_of_text(l->tenant)),
                          value_text(l->type), value_text(reason_word(l->reason)),
                          string_of(l->error), value_text(error_kind_word(l->error_kind)),
                          value_int(l->run), value_int(l->attempt),
                          value_text(letter_source_name(l->source)), value_text(l->group),
                          value_int(l->dead_at), value_int((int64_t)l->message->body.length),
                          string_of(l->message->exchange), string_of(l->message->routing_key),
                          value_int(l->announce ? 0 : 1), value_int(l->archived_at)),
                e);

        return result != 0 ? -1 : sqlite3_changes(database_handle(a->db)) > 0;
}

static int put_one_locked(struct archive *a, const struct letter *l, struct err *e)
{
        int added = put_letter_locked(a, l, l->burial, e);

        if (added == 0 && l->by_content && !l->redelivered) {
                /* The same bytes were published again: another letter, not a redelivery. */
                AUTO_BUFFER burial = {0};
                buffer_printf(&burial, "%s/%s", l->burial, l->id);
                added = put_letter_locked(a, l, burial.data, e);
        }
        if (added != 1)
                return added;
        int result =
                database_run(a->db, "INSERT INTO contents(seq, properties, body) VALUES(?,?,?)",
                             DB_VALUES(value_int(sqlite3_last_insert_rowid(database_handle(a->db))),
                                       value_blob(l->properties), value_blob(l->message->body)),
                             e);
        return result == 0 ? 1 : -1;
}

int archive_put(struct archive *a, const struct letter *letters, size_t count, size_t *added,
                struct err *e)
{
        int result = begin(a, e);

        *added = 0;
        for (size_t i = 0; i < count && result == 0; i++) {
                int one = put_one_locked(a, &letters[i], e);
                *added += one == 1;
                result = one < 0 ? -1 : 0;
        }
        return finish(a, result, e);
}

/* Says why the letter cannot be replayed. Returns -1. */
static int refuse_replay_locked(struct archive *a, const char *letter, struct err *e)
{
        char state[16];
        AUTO_RESET *s = database_query(a->db, "SELECT state, replaying FROM letters WHERE id = ?",
                                       DB_VALUES(value_text(letter)), e);

        int found = db_step(s, e);
        if (found < 0)
                return -1;
        if (found == 0)
                return err_set(e, ERR_NOT_FOUND, "no such dead letter");
        db_text(s, 0, state, sizeof(state));
        if (sqlite3_column_int(s, 1) != 0)
                return err_set(e, ERR_CONFLICT, "the dead letter is being replayed");
        return err_set(e, ERR_CONFLICT, "the dead letter was %s already", state);
}

static int begin_replay_locked(struct archive *a, const char *letter,
                               const struct replay_edit *edit, struct replay_run *run,
                               struct err *e)
{
        const struct db_value unchanged = {.kind = DB_NULL};
        AUTO_RESET *s = database_query(
                a->db,
                "UPDATE letters SET replaying = 1, replay_type = ?2,"
                " replay_priority = ?3, replay_run_at = ?4, replay_copy = ?6,"
                " replay_run = max(?5, 1 +"
                " (SELECT max(max(run), max(coalesce(replay_run, 0))) FROM letters AS o"
                "  WHERE o.job_id = letters.job_id AND o.tenant = letters.tenant))"
                " WHERE id = ?1 AND state = 'dead' AND replaying = 0"
                " RETURNING seq, replay_run",
                DB_VALUES(value_text(letter), value_text(edit->type),
                          edit->priority < 0 ? unchanged : value_int(edit->priority),
                          edit->sets_run_at ? value_int(edit->run_at) : unchanged,
                          value_int(run->run), value_int(run->copy)),
                e);

        int found = db_step(s, e);
        if (found < 0)
                return -1;
        if (found == 0)
                return refuse_replay_locked(a, letter, e);
        int64_t seq = sqlite3_column_int64(s, 0);
        run->run = sqlite3_column_int64(s, 1);
        if (db_step(s, e) < 0)
                return -1;
        return database_run(a->db, "UPDATE contents SET edited = ?2 WHERE seq = ?1",
                            DB_VALUES(value_int(seq), value_blob(edit->payload)), e);
}

int archive_begin_replay(struct archive *a, const char *letter, const struct replay_edit *edit,
                         struct replay_run *run, struct err *e)
{
        int result = begin(a, e);

        if (result == 0)
                result = begin_replay_locked(a, letter, edit, run, e);
        return finish(a, result, e);
}

static int change(struct archive *a, const char *sql, const struct db_value *values, struct err *e)
{
        int result = begin(a, e);

        return finish(a, result == 0 ? database_run(a->db, sql, values, e) : -1, e);
}

int archive_end_replay(struct archive *a, const char *letter, msec now, struct err *e)
{
        return change(a,
                      "UPDATE letters SET replaying = 0, state = 'replayed', replayed_at = ?2"
                      " WHERE id = ?1 AND replaying = 1",
                      DB_VALUES(value_text(letter), value_int(now)), e);
}

int archive_abandon_replay(struct archive *a, const char *letter, struct err *e)
{
        return change(a, "UPDATE letters SET replaying = 0 WHERE id = ?1",
                      DB_VALUES(value_text(letter)), e);
}

int archive_set_announced(struct archive *a, char (*letters)[UUID_SIZE], size_t count,
                          struct err *e)
{
        int result = begin(a, e);

        for (size_t i = 0; i < count && result == 0; i++)
                result = database_run(a->db, "UPDATE letters SET announced = 1 WHERE id = ?1",
                                      DB_VALUES(value_text(letters[i])), e);
        return finish(a, result, e);
}

int archive_note_warning(struct archive *a, msec now, msec before, msec matured, struct err *e)
{
        int result = begin(a, e);

        if (result == 0)
                result = database_run(
                        a->db, "INSERT OR REPLACE INTO warnings(told_at, before) VALUES(?1, ?2)",
                        DB_VALUES(value_int(now), value_int(before)), e);
        if (result == 0)
                result = database_run(a->db,
                                      "DELETE FROM warnings WHERE told_at < (SELECT max(told_at)"
                                      " FROM warnings WHERE told_at <= ?1)",
                                      DB_VALUES(value_int(matured)), e);
        return finish(a, result, e);
}

int archive_warned(const struct archive *a, msec matured, msec *before, struct err *e)
{
        AUTO_QUERY *s = archive_query(a, "SELECT max(before) FROM warnings WHERE told_at <= ?1",
                                      DB_VALUES(value_int(matured)), e);

        int found = db_step(s, e);
        *before = found == 1 ? sqlite3_column_int64(s, 0) : 0;
        return found < 0 ? -1 : 0;
}

/* Per step: letters, bytes of letters, pages. */
enum { EXPIRE_MAX = 100, EXPIRE_BYTES = 16 * 1024 * 1024, GIVE_BACK_PAGES = 2000 };

/* How many bytes to delete; INT64_MAX: everything that is due. */
static int read_excess_locked(struct archive *a, const struct archive_expiry *x, int64_t *excess,
                              struct err *e)
{
        *excess = INT64_MAX;
        if (x->down_to == 0)
                return 0;
        AUTO_RESET *usage = database_query(a->db, "SELECT bytes FROM usage WHERE tenant = ?1",
                                           DB_VALUES(value_string(bytes_of_text(x->tenant))), e);
        int found = db_step(usage, e);
        *excess = found == 1 ? sqlite3_column_int64(usage, 0) - x->down_to : 0;
        return found < 0 ? -1 : 0;
}

/* clang-format off */
static const char due_sql[] =
        "SELECT l.seq, " CONTENT_BYTES("c")
        " FROM letters AS l JOIN contents AS c ON c.seq = l.seq"
        " WHERE " LETTERS_DUE("?1", "?2", "?3")
        " ORDER BY coalesce(l.replayed_at, l.archived_at) LIMIT ?4";
/* clang-format on */

/* Fills seqs with the letters of this step. Returns their number, or -1. */
static int choose_locked(struct archive *a, const struct archive_expiry *x, int64_t excess,
                         int64_t seqs[EXPIRE_MAX], struct err *e)
{
        /* "": letters without a tenant */
        AUTO_RESET *due =
                database_query(a->db, due_sql,
                               DB_VALUES(value_string(bytes_of_text(x->tenant)), value_int(x->dead),
                                         value_int(x->before), value_int(EXPIRE_MAX)),
                               e);
        int64_t bytes = 0;
        int count = 0, found = 1;

        while (bytes < excess && bytes < EXPIRE_BYTES && (found = db_step(due, e)) == 1) {
                seqs[count++] = sqlite3_column_int64(due, 0);
                bytes += sqlite3_column_int64(due, 1);
        }
        return found < 0 ? -1 : count;
}

static int drop_locked(struct archive *a, int64_t seq, struct err *e)
{
        static const char *const order[] = {
                /* Its job's other letters take over its run number. */
                "UPDATE letters SET replay_run = max(coalesce(letters.replay_run, 0),"
                " g.run, coalesce(g.replay_run, 0))"
                " FROM (SELECT job_id, tenant, run, replay_run FROM letters WHERE seq = ?1) AS g"
                " WHERE letters.job_id = g.job_id AND letters.tenant = g.tenant"
                " AND letters.state = 'dead' AND letters.replaying = 0 AND letters.seq <> ?1",
                "DELETE FROM contents WHERE seq = ?1",
                "DELETE FROM letters WHERE seq = ?1",
        };

        for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
                if (database_run(a->db, order[i], DB_VALUES(value_int(seq)), e) != 0)
                        return -1;
        }
        return 0;
}

/* Returns how many letters it has deleted, or -1. */
static int expire_locked(struct archive *a, const struct archive_expiry *x, struct err *e)
{
        int64_t seqs[EXPIRE_MAX], excess;

        if (read_excess_locked(a, x, &excess, e) != 0)
                return -1;
        int count = choose_locked(a, x, excess, seqs, e);
        for (int i = 0; i < count; i++) {
                if (drop_locked(a, seqs[i], e) != 0)
                        return -1;
        }
        return count;
}

int archive_expire(struct archive *a, const struct archive_expiry *x, size_t *gone, struct err *e)
{
        int count = begin(a, e) == 0 ? expire_locked(a, x, e) : -1;
        int result = finish(a, count < 0 ? -1 : 0, e);

        *gone = result == 0 ? (size_t)count : 0;
        return result;
}

#define OF_JOB "job_id = ?1 AND (?2 IS NULL OR tenant = ?2)"

static int forget_job_locked(struct archive *a, const struct db_value *job, struct err *e)
{
        AUTO_RESET *replaying = database_query(
                a->db, "SELECT 1 FROM letters WHERE " OF_JOB " AND replaying = 1", job, e);
        int found = db_step(replaying, e);

        if (found == 1)
                return err_set(e, ERR_CONFLICT, "a dead letter of the job is being replayed");
        if (found < 0 || database_run(a->db,
                                      "DELETE FROM contents WHERE seq IN"
                                      " (SELECT seq FROM letters WHERE " OF_JOB ")",
                                      job, e) != 0)
                return -1;
        return database_run(a->db, "DELETE FROM letters WHERE " OF_JOB, job, e);
}

int archive_forget_job(struct archive *a, const char *job, const char *tenant, struct err *e)
{
        int result = begin(a, e);

        if (result == 0)
                result = forget_job_locked(a, DB_VALUES(value_text(job), value_text(tenant)), e);
        return finish(a, result, e);
}

static int give_back_locked(struct archive *a, struct err *e)
{
        sqlite3 *db = database_handle(a->db);
        int pages, kind;
        char sql[64];

        if (db_number(db, "PRAGMA freelist_count", &pages, e) != 0 ||
            db_number(db, "PRAGMA auto_vacuum", &kind, e) != 0)
                return -1;
        if (pages == 0 || kind != AUTO_VACUUM_INCREMENTAL)
                return 0;
        snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", GIVE_BACK_PAGES);
        if (db_exec(db, sql, e) != 0)
                return -1;
        /* The file shrinks when the WAL has been written to it. */
        if (pages > GIVE_BACK_PAGES)
                return 1;
        return db_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", e);
}

int archive_give_back(struct archive *a, struct err *e)
{
        pthread_mutex_lock(&a->mutex);
        int result = give_back_locked(a, e);
        pthread_mutex_unlock(&a->mutex);
        return result;
}
