/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.c: the last mark that each consumer has told it has read.
 */
#include "status-store/acts/seen.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"

struct reader_of_marks {
        char worker[WORKER_NAME_SIZE];
        int64_t mark;
        UT_hash_handle hh; /* in the order in which they told last */
};

struct seen {
        pthread_mutex_t mutex;
        pthread_cond_t news;
        bool closed;                     /* guarded by mutex, like readers */
        struct reader_of_marks *readers; /* the one that told least recently first */
};

struct seen *seen_create(void)
{
        struct seen *s = xcalloc(1, sizeof(*s));
        pthread_mutex_init(&s->mutex, NULL);
        condition_init(&s->news);
        return s;
}

void seen_destroy(struct seen **seen)
{
        struct seen *s = TAKE(*seen);
        if (s == NULL)
                return;
        struct reader_of_marks *r, *next;
        HASH_ITER (hh, s->readers, r, next) {
                HASH_DEL(s->readers, r);
                free(r);
        }
        pthread_cond_destroy(&s->news);
        pthread_mutex_destroy(&s->mutex);
        free(s);
}

/* Finds the worker and takes it out, or makes it: in the place of the first when there are too
 * many. */
static struct reader_of_marks *take_locked(struct seen *s, const char *worker)
{
        struct reader_of_marks *r = NULL;
        HASH_FIND_STR(s->readers, worker, r);
        if (r == NULL && HASH_COUNT(s->readers) < SEEN_WORKERS_MAX)
                return xcalloc(1, sizeof(*r));
        if (r == NULL) {
                r = s->readers;
                r->mark = 0;
        }
        HASH_DEL(s->readers, r);
        return r;
}

void seen_note(struct seen *s, struct bytes worker, int64_t mark)
{
        char name[WORKER_NAME_SIZE] = "";
        if (bytes_to_text(worker, name, sizeof(name)) != 0 || name[0] == '\0')
                return;
        pthread_mutex_lock(&s->mutex);
        struct reader_of_marks *r = take_locked(s, name);
        memcpy(r->worker, name, sizeof(r->worker));
        if (mark > r->mark)
                r->mark = mark;
        HASH_ADD_STR(s->readers, worker, r);
        pthread_cond_broadcast(&s->news);
        pthread_mutex_unlock(&s->mutex);
}

static size_t behind_locked(struct seen *s, const char *const *workers, size_t count, int64_t mark,
                            const char *behind[SEEN_BEHIND_MAX])
{
        size_t missing = 0;
        for (size_t i = 0; i < count; i++) {
                struct reader_of_marks *r = NULL;
                HASH_FIND_STR(s->readers, workers[i], r);
                if (r != NULL && r->mark >= mark)
                        continue;
                if (missing < SEEN_BEHIND_MAX)
                        behind[missing] = workers[i];
                missing++;
        }
        return missing;
}

size_t seen_await(struct seen *s, const char *const *workers, size_t count, int64_t mark,
                  msec deadline, const char *behind[SEEN_BEHIND_MAX])
{
        pthread_mutex_lock(&s->mutex);
        size_t missing = behind_locked(s, workers, count, mark, behind);
        while (missing > 0 && !s->closed && condition_wait(&s->news, &s->mutex, deadline))
                missing = behind_locked(s, workers, count, mark, behind);
        pthread_mutex_unlock(&s->mutex);
        return missing;
}

void seen_close(struct seen *s)
{
        pthread_mutex_lock(&s->mutex);
        s->closed = true;
        pthread_cond_broadcast(&s->news);
        pthread_mutex_unlock(&s->mutex);
}
