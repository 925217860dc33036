/* SPDX-License-Identifier: Apache-2.0
 *
 * token_queues.c: makes, fills and deletes the queues that hold the tokens of limits.
 */
#include "status-store/provisioning/token_queues.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/amqp/wait.h"
#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/topology/topology.h"
#include "status-store/provisioning/in_force.h"
#include "status-store/provisioning/token_publish.h"
#include "status-store/registry/registry_tokens.h"

#define NEVER INT64_MAX

enum {
        WINDOW_BYTES = 16 * 1024 * 1024,    /* for all tokens of a limit */
        CONFIRM_TIMEOUT = 30 * MSEC_SECOND, /* for all of them */
        POLL = MSEC_SECOND,
        DECLARE_RETRY = 10 * MSEC_SECOND,
        RETRY_MIN = MSEC_SECOND,
        RETRY_MAX = MSEC_MINUTE,
};

/* A tenant or type whose last filling failed. */
struct failure {
        char of[1 + JOB_TYPE_SIZE]; /* its record_kind as a letter, then its name */
        msec pause, again;          /* again: monotonic */
        UT_hash_handle hh;
};

struct token_queues {
        struct registry *registry;
        pthread_mutex_t *changing;
        msec delete_after;
        void (*filled)(void *owner, enum record_kind kind, const char *name);
        void *owner;
        struct link *link; /* without resend */
        pthread_t thread;
        bool has_thread;

        /* The thread's. */
        struct failure *failures;
        struct failure *due; /* the only one that is tried again in this round; or NULL */
        msec declare_at;     /* monotonic: when the queues in use are declared; or NEVER */
        bool warned;         /* of what was refused in the last round */

        atomic_bool begun;
        atomic_bool came_up; /* the link, since the queues in use were declared */
        pthread_mutex_t mutex;
        pthread_cond_t news;
        /* Guarded by mutex. */
        bool awake, ending;
};

static struct limit_version version_of(const struct token_queue *q)
{
        return (struct limit_version){
                .kind = q->kind, .of = q->of, .version = q->version, .per = q->per};
}

/* A queue of that name may be left of a registry that was lost: its tokens must not count. */
static int try_queue(struct token_queues *q, const struct token_queue *queue, struct err *e)
{
        const struct limit_version v = version_of(queue);
        char name[LIMIT_QUEUE_SIZE];
        limit_queue_name(queue->kind, queue->of, queue->version, name);
        if (topology_delete_limit(q->link, &v, e) != 0 || topology_apply_limit(q->link, &v, e) != 0)
                return -1;
        return token_publish(q->link, name, queue->tokens, e);
}

static int check_up(const struct token_queues *q, struct err *e)
{
        if (link_is_up(q->link))
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "the broker cannot be reached for the tokens of limits");
}

static int use(struct token_queues *q, const struct token_queue *queue, struct err *e)
{
        pthread_mutex_lock(q->changing);
        int used = registry_use_tokens(q->registry, queue, e);
        pthread_mutex_unlock(q->changing);
        return used;
}

/* Fills a queue with the next version, whose number it gets. 1: the limit was changed meanwhile. */
static int fill(struct token_queues *q, struct token_queue *queue, struct err *e)
{
        struct err ignored = {0};
        if (check_up(q, e) != 0 || registry_begin_tokens(q->registry, queue, e) != 0)
                return -1;
        int made = try_queue(q, queue, e);
        int used = made == 0 ? use(q, queue, e) : -1;
        if (used == 0) {
                LOG_INFO("a limit has new tokens", log_text("of", queue->of),
                         log_int("version", queue->version), log_int("tokens", queue->tokens));
                return 0;
        }
        if (registry_abandon_tokens(q->registry, queue, &ignored) != 0)
                LOG_WARN("a queue of tokens was not noted as abandoned", log_text("of", queue->of),
                         log_int("version", queue->version), log_err(&ignored));
        return made == 0 && e->code == ERR_CONFLICT ? 1 : -1;
}

