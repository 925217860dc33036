/* SPDX-License-Identifier: Apache-2.0
 *
 * claim_settler.c: settles the claims of published jobs, and deletes old claims.
 */
#include "status-store/provisioning/claim_settler.h"

#include <pthread.h>
#include <string.h>

#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_claims.h"

enum {
        AT_ONCE = 256,
        FORGET_EVERY = CLAIM_FULL_RETRY, /* ms */
        RETRY_AFTER = 1000,              /* ms after a failure */
        DRAIN = 2000,                    /* ms at the end */
};

/* A list is a buffer of jobs: tenant, NUL, key, NUL, the id's bytes. */
struct claim_settler {
        struct registry *registry;
        struct claim_limits limits;
        pthread_t thread;
        /* The thread's. */
        struct buffer taken;
        size_t done; /* bytes of `taken` */
        msec settle_at, forget_at;
        bool warned;

        pthread_mutex_t mutex;
        pthread_cond_t came;
        /* Guarded by mutex. */
        struct buffer waiting;
        size_t taken_left; /* bytes of `taken` that are not done */
        int64_t dropped;
        bool ending;
};

void claim_settler_add(struct claim_settler *s, const char *tenant, const char *key, const char *id)
{
        unsigned char raw[UUID_BYTES];
        size_t tenant_size = strlen(tenant) + 1;
        size_t key_size = strlen(key) + 1;
        size_t size = tenant_size + key_size + sizeof(raw);
        if (!uuid_pack(bytes_of_text(id), raw))
                return;
        pthread_mutex_lock(&s->mutex);
        if (s->waiting.length + s->taken_left + size > CLAIM_SETTLER_BYTES) {
                s->dropped++;
        } else {
                buffer_add(&s->waiting, tenant, tenant_size);
                buffer_add(&s->waiting, key, key_size);
                buffer_add(&s->waiting, raw, sizeof(raw));
                pthread_cond_signal(&s->came);
        }
        pthread_mutex_unlock(&s->mutex);
}

int64_t claim_settler_dropped(struct claim_settler *s)
{
        pthread_mutex_lock(&s->mutex);
        int64_t dropped = s->dropped;
        pthread_mutex_unlock(&s->mutex);
        return dropped;
}

/* Until when there is nothing to do. */
static msec idle_until_locked(const struct claim_settler *s)
{
        bool settles = s->waiting.length > 0 || s->taken_left > 0;
        return settles && s->settle_at < s->forget_at ? s->settle_at : s->forget_at;
}

static void take_waiting_locked(struct claim_settler *s)
{
        if (s->taken_left > 0)
                return;
        buffer_fini(&s->taken); /* may be large: a rebuild names all jobs */
        s->taken = s->waiting;
        s->waiting = (struct buffer){0};
        s->taken_left = s->taken.length;
        s->done = 0;
}

/* Waits for something to do. False: the thread is to end. */
static bool await_work(struct claim_settler *s)
{
        pthread_mutex_lock(&s->mutex);
        while (!s->ending && clock_mono() < idle_until_locked(s))
                (void)condition_wait(&s->came, &s->mutex, idle_until_locked(s));
        take_waiting_locked(s);
        bool goes_on = !s->ending;
        pthread_mutex_unlock(&s->mutex);
        return goes_on;
}

/* Reads at most AT_ONCE jobs, and returns the end of the last. */
static size_t read_jobs(const struct claim_settler *s, struct claim_published *jobs, size_t *count)
{
        size_t at = s->done;
        for (*count = 0; *count < AT_ONCE && at < s->taken.length; ++*count) {
                struct claim_published *job = &jobs[*count];
                job->tenant = s->taken.data + at;
                job->key = job->tenant + strlen(job->tenant) + 1;
                const char *id = job->key + strlen(job->key) + 1;
                memcpy(job->id, id, sizeof(job->id));
                at = (size_t)(id - s->taken.data) + sizeof(job->id);
        }
        return at;
}

static int settle_some(struct claim_settler *s, struct err *e)
{
        struct claim_published jobs[AT_ONCE];
        size_t count = 0;
        size_t end = read_jobs(s, jobs, &count);
        if (count == 0)
                return 0;
        if (registry_settle_published(s->registry, jobs, count, e) != 0) {
                s->settle_at = clock_mono() + RETRY_AFTER;
                return -1;
        }
        s->done = end;
        pthread_mutex_lock(&s->mutex);
        s->taken_left = s->taken.length - end;
        pthread_mutex_unlock(&s->mutex);
        return 0;
}

static int forget_some(struct claim_settler *s, struct err *e)
{
        int more = registry_forget_claims(s->registry, &s->limits, e);
        msec wait = more == 0 ? FORGET_EVERY : 0;
        s->forget_at = clock_mono() + (more < 0 ? RETRY_AFTER : wait);
        return more < 0 ? -1 : 0;
}

/* False: none is left. */
static bool take_rest(struct claim_settler *s)
{
        pthread_mutex_lock(&s->mutex);
        take_waiting_locked(s);
        bool some = s->taken_left > 0;
        pthread_mutex_unlock(&s->mutex);
        return some;
}

/* The projection names a job once, so a claim that is not settled now stays leased. */
static void settle_rest(struct claim_settler *s)
{
        msec until = clock_mono() + DRAIN;
        struct err why = {0};
        while (take_rest(s)) {
                if (clock_mono() >= until)
                        (void)err_set(&why, ERR_TIMEOUT, "there are too many");
                if (err_is_set(&why) || settle_some(s, &why) != 0) {
                        LOG_WARN("claims of published jobs are not settled: their leases run out",
                                 log_err(&why));
                        return;
                }
        }
}

static void *run(void *owner)
{
        struct claim_settler *s = owner;
        while (await_work(s)) {
                struct err why = {0};
                msec now = clock_mono();
                bool tried = now >= s->forget_at || s->done < s->taken.length;
                int failed = 0;
                if (now >= s->settle_at)
                        failed |= settle_some(s, &why);
                if (now >= s->forget_at)
                        failed |= forget_some(s, &why);
                if (failed != 0 && !s->warned)
                        LOG_WARN("claims of idempotency keys cannot be settled or deleted; trying "
                                 "again",
                                 log_err(&why));
                if (tried)
                        s->warned = failed != 0;
        }
        settle_rest(s);
        return NULL;
}

static void free_settler(struct claim_settler *s)
{
        pthread_cond_destroy(&s->came);
        pthread_mutex_destroy(&s->mutex);
        buffer_fini(&s->taken);
        buffer_fini(&s->waiting);
        free(s);
}

struct claim_settler *claim_settler_create(struct registry *r, const struct claim_limits *l,
                                           struct err *e)
{
        struct claim_settler *s = xcalloc(1, sizeof(*s));
        s->registry = r;
        s->limits = *l;
        s->settle_at = s->forget_at = clock_mono();
        pthread_mutex_init(&s->mutex, NULL);
        condition_init(&s->came);
        if (pthread_create(&s->thread, NULL, run, s) == 0)
                return s;
        (void)err_set(e, ERR_SYSTEM, "cannot start the thread that settles claims");
        free_settler(s);
        return NULL;
}

void claim_settler_destroy(struct claim_settler **settler)
{
        struct claim_settler *s = TAKE(*settler);
        if (s == NULL)
                return;
        pthread_mutex_lock(&s->mutex);
        s->ending = true;
        pthread_cond_signal(&s->came);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->thread, NULL);
        free_settler(s);
}
