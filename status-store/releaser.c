/* SPDX-License-Identifier: Apache-2.0
 *
 * releaser.c: finds attempts that run on workers which have been silent for too long.
 */
#include "status-store/releaser.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"
#include "status-store/lookup.h"

enum {
        LOOK_EVERY = 500,    /* ms */
        CURRENT_WAIT = 5000, /* ms, for the projection to become current */
        AT_ONCE = 200,       /* attempts in one message */
};

struct releaser {
        struct readers *readers;
        struct markers *markers;
        struct provisioning *provisioning;
        pthread_t thread;
        bool warned; /* the thread's */
        pthread_mutex_t mutex;
        pthread_cond_t end;
        bool ending; /* guarded by mutex */
};

/* The events to publish. */
struct found {
        struct buffer lines;
        int count;
        char worker[WORKER_NAME_SIZE]; /* of the last event */
};

static void found_fini(struct found *f)
{
        buffer_fini(&f->lines);
}
#define AUTO_FOUND __attribute__((cleanup(found_fini))) struct found

/* recorded_at: of the worker's last record; 0: none (an old one is deleted). */
static bool is_lost(const struct job_row *row, msec recorded_at, bool gone, msec as_of)
{
        msec heard_at = recorded_at > row->winner.at ? recorded_at : row->winner.at;

        return (gone && recorded_at >= row->winner.at) || heard_at <= as_of - WORKER_ALIVE;
}

static void add_release(struct found *f, const struct job_row *row)
{
        struct event e = {.kind = EVENT_RELEASED,
                          .run = row->winner.run,
                          .attempt = row->winner.attempt,
                          .copy = row->winner.copy,
                          .at = clock_wall(),
                          .after = row->winner.at,
                          .worker = bytes_of_text(row->worker),
                          .lost = true};
        memcpy(e.id, row->id, sizeof(e.id));
        memcpy(e.tenant, row->tenant, sizeof(e.tenant));
        memcpy(f->worker, row->worker, sizeof(f->worker));
        event_write(&e, &f->lines);
        f->count++;
}

static int look_at(struct found *f, sqlite3_stmt *row, msec as_of, struct err *e)
{
        AUTO_STORED_JOB job = {0};
        msec recorded_at = sqlite3_column_int64(row, JOB_COLUMN_COUNT);
        bool gone = bytes_equal_text(db_bytes(row, JOB_COLUMN_COUNT + 1), "gone");
        int read = stored_job_read(row, &job, e);
        if (read == 0 && job.row.worker[0] != '\0' && is_lost(&job.row, recorded_at, gone, as_of))
                add_release(f, &job.row);
        return read;
}

static int find_lost(struct releaser *r, msec as_of, struct found *f, struct err *e)
{
        AUTO_READER *reader = readers_take(r->readers, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *rows =
                reader_query(reader,
                             "SELECT " JOB_COLUMNS ", w.at, w.state FROM jobs j"
                             " LEFT JOIN workers w ON w.worker = j.worker WHERE j.state = 2"
                             " AND j.tenant IN (SELECT tenant FROM counts WHERE state = 2 AND"
                             " n > 0) AND (w.state = 'gone' OR"
                             " max(ifnull(w.at, 0), ifnull(j.started_at, 0)) <= ?1)",
                             DB_VALUES(value_int(as_of - WORKER_ALIVE)), e);
        int more = 0;
        while (f->count < AT_ONCE && (more = db_step(rows, e)) == 1) {
                if (look_at(f, rows, as_of, e) != 0)
                        return -1;
        }
        return more < 0 ? -1 : 0;
}

/* The rows may be old: the store was stopped, or is behind. So suspects are looked up again once
 * the projection is current, as of the time before the marker. */
static int release_lost(struct releaser *r, struct err *e)
{
        AUTO_FOUND suspects = {.count = 0};
        AUTO_FOUND lost = {.count = 0};
        char marker[UUID_SIZE];
        if (provisioning_check(r->provisioning, e) != 0 ||
            find_lost(r, clock_wall(), &suspects, e) != 0)
                return -1;
        if (suspects.count == 0)
                return 0;
        msec as_of = clock_wall();
        if (provisioning_publish_marker(r->provisioning, marker, e) != 0)
                return -1;
        if (!markers_await(r->markers, marker, clock_mono() + CURRENT_WAIT))
                return 0;
        if (find_lost(r, as_of, &lost, e) != 0)
                return -1;
        if (lost.count == 0)
                return 0;
        LOG_WARN("jobs of a lost worker are pending again", log_text("worker", lost.worker),
                 log_int("jobs", lost.count));
        return provisioning_publish_events(r->provisioning, buffer_bytes(&lost.lines), e);
}

/* False when the thread is to end. */
static bool wait_a_while(struct releaser *r)
{
        msec until = clock_mono() + LOOK_EVERY;
        pthread_mutex_lock(&r->mutex);
        while (!r->ending && condition_wait(&r->end, &r->mutex, until))
                continue;
        bool goes_on = !r->ending;
        pthread_mutex_unlock(&r->mutex);
        return goes_on;
}

static void *run(void *owner)
{
        struct releaser *r = owner;
        while (wait_a_while(r)) {
                struct err why = {0};
                int done = release_lost(r, &why);
                if (done != 0 && !r->warned)
                        LOG_WARN("jobs of lost workers cannot be released; trying again",
                                 log_err(&why));
                r->warned = done != 0;
        }
        return NULL;
}

struct releaser *releaser_create(struct readers *readers, struct markers *markers,
                                 struct provisioning *provisioning, struct err *e)
{
        struct releaser *r = xcalloc(1, sizeof(*r));
        r->readers = readers;
        r->markers = markers;
        r->provisioning = provisioning;
        pthread_mutex_init(&r->mutex, NULL);
        condition_init(&r->end);
        if (pthread_create(&r->thread, NULL, run, r) == 0)
                return r;
        (void)err_set(e, ERR_SYSTEM, "cannot start the thread that releases jobs of lost workers");
        pthread_cond_destroy(&r->end);
        pthread_mutex_destroy(&r->mutex);
        free(r);
        return NULL;
}

void releaser_destroy(struct releaser **releaser)
{
        struct releaser *r = TAKE(*releaser);
        if (r == NULL)
                return;
        pthread_mutex_lock(&r->mutex);
        r->ending = true;
        pthread_cond_signal(&r->end);
        pthread_mutex_unlock(&r->mutex);
        pthread_join(r->thread, NULL);
        pthread_cond_destroy(&r->end);
        pthread_mutex_destroy(&r->mutex);
        free(r);
}