static int fill_tenant(struct token_queues *q, const struct tenant_record *r, struct err *e)
{
        struct token_queue slots = {.kind = LIMIT_TENANT_SLOTS, .tokens = r->max_running};
        memcpy(slots.of, r->name, sizeof(r->name));
        return fill(q, &slots, e);
}

static int fill_type(struct token_queues *q, const struct type *t, struct err *e)
{
        const struct type_record *r = &t->record;
        struct token_queue slots = {.kind = LIMIT_TYPE_SLOTS, .tokens = r->max_running};
        struct token_queue rate = {
                .kind = LIMIT_TYPE_RATE, .tokens = r->rate_count, .per = r->rate_per};
        memcpy(slots.of, r->name, sizeof(r->name));
        memcpy(rate.of, r->name, sizeof(r->name));
        int done = type_needs_slots(t) ? fill(q, &slots, e) : 0;
        return done == 0 && type_needs_rate(t) ? fill(q, &rate, e) : done;
}

static struct failure *find_failure(struct token_queues *q, enum record_kind kind, const char *name)
{
        struct failure *f = NULL;
        char of[sizeof(f->of)];
        snprintf(of, sizeof(of), "%c%s", kind == RECORD_TYPE ? 'y' : 't', name);
        HASH_FIND_STR(q->failures, of, f);
        return f;
}

static void forget_failure(struct token_queues *q, struct failure *f)
{
        HASH_DEL(q->failures, f);
        free(f);
}

static void note_failure(struct token_queues *q, enum record_kind kind, const char *name,
                         const struct err *why)
{
        struct failure *f = find_failure(q, kind, name);
        if (f == NULL) {
                LOG_WARN("the tokens of a limit were not made; trying again", log_text("of", name),
                         log_err(why));
                f = xcalloc(1, sizeof(*f));
                snprintf(f->of, sizeof(f->of), "%c%s", kind == RECORD_TYPE ? 'y' : 't', name);
                f->pause = RETRY_MIN / 2;
                HASH_ADD_STR(q->failures, of, f);
        }
        f->pause = 2 * f->pause < RETRY_MAX ? 2 * f->pause : RETRY_MAX;
        f->again = clock_mono() + f->pause;
}

/* One that failed may take CONFIRM_TIMEOUT again, and all that never failed would wait. So one is
 * tried in a round, the one that has waited longest. */
static void choose_due(struct token_queues *q)
{
        msec now = clock_mono();
        q->due = NULL;
        for (struct failure *f = q->failures; f != NULL; f = f->hh.next) {
                if (f->again <= now && (q->due == NULL || f->again < q->due->again))
                        q->due = f;
        }
}

static bool may_fill(struct token_queues *q, enum record_kind kind, const char *name)
{
        const struct failure *f = find_failure(q, kind, name);
        return f == NULL || f == q->due;
}

static bool is_ending(struct token_queues *q)
{
        pthread_mutex_lock(&q->mutex);
        bool ending = q->ending;
        pthread_mutex_unlock(&q->mutex);
        return ending;
}

/* done: of fill. */
static void after_filling(struct token_queues *q, enum record_kind kind, const char *name, int done,
                          const struct err *why)
{
        if (done < 0) {
                if (!is_ending(q))
                        note_failure(q, kind, name, why);
                q->due = NULL;
                return;
        }
        if (done == 0)
                q->filled(q->owner, kind, name);
        else
                token_queues_wake(q); /* its new limit comes at once */
}

/* The lists are copies: a row is read again before it is filled. */
static int serve_tenant(void *owner, const struct tenant *listed, struct err *e)
{
        struct token_queues *q = owner;
        const char *name = listed->record.name;
        struct tenant t = {0};
        struct err why = {0};
        if (!tenant_needs_tokens(listed) || !may_fill(q, RECORD_TENANT, name))
                return 0;
        if (check_up(q, e) != 0 || registry_tenant(q->registry, name, &t, e) < 0)
                return -1;
        if (!tenant_needs_tokens(&t))
                return 0;
        int done = fill_tenant(q, &t.record, &why);
        after_filling(q, RECORD_TENANT, name, done, &why);
        return 0;
}

