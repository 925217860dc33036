/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.c: the queue of asks, the queue of ends, and the thread that makes calls of them.
 */
#include "gateway/claims.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/condition.h"
#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/tenant_places.h"

enum {
        CALL_TIMEOUT = 3 * MSEC_SECOND,
        QUEUE_TIMEOUT = 2 * MSEC_SECOND, /* of an ask before its call */
        REFUSE_TIME = MSEC_SECOND,       /* after a call that failed */
        ENDS_MAX = 8192,
};
/* Of a key's characters, all printable, two need an escape. */
_Static_assert(CLAIMS_AT_ONCE *(2 * JOB_KEY_SIZE + 512) +
                               CLAIM_ENDS_AT_ONCE * (2 * JOB_KEY_SIZE + 256) <=
                       CLAIMS_BODY_MAX,
               "the longest call fits");

/* A claims_ask, on its caller's stack. While it is in a call it does not leave. */
struct waiter {
        const struct claim_ask *asks;
        struct claim_answer *answers;
        size_t count;
        bool in_call, done;
        struct err why; /* set: it failed */
        pthread_cond_t changed;
        struct waiter *prev, *next;
};

struct ending {
        struct claim_ending end;
        struct ending *prev, *next;
};

/* Only the thread uses it. */
struct call {
        struct waiter *waiters;
        size_t ask_count; /* of all of them */
        struct claim_answer answers[CLAIMS_AT_ONCE];
        struct ending *ends;
        struct buffer body;
        struct err why;
        bool failing; /* the last one failed, which was logged */
        msec lease;   /* of the last answer */
};

struct claims {
        struct claims_config config;
        pthread_t thread;
        struct call call;
        struct tenant_places *places; /* of waiters, also of those in a call */
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t wake;  /* of the thread */
        pthread_cond_t ended; /* the thread has */
        struct waiter *waiters;
        struct ending *ends;
        unsigned end_count;
        msec refuse_until;
        struct err why; /* of the last call that failed */
        msec finish_by; /* 0: not finishing; then the thread ends when it has sent all, or fails */
        bool has_ended;
};

static void write_call(struct call *call)
{
        const struct ending *end;
        const struct waiter *w;

        buffer_clear(&call->body);
        json_begin(&call->body);
        json_begin_array(&call->body, "ended");
        DL_FOREACH (call->ends, end)
                claim_write_ending(&end->end, &call->body);
        json_end_array(&call->body);
        json_begin_array(&call->body, "claims");
        DL_FOREACH (call->waiters, w) {
                for (size_t i = 0; i < w->count; i++)
                        claim_write_ask(&w->asks[i], &call->body);
        }
        json_end_array(&call->body);
        json_end(&call->body);
}

static void check_lease(struct claims *c, msec lease)
{
        if (c->call.lease != lease && c->config.confirm_timeout > lease - lease / 3)
                LOG_WARN("confirm_timeout must be below two thirds of the primary's claims_lease",
                         log_int("confirm_timeout_ms", c->config.confirm_timeout),
                         log_int("claims_lease_ms", lease));
        c->call.lease = lease;
}

/* A third of the lease is for the time until the publish, the rest for its confirm. */
static int read_reply(struct claims *c, struct bytes body, msec began, struct err *e)
{
        struct call *call = &c->call;
        const struct claim_answer *from = call->answers;
        struct waiter *w;
        msec lease;

        if (claim_read_answers(body, call->answers, call->ask_count, &lease, e) < 0)
                return -1;
        for (size_t i = 0; i < call->ask_count; i++)
                call->answers[i].publish_by = began + lease / 3;
        DL_FOREACH (call->waiters, w) {
                memcpy(w->answers, from, w->count * sizeof(*from));
                from += w->count;
        }
        check_lease(c, lease);
        return 0;
}

static int make_call(struct claims *c, msec timeout, struct err *e)
{
        struct http_reply reply = {0};
        const struct http_call call = {.method = "POST",
                                       .path = "/internal/v1/claims",
                                       .body = buffer_bytes(&c->call.body),
                                       .timeout = timeout};
        msec began = clock_boot(); /* a lease goes on while this machine is suspended */
        int done = http_client_call(c->config.client, &call, &reply, e);

        if (done == 0 && reply.status != 200)
                done = err_set(e, ERR_UNAVAILABLE, "status %d", reply.status);
        else if (done == 0)
                done = read_reply(c, buffer_bytes(&reply.body), began, e);
        http_reply_fini(&reply);
        return done;
}

/* Tells of the first failure, and of the first success after it. */
static void log_call(struct call *call, int done)
{
        if (done < 0 && !call->failing)
                LOG_WARN("the primary status-store gives no claims: submissions with a key are "
                         "refused",
                         log_err(&call->why));
        else if (done == 0 && call->failing)
                LOG_INFO("the primary status-store gives claims again");
        call->failing = done < 0;
}

