/* SPDX-License-Identifier: Apache-2.0
 *
 * writer.c: a thread that owns a connection and commits in groups.
 */
#include "common/db/writer.h"

#include <pthread.h>
#include <string.h>
#include <utlist.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

/* On the stack of the thread that waits for it. */
struct write {
        write_fn *run;
        void *owner;
        int result;     /* the writer's thread only, until it has ended */
        struct err why; /* likewise */
        bool ended;     /* guarded by mutex */
        pthread_cond_t end;
        struct write *prev, *next;
};

struct writer {
        pthread_t thread;
        bool started;
        struct database *database; /* the thread only */
        pthread_mutex_t mutex;
        pthread_cond_t came;
        struct write *waiting; /* guarded by mutex, and the two below */
        size_t count;          /* of these */
        bool stopping;
        struct err failure; /* of the last transaction; guarded by mutex */
};

/* -1 when the transaction is lost: SQLite ends it by itself for a full disk, for instance. */
static int run_write(struct writer *w, struct write *one, struct err *e)
{
        if (database_run(w->database, "SAVEPOINT write", NULL, e) != 0)
                return -1;
        one->result = one->run(w->database, one->owner, &one->why);
        if (!database_in_transaction(w->database)) {
                if (err_is_set(&one->why))
                        return err_set(e, one->why.code, "%s", one->why.text);
                return err_set(e, ERR_SYSTEM, "the transaction was ended");
        }
        if (one->result < 0 && database_run(w->database, "ROLLBACK TO write", NULL, e) != 0)
                return -1;
        return database_run(w->database, "RELEASE write", NULL, e);
}

static int commit_group(struct writer *w, struct write *group, struct err *e)
{
        struct write *one = NULL;
        if (database_run(w->database, "BEGIN IMMEDIATE", NULL, e) != 0)
                return -1;
        DL_FOREACH (group, one)
                if (run_write(w, one, e) != 0)
                        return -1;
        return database_run(w->database, "COMMIT", NULL, e);
}

/* Also a write that had failed by itself fails with the transaction: it may have seen others that
 * are undone now. */
static void write_group(struct writer *w, struct write *group, struct err *e)
{
        struct err ignored = {0};
        struct write *one = NULL;
        if (commit_group(w, group, e) == 0)
                return;
        if (database_in_transaction(w->database) &&
            database_run(w->database, "ROLLBACK", NULL, &ignored) != 0)
                LOG_WARN("rollback failed", log_err(&ignored));
        DL_FOREACH (group, one) {
                one->result = -1;
                one->why = *e;
        }
}

static void wake_locked(struct write *group)
{
        struct write *one = NULL, *next = NULL;
        DL_FOREACH_SAFE (group, one, next) {
                one->ended = true;
                pthread_cond_signal(&one->end);
        }
}

static void *write_groups(void *owner)
{
        struct writer *w = owner;
        pthread_mutex_lock(&w->mutex);
        while (w->waiting != NULL || !w->stopping) {
                if (w->waiting == NULL) {
                        pthread_cond_wait(&w->came, &w->mutex);
                        continue;
                }
                struct write *group = TAKE(w->waiting);
                w->count = 0;
                pthread_mutex_unlock(&w->mutex);
                struct err why = {0};
                write_group(w, group, &why);
                pthread_mutex_lock(&w->mutex);
                w->failure = why;
                wake_locked(group);
        }
        pthread_mutex_unlock(&w->mutex);
        return NULL;
}

struct writer *writer_create(sqlite3 **db, struct err *e)
{
        AUTO(writer) w = xcalloc(1, sizeof(*w));
        pthread_mutex_init(&w->mutex, NULL);
        pthread_cond_init(&w->came, NULL);
        w->database = database_create(db);
        int number = pthread_create(&w->thread, NULL, write_groups, w);
        if (number != 0) {
                (void)err_set(e, ERR_SYSTEM, "writer's thread: %s", strerror(number));
                return NULL;
        }
        w->started = true;
        return TAKE(w);
}

void writer_stop(struct writer *w)
{
        if (!w->started)
                return;
        pthread_mutex_lock(&w->mutex);
        w->stopping = true;
        pthread_cond_signal(&w->came);
        pthread_mutex_unlock(&w->mutex);
        pthread_join(w->thread, NULL);
        w->started = false;
}

void writer_destroy(struct writer **writer)
{
        struct writer *w = TAKE(*writer);
        if (w == NULL)
                return;
        writer_stop(w);
        database_destroy(&w->database);
        pthread_cond_destroy(&w->came);
        pthread_mutex_destroy(&w->mutex);
        free(w);
}

/* False: it is too late. */
static bool await(struct writer *w, struct write *one)
{
        pthread_mutex_lock(&w->mutex);
        bool accepted = !w->stopping;
        if (accepted) {
                DL_APPEND(w->waiting, one);
                w->count++;
                pthread_cond_signal(&w->came);
                while (!one->ended)
                        pthread_cond_wait(&one->end, &w->mutex);
        }
        pthread_mutex_unlock(&w->mutex);
        return accepted;
}

int writer_run(struct writer *w, write_fn *run, void *owner, struct err *e)
{
        struct write one = {.run = run, .owner = owner};
        pthread_cond_init(&one.end, NULL);
        bool accepted = await(w, &one);
        pthread_cond_destroy(&one.end);
        if (!accepted)
                return err_set(e, ERR_UNAVAILABLE, "the database is being closed");
        return one.result < 0 ? err_set(e, one.why.code, "%s", one.why.text) : one.result;
}

size_t writer_waiting(struct writer *w)
{
        pthread_mutex_lock(&w->mutex);
        size_t count = w->count;
        pthread_mutex_unlock(&w->mutex);
        return count;
}

int writer_check(struct writer *w, struct err *e)
{
        pthread_mutex_lock(&w->mutex);
        struct err failure = w->failure;
        pthread_mutex_unlock(&w->mutex);
        return err_is_set(&failure) ? err_set(e, failure.code, "%s", failure.text) : 0;
}