static int serve_type(void *owner, const struct type *listed, struct err *e)
{
        struct token_queues *q = owner;
        const char *name = listed->record.name;
        struct type t = {0};
        struct err why = {0};
        if (!type_needs_tokens(listed) || !may_fill(q, RECORD_TYPE, name))
                return 0;
        if (check_up(q, e) != 0 || registry_type(q->registry, name, &t, e) < 0)
                return -1;
        if (!type_needs_tokens(&t))
                return 0;
        int done = fill_type(q, &t, &why);
        after_filling(q, RECORD_TYPE, name, done, &why);
        return 0;
}

/* Fills what needs tokens. What fails comes again in a later round. */
static int serve(struct token_queues *q, struct err *e)
{
        choose_due(q);
        int served = registry_each_tenant(q->registry, WHICH_UNFILLED, serve_tenant, q, e);
        if (served == 0)
                served = registry_each_type(q->registry, WHICH_UNFILLED, serve_type, q, e);
        /* Filled, or not needed any more: the next one that failed is tried at once. */
        if (served == 0 && q->due != NULL) {
                forget_failure(q, q->due);
                token_queues_wake(q);
        }
        return served;
}

static bool take_news(struct token_queues *q)
{
        pthread_mutex_lock(&q->mutex);
        bool awake = q->awake;
        q->awake = false;
        pthread_mutex_unlock(&q->mutex);
        return awake;
}

/* Before each queue of a walk. A walk may take long: a limit that was changed meanwhile does not
 * wait for its end. */
static int go_on(struct token_queues *q, struct err *e)
{
        struct err ignored = {0}; /* the next round repeats it */
        if (take_news(q))
                (void)!serve(q, &ignored);
        return check_up(q, e);
}

/* For a walk that goes on after a refusal. */
struct walk {
        struct token_queues *queues;
        struct err refused;
};

static int declare_one(void *owner, const struct token_queue *queue, struct err *e)
{
        struct walk *w = owner;
        const struct limit_version v = version_of(queue);
        struct err why = {0};
        if (go_on(w->queues, e) != 0)
                return -1;
        if (topology_apply_limit(w->queues->link, &v, &why) != 0)
                w->refused = why;
        return 0;
}

static int delete_one(void *owner, const struct token_queue *queue, struct err *e)
{
        struct walk *w = owner;
        const struct limit_version v = version_of(queue);
        struct err why = {0};
        if (go_on(w->queues, e) != 0)
                return -1;
        if (topology_delete_limit(w->queues->link, &v, &why) == 0)
                return registry_forget_tokens(w->queues->registry, queue, e);
        if (why.code != ERR_CONFLICT) /* it has consumers: later */
                w->refused = why;
        return 0;
}

static int result_of(const struct walk *w, int walked, struct err *e)
{
        if (walked == 0 && err_is_set(&w->refused))
                return err_set(e, w->refused.code, "%s", w->refused.text);
        return walked;
}

/* Once a connection; again when one was refused, as one whose leader is not back yet. */
static int declare_queues(struct token_queues *q, struct err *e)
{
        struct walk w = {.queues = q};
        if (atomic_exchange(&q->came_up, false))
                q->declare_at = 0;
        if (q->declare_at > clock_mono())
                return 0;
        int done = result_of(&w, registry_each_filled(q->registry, declare_one, &w, e), e);
        q->declare_at = done == 0 ? NEVER : clock_mono() + DECLARE_RETRY;
        return done;
}

static int delete_stale(struct token_queues *q, struct err *e)
{
        struct walk w = {.queues = q};
        const msec before = clock_wall() - q->delete_after;
        return result_of(&w, registry_each_stale(q->registry, before, delete_one, &w, e), e);
}