static void free_ends(struct ending **ends)
{
        struct ending *end, *next;

        DL_FOREACH_SAFE (*ends, end, next)
                free(end);
        *ends = NULL;
}

static void limit_ends_locked(struct claims *c)
{
        while (c->end_count > ENDS_MAX) {
                struct ending *oldest = c->ends;
                DL_DELETE(c->ends, oldest);
                free(oldest);
                c->end_count--;
        }
}

static struct ending *ending_of(const char *tenant, const char *key, const char *holder,
                                enum claim_end how)
{
        struct ending *ending = xcalloc(1, sizeof(*ending));
        struct claim_ending *end = &ending->end;

        snprintf(end->tenant, sizeof(end->tenant), "%s", tenant);
        snprintf(end->key, sizeof(end->key), "%s", key);
        snprintf(end->holder, sizeof(end->holder), "%s", holder);
        end->how = how;
        return ending;
}

static void add_end_locked(struct claims *c, struct ending *ending)
{
        DL_APPEND(c->ends, ending);
        c->end_count++;
        limit_ends_locked(c);
}

/* Its place is that of the first one's tenant; only an admin's batch has jobs of several. */
static const char *tenant_of(const struct waiter *w)
{
        return w->asks[0].tenant;
}

static void wake_locked(struct claims *c, struct waiter *w, const struct err *why)
{
        if (why != NULL)
                w->why = *why;
        w->done = true;
        tenant_places_return(c->places, tenant_of(w));
        pthread_cond_signal(&w->changed);
}

/* The primary may have granted them. */
static void release_locked(struct claims *c, const struct waiter *w)
{
        for (size_t i = 0; i < w->count; i++) {
                const struct claim_ask *a = &w->asks[i];
                if (!a->look)
                        add_end_locked(c, ending_of(a->tenant, a->key, a->holder, CLAIM_RELEASE));
        }
}

/* Those who wait for the next call fail too: none shall wait for one primary twice. */
static void fail_locked(struct claims *c)
{
        struct call *call = &c->call;
        struct ending *end;
        struct waiter *w, *next;
        unsigned sent = 0;

        c->refuse_until = clock_mono() + REFUSE_TIME;
        c->why = call->why;
        DL_FOREACH (call->ends, end)
                sent++;
        DL_CONCAT(call->ends, c->ends);
        c->ends = TAKE(call->ends);
        c->end_count += sent;
        limit_ends_locked(c);
        DL_FOREACH_SAFE (call->waiters, w, next) {
                release_locked(c, w);
                wake_locked(c, w, &call->why);
        }
        call->waiters = NULL;
        DL_FOREACH_SAFE (c->waiters, w, next)
                wake_locked(c, w, &call->why);
        c->waiters = NULL;
}

static void succeed_locked(struct claims *c)
{
        struct waiter *w, *next;

        free_ends(&c->call.ends);
        DL_FOREACH_SAFE (c->call.waiters, w, next)
                wake_locked(c, w, NULL);
        c->call.waiters = NULL;
}

static void gather_locked(struct claims *c)
{
        size_t asks = 0;

        for (unsigned i = 0; i < CLAIM_ENDS_AT_ONCE && c->ends != NULL; i++) {
                struct ending *end = c->ends;
                DL_DELETE(c->ends, end);
                DL_APPEND(c->call.ends, end);
                c->end_count--;
        }
        while (c->waiters != NULL && asks + c->waiters->count <= CLAIMS_AT_ONCE) {
                struct waiter *w = c->waiters;
                DL_DELETE(c->waiters, w);
                DL_APPEND(c->call.waiters, w);
                w->in_call = true;
                asks += w->count;
        }
        c->call.ask_count = asks;
}

/* Waits until there is something to send and the primary may be asked. False: the thread ends. */
static bool wait_for_work_locked(struct claims *c)
{
        for (;;) {
                msec now = clock_mono();
                bool nothing = c->ends == NULL && c->waiters == NULL;
                bool refused = now < c->refuse_until;
                if (c->finish_by != 0 && (nothing || refused || now >= c->finish_by))
                        return false;
                if (!nothing && !refused)
                        return true;
                if (nothing)
                        pthread_cond_wait(&c->wake, &c->mutex);
                else
                        condition_wait(&c->wake, &c->mutex, c->refuse_until);
        }
}

static msec call_timeout_locked(const struct claims *c)
{
        msec left = c->finish_by - clock_mono();

        if (c->finish_by == 0 || left > CALL_TIMEOUT)
                return CALL_TIMEOUT;
        return left > 0 ? left : 1;
}

