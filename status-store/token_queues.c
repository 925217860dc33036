/* SPDX-License-Identifier: Apache-2.0
 *
 * token_queues.c: makes, fills and deletes the queues that hold the tokens of limits.
 */
#include "status-store/token_queues.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/wait.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/topology/topology.h"
#include "status-store/registry_tokens.h"

#define TOKEN_CONTENT_TYPE "application/vnd.warren.token"

enum { NUMBER_SIZE = sizeof("9223372036854775807") };

enum {
        WINDOW_BYTES = 16 * 1024 * 1024,    /* for all tokens of a limit */
        CONFIRM_TIMEOUT = 30 * MSEC_SECOND, /* for all of them */
        RETRY_MIN = MSEC_SECOND,
        RETRY_MAX = MSEC_MINUTE,
};

struct token_queues {
        struct registry *registry;
        msec delete_after;
        void (*up)(void *owner);
        void *owner;
        struct link *link; /* without resend */
        msec retry_pause;  /* 0: the last filling did not fail */
        msec retry_at;     /* monotonic */
};

static struct limit_version version_of(const struct token_queue *q)
{
        return (struct limit_version){
                .kind = q->kind, .of = q->of, .version = q->version, .per = q->per};
}

/* Publishes of one queue; `done` runs on the link's thread. */
struct filling {
        sem_t ended;
        unsigned confirmed;
};

static void on_ended(void *owner, enum link_result result)
{
        struct filling *f = owner;
        f->confirmed += result == LINK_CONFIRMED;
        sem_post(&f->ended);
}

static int publish_token(struct link *l, const char *queue, int64_t number,
                         const struct publish_wait *wait, struct err *e)
{
        char id[NUMBER_SIZE];
        snprintf(id, sizeof(id), "%" PRId64, number);
        const struct message token = {.exchange = bytes_of_text(""),
                                      .routing_key = bytes_of_text(queue),
                                      .message_id = bytes_of_text(id),
                                      .content_type = bytes_of_text(TOKEN_CONTENT_TYPE),
                                      .body = bytes_of_text(""),
                                      .delivery_mode = 2,
                                      .mandatory = true};
        return link_publish(l, &token, wait, e);
}

static int publish_tokens(struct link *l, const char *queue, int64_t count, struct err *e)
{
        struct filling f = {.confirmed = 0};
        const struct publish_wait wait = {.done = on_ended, .owner = &f, .direct = true};
        int64_t sent = 0;
        sem_init(&f.ended, 0, 0);
        while (sent < count && publish_token(l, queue, sent, &wait, e) == 0)
                sent++;
        for (int64_t i = 0; i < sent; i++) {
                while (sem_wait(&f.ended) != 0)
                        assert(errno == EINTR);
        }
        sem_destroy(&f.ended);
        if (sent < count)
                return -1;
        if (f.confirmed == count)
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "the broker did not confirm all tokens of %s", queue);
}

/* A queue of that name may be left of a registry that was lost: its tokens must not count. */
static int try_queue(struct token_queues *q, const struct token_queue *queue, int64_t count,
                     struct err *e)
{
        const struct limit_version v = version_of(queue);
        char name[LIMIT_QUEUE_SIZE];
        limit_queue_name(queue->kind, queue->of, queue->version, name);
        if (topology_delete_limit(q->link, &v, e) != 0 || topology_apply_limit(q->link, &v, e) != 0)
                return -1;
        return publish_tokens(q->link, name, count, e);
}

/* Whatever the reason is: the limit can be made later. */
static int make_queue(struct token_queues *q, const struct token_queue *queue, int64_t count,
                      struct err *e)
{
        struct err why = {0};
        if (try_queue(q, queue, count, &why) == 0)
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "the limit is kept, but not in force yet: %s", why.text);
}

static int check_up(const struct token_queues *q, struct err *e)
{
        if (link_is_up(q->link))
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "the broker cannot be reached for the tokens of limits");
}

static void note_end(struct token_queues *q, int failed)
{
        if (!failed) {
                q->retry_pause = 0;
                return;
        }
        q->retry_pause = q->retry_pause == 0 ? RETRY_MIN : 2 * q->retry_pause;
        if (q->retry_pause > RETRY_MAX)
                q->retry_pause = RETRY_MAX;
        q->retry_at = clock_mono() + q->retry_pause;
}

/* Fills the queue of the next version; `version` gets its number. v: of the tenant or type. */
static int fill(struct token_queues *q, struct token_queue *queue, int64_t count, int64_t v,
                struct err *e)
{
        struct err ignored = {0};
        if (check_up(q, e) != 0 || registry_begin_tokens(q->registry, queue, e) != 0)
                return -1;
        int failed = make_queue(q, queue, count, e);
        note_end(q, failed);
        if (failed == 0 && registry_use_tokens(q->registry, queue, v, e) == 0) {
                LOG_INFO("a limit has new tokens", log_text("of", queue->of),
                         log_int("version", queue->version), log_int("tokens", count));
                return 0;
        }
        if (registry_abandon_tokens(q->registry, queue, &ignored) != 0)
                LOG_WARN("a queue of tokens was not noted as abandoned", log_text("of", queue->of),
                         log_int("version", queue->version), log_err(&ignored));
        return -1;
}

static bool tenant_needs_tokens(const struct tenant_record *r)
{
        return !r->deleted && r->max_running > 0 && r->slots_version == 0;
}