/* False when the thread is to end. */
static bool wait_for_work(struct token_queues *q)
{
        msec until = clock_mono() + POLL;
        pthread_mutex_lock(&q->mutex);
        while (!q->ending && !q->awake && condition_wait(&q->news, &q->mutex, until))
                continue;
        q->awake = false;
        bool goes_on = !q->ending;
        pthread_mutex_unlock(&q->mutex);
        return goes_on;
}

static void work(struct token_queues *q)
{
        struct err why = {0};
        (void)!serve(q, &why);
        (void)!declare_queues(q, &why);
        (void)!delete_stale(q, &why);
        if (err_is_set(&why) && !q->warned && !is_ending(q))
                LOG_WARN("queues of tokens not provisioned; trying again", log_err(&why));
        q->warned = err_is_set(&why);
}

static void *run(void *owner)
{
        struct token_queues *q = owner;
        while (wait_for_work(q)) {
                if (q->begun && link_is_up(q->link))
                        work(q);
        }
        return NULL;
}

static void on_up(void *owner)
{
        struct token_queues *q = owner;
        q->came_up = true;
        token_queues_wake(q);
}

void token_queues_begin(struct token_queues *q)
{
        q->begun = true;
        token_queues_wake(q);
}

void token_queues_wake(struct token_queues *q)
{
        pthread_mutex_lock(&q->mutex);
        q->awake = true;
        pthread_cond_signal(&q->news);
        pthread_mutex_unlock(&q->mutex);
}

bool token_queues_are_up(const struct token_queues *q)
{
        return link_is_up(q->link);
}

static int start(struct token_queues *q, const struct link_config *link, uv_loop_t *loop,
                 struct err *e)
{
        static const struct link_events events = {.up = on_up};
        AUTO_FREE char *name = xasprintf("%s tokens", link->name);
        struct link_config config = *link;
        config.name = name;
        config.window_messages = LIMIT_TOKENS_MAX;
        config.window_bytes = WINDOW_BYTES;
        config.confirm_timeout = CONFIRM_TIMEOUT;
        config.resend = false;
        q->link = link_create(&config, &events, q, loop, e);
        if (q->link == NULL)
                return -1;
        if (pthread_create(&q->thread, NULL, run, q) != 0)
                return err_set(e, ERR_SYSTEM, "cannot start the thread that fills tokens");
        q->has_thread = true;
        return 0;
}

struct token_queues *token_queues_create(const struct token_queues_config *c, uv_loop_t *loop,
                                         struct err *e)
{
        AUTO(token_queues) q = xcalloc(1, sizeof(*q));
        q->registry = c->registry;
        q->changing = c->changing;
        q->delete_after = c->delete_after;
        q->filled = c->filled;
        q->owner = c->owner;
        q->declare_at = NEVER;
        pthread_mutex_init(&q->mutex, NULL);
        condition_init(&q->news);
        return start(q, c->link, loop, e) == 0 ? TAKE(q) : NULL;
}

void token_queues_stop(struct token_queues *q)
{
        if (q == NULL)
                return;
        pthread_mutex_lock(&q->mutex);
        q->ending = true;
        pthread_cond_signal(&q->news);
        pthread_mutex_unlock(&q->mutex);
        link_stop(q->link);
}

void token_queues_join(struct token_queues *q)
{
        if (q != NULL && q->has_thread)
                pthread_join(q->thread, NULL);
        if (q != NULL)
                q->has_thread = false;
}

void token_queues_destroy(struct token_queues **queues)
{
        struct token_queues *q = TAKE(*queues);
        struct failure *f, *after;
        if (q == NULL)
                return;
        assert(!q->has_thread);
        link_destroy(&q->link);
        HASH_ITER (hh, q->failures, f, after)
                forget_failure(q, f);
        pthread_cond_destroy(&q->news);
        pthread_mutex_destroy(&q->mutex);
        free(q);
}
