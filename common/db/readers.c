/* SPDX-License-Identifier: Apache-2.0
 *
 * readers.c: read-only connections to one database.
 */
#include "common/db/readers.h"

#include <pthread.h>
#include <time.h>

#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define TAKE_WAIT ((msec)5 * MSEC_SECOND)

struct reader {
        struct readers *pool;
        struct database *database;
        struct reader *next;
};

struct readers {
        pthread_mutex_t mutex;
        pthread_cond_t freed;
        struct reader *free; /* guarded by mutex */
        unsigned count;
        struct reader all[];
};

struct readers *readers_create(const char *path, unsigned count, struct err *e)
{
        AUTO(readers) r = xcalloc(1, sizeof(*r) + count * sizeof(r->all[0]));
        r->count = count;
        pthread_mutex_init(&r->mutex, NULL);
        condition_init(&r->freed);
        for (unsigned i = 0; i < count; i++) {
                struct reader *one = &r->all[i];
                one->pool = r;
                AUTO_DB *db = db_open(path, DB_READ_ONLY, e);
                if (db == NULL)
                        return NULL;
                one->database = database_create(&db);
                one->next = r->free;
                r->free = one;
        }
        return TAKE(r);
}

void readers_destroy(struct readers **r)
{
        if (*r == NULL)
                return;
        for (unsigned i = 0; i < (*r)->count; i++)
                database_destroy(&(*r)->all[i].database);
        pthread_cond_destroy(&(*r)->freed);
        pthread_mutex_destroy(&(*r)->mutex);
        free(*r);
        *r = NULL;
}

static struct reader *take_free(struct readers *r, msec deadline)
{
        pthread_mutex_lock(&r->mutex);
        while (r->free == NULL && condition_wait(&r->freed, &r->mutex, deadline))
                continue;
        struct reader *one = r->free;
        if (one != NULL)
                r->free = one->next;
        pthread_mutex_unlock(&r->mutex);
        return one;
}

struct reader *readers_take(struct readers *r, struct err *e)
{
        return readers_take_within(r, TAKE_WAIT, e);
}

struct reader *readers_take_within(struct readers *r, msec wait, struct err *e)
{
        struct reader *one = take_free(r, clock_mono() + wait);
        if (one == NULL) {
                (void)err_set(e, ERR_UNAVAILABLE, "too many reads at once");
                return NULL;
        }
        if (database_run(one->database, "BEGIN", NULL, e) != 0)
                readers_give(&one);
        return one;
}

void readers_give(struct reader **reader)
{
        struct reader *one = *reader;
        if (one == NULL)
                return;
        *reader = NULL;
        struct err why = {0};
        if (database_in_transaction(one->database) &&
            database_run(one->database, "ROLLBACK", NULL, &why) != 0)
                LOG_WARN("a read did not end", log_err(&why));
        pthread_mutex_lock(&one->pool->mutex);
        one->next = one->pool->free;
        one->pool->free = one;
        pthread_cond_signal(&one->pool->freed);
        pthread_mutex_unlock(&one->pool->mutex);
}

struct database *reader_database(struct reader *r)
{
        return r->database;
}

sqlite3_stmt *reader_query(struct reader *r, const char *sql, const struct db_value *values,
                           struct err *e)
{
        return database_query(r->database, sql, values, e);
}