static void *run(void *owner)
{
        struct claims *c = owner;
        struct call *call = &c->call;

        pthread_mutex_lock(&c->mutex);
        while (wait_for_work_locked(c)) {
                gather_locked(c);
                msec timeout = call_timeout_locked(c);
                pthread_mutex_unlock(&c->mutex);
                write_call(call);
                err_clear(&call->why);
                int done = make_call(c, timeout, &call->why);
                log_call(call, done);
                pthread_mutex_lock(&c->mutex);
                if (done == 0)
                        succeed_locked(c);
                else
                        fail_locked(c);
        }
        c->has_ended = true;
        pthread_cond_signal(&c->ended);
        pthread_mutex_unlock(&c->mutex);
        return NULL;
}

struct claims *claims_create(const struct claims_config *config)
{
        struct claims *c = xcalloc(1, sizeof(*c));

        c->config = *config;
        c->places = tenant_places_create(config->waiting_max, config->waiting_each,
                                         "submissions with a key");
        pthread_mutex_init(&c->mutex, NULL);
        condition_init(&c->wake);
        condition_init(&c->ended);
        int failed = pthread_create(&c->thread, NULL, run, c);
        assert(failed == 0);
        (void)failed;
        return c;
}

void claims_finish(struct claims *c, msec limit)
{
        pthread_mutex_lock(&c->mutex);
        c->finish_by = clock_mono() + limit;
        pthread_cond_signal(&c->wake);
        while (!c->has_ended && condition_wait(&c->ended, &c->mutex, c->finish_by))
                ;
        pthread_mutex_unlock(&c->mutex);
}

void claims_destroy(struct claims **claims)
{
        struct claims *c = TAKE(*claims);

        if (c == NULL)
                return;
        http_client_stop(c->config.client);
        claims_finish(c, 0);
        pthread_join(c->thread, NULL);
        free_ends(&c->ends);
        buffer_fini(&c->call.body);
        http_client_destroy(&c->config.client);
        tenant_places_destroy(&c->places);
        pthread_cond_destroy(&c->wake);
        pthread_cond_destroy(&c->ended);
        pthread_mutex_destroy(&c->mutex);
        free(c);
}

static int enter_locked(struct claims *c, struct waiter *w, struct err *e)
{
        if (c->finish_by != 0)
                return err_set(e, ERR_UNAVAILABLE, "stopping");
        if (clock_mono() < c->refuse_until) {
                *e = c->why;
                return -1;
        }
        if (tenant_places_take(c->places, tenant_of(w), e) != 0)
                return -1;
        DL_APPEND(c->waiters, w);
        pthread_cond_signal(&c->wake);
        return 0;
}

/* A wait for the call before is limited; a call limits itself. */
static void wait_locked(struct claims *c, struct waiter *w)
{
        msec until = clock_mono() + QUEUE_TIMEOUT;

        while (!w->done) {
                if (w->in_call) {
                        pthread_cond_wait(&w->changed, &c->mutex);
                } else if (!condition_wait(&w->changed, &c->mutex, until) && !w->in_call &&
                           !w->done) {
                        DL_DELETE(c->waiters, w);
                        err_set(&w->why, ERR_TIMEOUT, "the status-store answers too slowly");
                        wake_locked(c, w, NULL);
                }
        }
}

int claims_ask(struct claims *c, const struct claim_ask *asks, struct claim_answer *answers,
               size_t count, struct err *e)
{
        const struct meters *m = c->config.meters;
        struct waiter w = {.asks = asks, .answers = answers, .count = count};
        int64_t since = clock_mono_us();

        assert(count >= 1 && count <= CLAIMS_AT_ONCE);
        condition_init(&w.changed);
        pthread_mutex_lock(&c->mutex);
        if (enter_locked(c, &w, &w.why) == 0)
                wait_locked(c, &w);
        pthread_mutex_unlock(&c->mutex);
        pthread_cond_destroy(&w.changed);
        if (err_is_set(&w.why)) {
                metric_increment(m->claims, (double)count, "failed");
                return err_set(e, w.why.code == ERR_FULL ? ERR_FULL : ERR_UNAVAILABLE,
                               "idempotency keys cannot be looked up just now (%s): send the same "
                               "request again later",
                               w.why.text);
        }
        metric_observe(m->claim, (double)(clock_mono_us() - since) / 1e6);
        for (size_t i = 0; i < count; i++)
                metric_increment(m->claims, 1, claim_state_word(answers[i].state));
        return 0;
}

void claims_end(struct claims *c, const char *tenant, const char *key, const char *holder,
                enum claim_end how)
{
        struct ending *end = ending_of(tenant, key, holder, how);

        pthread_mutex_lock(&c->mutex);
        add_end_locked(c, end);
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->mutex);
}

unsigned claims_waiting(struct claims *c)
{
        return tenant_places_taken(c->places);
}