static bool needs_slots(const struct type_record *r)
{
        return r->max_running > 0 && r->slots_version == 0;
}

static bool needs_rate(const struct type_record *r)
{
        return r->rate_count > 0 && r->rate_version == 0;
}

int token_queues_fill_tenant(struct token_queues *q, struct tenant *t, struct err *e)
{
        struct tenant_record *r = &t->record;
        struct token_queue queue = {.kind = LIMIT_TENANT_SLOTS};
        if (!tenant_needs_tokens(r))
                return 0;
        memcpy(queue.of, r->name, sizeof(r->name));
        if (fill(q, &queue, r->max_running, r->v, e) != 0)
                return -1;
        r->slots_version = queue.version;
        return 0;
}

int token_queues_fill_type(struct token_queues *q, struct type *t, struct err *e)
{
        struct type_record *r = &t->record;
        struct token_queue slots = {.kind = LIMIT_TYPE_SLOTS};
        struct token_queue rate = {.kind = LIMIT_TYPE_RATE, .per = r->rate_per};
        memcpy(slots.of, r->name, sizeof(r->name));
        memcpy(rate.of, r->name, sizeof(r->name));
        if (needs_slots(r)) {
                if (fill(q, &slots, r->max_running, r->v, e) != 0)
                        return -1;
                r->slots_version = slots.version;
        }
        if (needs_rate(r)) {
                if (fill(q, &rate, r->rate_count, r->v, e) != 0)
                        return -1;
                r->rate_version = rate.version;
        }
        return 0;
}

static int check_pause(const struct token_queues *q, struct err *e)
{
        if (q->retry_pause == 0 || clock_mono() >= q->retry_at)
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "its tokens could not be filled; trying again in %lld s",
                       (long long)(q->retry_at - clock_mono()) / MSEC_SECOND + 1);
}

int token_queues_retry_tenant(struct token_queues *q, struct tenant *t, struct err *e)
{
        if (tenant_needs_tokens(&t->record) && check_pause(q, e) != 0)
                return -1;
        return token_queues_fill_tenant(q, t, e);
}

int token_queues_retry_type(struct token_queues *q, struct type *t, struct err *e)
{
        if ((needs_slots(&t->record) || needs_rate(&t->record)) && check_pause(q, e) != 0)
                return -1;
        return token_queues_fill_type(q, t, e);
}

/* For a walk that goes on after a refusal. */
struct walk {
        struct token_queues *queues;
        struct err *refused;
};

static int declare_one(void *owner, const struct token_queue *queue, struct err *e)
{
        const struct walk *w = owner;
        const struct limit_version v = version_of(queue);
        struct err why = {0};
        if (check_up(w->queues, e) != 0)
                return -1;
        if (topology_apply_limit(w->queues->link, &v, &why) != 0)
                *w->refused = why;
        return 0;
}

static int delete_one(void *owner, const struct token_queue *queue, struct err *e)
{
        const struct walk *w = owner;
        const struct limit_version v = version_of(queue);
        struct err why = {0};
        if (check_up(w->queues, e) != 0)
                return -1;
        if (topology_delete_limit(w->queues->link, &v, &why) == 0)
                return registry_forget_tokens(w->queues->registry, queue, e);
        if (why.code != ERR_CONFLICT) /* it has consumers: later */
                *w->refused = why;
        return 0;
}

static int result_of(const struct walk *w, int walked, struct err *e)
{
        if (walked == 0 && err_is_set(w->refused))
                return err_set(e, w->refused->code, "%s", w->refused->text);
        return walked;
}

int token_queues_declare(struct token_queues *q, struct err *e)
{
        struct err refused = {0};
        struct walk w = {.queues = q, .refused = &refused};
        return result_of(&w, registry_each_filled(q->registry, declare_one, &w, e), e);
}

int token_queues_sweep(struct token_queues *q, struct err *e)
{
        struct err refused = {0};
        struct walk w = {.queues = q, .refused = &refused};
        const msec before = clock_wall() - q->delete_after;
        return result_of(&w, registry_each_stale(q->registry, before, delete_one, &w, e), e);
}

static void on_up(void *owner)
{
        const struct token_queues *q = owner;
        q->up(q->owner);
}

bool token_queues_are_up(const struct token_queues *q)
{
        return link_is_up(q->link);
}

struct token_queues *token_queues_create(const struct token_queues_config *c, uv_loop_t *loop,
                                         struct err *e)
{
        static const struct link_events events = {.up = on_up};
        AUTO(token_queues) q = xcalloc(1, sizeof(*q));
        AUTO_FREE char *name = xasprintf("%s tokens", c->link->name);
        struct link_config config = *c->link;
        config.name = name;
        config.window_messages = LIMIT_TOKENS_MAX;
        config.window_bytes = WINDOW_BYTES;
        config.confirm_timeout = CONFIRM_TIMEOUT;
        config.resend = false;
        q->registry = c->registry;
        q->delete_after = c->delete_after;
        q->up = c->up;
        q->owner = c->owner;
        q->link = link_create(&config, &events, q, loop, e);
        return q->link != NULL ? TAKE(q) : NULL;
}

void token_queues_destroy(struct token_queues **queues)
{
        struct token_queues *q = TAKE(*queues);
        if (q == NULL)
                return;
        link_destroy(&q->link);
        free(q);
}
