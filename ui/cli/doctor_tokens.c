/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_tokens.c: finds limits whose tokens were lost, because somebody deleted or purged their
 * queue, and replaces the tokens with --fix.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/limit_queue.h"
#include "ui/cli/api.h"
#include "ui/cli/broker.h"
#include "ui/cli/doctor.h"
#include "ui/cli/limit_view.h"
#include "ui/cli/token_fix.h"
#include "ui/cli/token_loss.h"
#include "ui/cli/view.h"

enum { PAUSE_MS = 1000 };
static const msec looks_end = (msec)60 * MSEC_SECOND;

static const char *const names[] = {
        [LIMIT_TENANT_SLOTS] = "max running",
        [LIMIT_TYPE_SLOTS] = "max running",
        [LIMIT_TYPE_RATE] = "max rate",
};

struct limit {
        char queue[LIMIT_QUEUE_SIZE];
        enum limit_queue kind;
        char of[JOB_TYPE_SIZE];
        int64_t version; /* in force; 0: none, its tokens are being made */
        int64_t tokens;
        int64_t messages; /* when the queue was last seen */
        unsigned look;    /* the last that found it */
        enum token_loss loss;
        msec since; /* of this loss */
        msec seen;  /* by the last look */
        UT_hash_handle hh;
};

struct queue {
        char *name;
        int64_t messages;
        UT_hash_handle hh;
};

struct looks {
        struct cli *c;
        const struct broker_checks *b;
        struct limit *limits;
        struct queue *queues; /* of this look */
        unsigned look;
        bool said; /* that it takes some time */
};

static void forget_queues(struct looks *l)
{
        struct queue *entry, *next;

        HASH_ITER (hh, l->queues, entry, next) {
                HASH_DEL(l->queues, entry);
                free(entry->name);
                free(entry);
        }
}

/* Forgets limits that this look did not find; all of them when look is 0. */
static void forget_limits(struct looks *l, unsigned look)
{
        struct limit *limit, *next;

        HASH_ITER (hh, l->limits, limit, next) {
                if (look != 0 && limit->look == look)
                        continue;
                HASH_DEL(l->limits, limit);
                free(limit);
        }
}

static void looks_fini(struct looks *l)
{
        forget_queues(l);
        forget_limits(l, 0);
}

static void add_queue(void *owner, const char *name, int64_t messages)
{
        struct looks *l = owner;
        struct queue *entry = NULL;

        HASH_FIND_STR(l->queues, name, entry);
        if (entry != NULL)
                return;
        entry = xcalloc(1, sizeof(*entry));
        entry->name = xstrdup(name);
        entry->messages = messages;
        HASH_ADD_KEYPTR(hh, l->queues, entry->name, strlen(entry->name), entry);
}

static const int64_t *messages_of(const struct looks *l, enum limit_queue kind,
                                  const struct limit *limit)
{
        char name[LIMIT_QUEUE_SIZE];
        struct queue *entry = NULL;

        limit_queue_name(kind, limit->of, limit->version, name);
        HASH_FIND_STR(l->queues, name, entry);
        return entry == NULL ? NULL : &entry->messages;
}

/* of: the tenant or type. */
static void add_limit(struct looks *l, enum limit_queue kind, struct scan_value of, int64_t tokens)
{
        struct limit made = {.kind = kind, .version = limit_version(kind, of)};
        struct limit *limit = NULL;
        AUTO_BUFFER name = {0};

        if (tokens <= 0 || made.version < 0 || !view_add(of, "name", &name) ||
            bytes_to_text(buffer_bytes(&name), made.of, sizeof(made.of)) < 0)
                return;
        limit_queue_name(kind, made.of, made.version, made.queue);
        HASH_FIND_STR(l->limits, made.queue, limit);
        if (limit == NULL) {
                limit = xcalloc(1, sizeof(*limit));
                *limit = made;
                HASH_ADD_STR(l->limits, queue, limit);
        }
        limit->look = l->look;
        limit->tokens = tokens;
}

static int read_tenants(struct looks *l, struct err *e)
{
        struct scan_value list;
        struct scan_item item;
        AUTO_REPLY reply = {0};

        if (api_read(l->c, "/api/v1/tenants", &reply, e) < 0)
                return -1;
        if (!view_find(api_value(&reply), "tenants", &list))
                return err_set(e, ERR_PROTOCOL, "the gateway's answer has no tenants");
        for (struct scan_cursor at = scan_items(list); scan_next(&at, &item);)
                add_limit(l, LIMIT_TENANT_SLOTS, item.value, view_int(item.value, "max_running"));
        return 0;
}

/* An older gateway knows no limits of types. */
static int read_types(struct looks *l, struct err *e)
{
        struct err why = {0};
        struct scan_value list;
        struct scan_item item;
        AUTO_REPLY reply = {0};

        if (api_read(l->c, "/api/v1/types", &reply, &why) < 0) {
                if (reply.status == 404)
                        return 0;
                *e = why;
                return -1;
        }
        if (!view_find(api_value(&reply), "types", &list))
                return err_set(e, ERR_PROTOCOL, "the gateway's answer has no types");
        for (struct scan_cursor at = scan_items(list); scan_next(&at, &item);) {
                AUTO_BUFFER rate = {0};
                add_limit(l, LIMIT_TYPE_SLOTS, item.value, view_int(item.value, "max_running"));
                if (view_add(item.value, "max_rate", &rate)) /* "10/1s": 10 tokens */
                        add_limit(l, LIMIT_TYPE_RATE, item.value, strtoll(rate.data, NULL, 10));
        }
        return 0;
}

static enum token_loss loss_of(const struct looks *l, struct limit *limit)
{
        int64_t sum;

        if (limit->version == 0)
                return TOKENS_NOT_MADE;
        const int64_t *messages = messages_of(l, limit->kind, limit);
        if (limit->kind == LIMIT_TYPE_RATE)
                messages = token_counts_join(messages, messages_of(l, LIMIT_TYPE_COOLING, limit),
                                             &sum);
        if (messages != NULL)
                limit->messages = *messages;
        return token_loss_of(limit->tokens, messages);
}

static void judge(struct looks *l, struct limit *limit, msec now)
{
        enum token_loss loss = loss_of(l, limit);

        if (loss != limit->loss)
                limit->since = now;
        limit->loss = loss;
        limit->seen = now;
}

static int look_once(struct looks *l, struct err *e)
{
        l->look++;
        if (read_tenants(l, e) < 0 || read_types(l, e) < 0)
                return -1;
        forget_limits(l, l->look);
        if (l->limits == NULL)
                return 0;
        if (broker_each_queue(l->b->management, l->b->vhost, add_queue, l, e) < 0)
                return -1;
        for (struct limit *limit = l->limits; limit != NULL; limit = limit->hh.next)
                judge(l, limit, clock_mono());
        forget_queues(l);
        return 0;
}

/* Only looks count: fixing other limits takes time too. */
static bool is_certain(const struct limit *limit)
{
        return limit->seen - limit->since >= token_loss_patience(limit->loss);
}

static void say_once(struct looks *l)
{
        if (!l->said)
                cli_note(l->c, "tokens of a limit seem to be lost: counting them again for 30 s");
        l->said = true;
}

/* Until each loss was seen for long enough, or is gone. */
static int look_long_enough(struct looks *l, struct err *e)
{
        msec end = clock_mono() + looks_end;

        for (;;) {
                bool again = false;

                if (look_once(l, e) < 0)
                        return -1;
                for (const struct limit *limit = l->limits; limit != NULL; limit = limit->hh.next)
                        again = again || (limit->loss != TOKENS_COMPLETE && !is_certain(limit));
                if (!again || clock_mono() >= end)
                        return 0;
                say_once(l);
                poll(NULL, 0, PAUSE_MS);
        }
}

static void add_name(const struct limit *limit, struct buffer *out)
{
        buffer_printf(out, "%s %s, %s: ", limit_noun(limit->kind), limit->of, names[limit->kind]);
}

static void add_problem(const struct limit *limit, struct buffer *out)
{
        add_name(limit, out);
        switch (limit->loss) {
        case TOKENS_COMPLETE:
                break;
        case TOKENS_NOT_MADE:
                buffer_add_text(out, "not in force, as its tokens could not be made yet");
                break;
        case TOKENS_NO_QUEUE:
                buffer_add_text(out, "tokens are lost: their queue is missing");
                break;
        case TOKENS_FEWER:
                buffer_printf(out, "tokens are lost: %lld of %lld are left",
                              (long long)limit->messages, (long long)limit->tokens);
                break;
        }
}

static void fix(struct cli *c, const struct limit *limit, struct diagnosis *d)
{
        const struct token_fix wanted = {limit->kind, limit->of, limit->version};
        struct err e = {0};
        AUTO_BUFFER problem = {0};
        AUTO_FREE char *remedy =
                xasprintf("run: warren %s slots %s", limit_noun(limit->kind), limit->of);

        add_problem(limit, &problem);
        int64_t version = token_fix_run(c, &wanted, &e);
        if (version < 0) {
                buffer_printf(&problem, "; it could not be fixed: %s", e.text);
                diagnosis_add(d, "limits", HEALTH_WRONG, problem.data, remedy);
                return;
        }
        buffer_printf(&problem, "; new ones are in force: version %lld", (long long)version);
        diagnosis_add(d, "limits", HEALTH_FIXED, problem.data, NULL);
}

static void report(const struct limit *limit, struct diagnosis *d)
{
        const char *noun = limit_noun(limit->kind);
        AUTO_BUFFER problem = {0};
        AUTO_FREE char *remedy = xasprintf(
                "run: warren doctor --fix, or for this one: warren %s slots %s", noun, limit->of);

        add_problem(limit, &problem);
        diagnosis_add(d, "limits", HEALTH_WRONG, problem.data,
                      limit->loss == TOKENS_NOT_MADE
                              ? "see the log of the primary status-store, which tries again"
                              : remedy);
}

static void report_unsettled(const struct limit *limit, struct diagnosis *d)
{
        AUTO_BUFFER problem = {0};

        add_name(limit, &problem);
        buffer_add_text(&problem,
                        "it is not certain after a minute of looks whether tokens are lost");
        diagnosis_add(d, "limits", HEALTH_UNKNOWN, problem.data, "look again: warren doctor");
}

void doctor_check_tokens(struct cli *c, const struct broker_checks *b)
{
        struct err e = {0};
        struct looks l __attribute__((cleanup(looks_fini))) = {.c = c, .b = b};
        bool found = false;

        if (look_long_enough(&l, &e) < 0) {
                diagnosis_add(b->d, "limits", HEALTH_UNKNOWN, e.text, NULL);
                return;
        }
        for (const struct limit *limit = l.limits; limit != NULL; limit = limit->hh.next) {
                if (limit->loss == TOKENS_COMPLETE)
                        continue;
                found = true;
                if (!is_certain(limit))
                        report_unsettled(limit, b->d);
                else if (cli_has(c, "fix") && limit->loss != TOKENS_NOT_MADE)
                        fix(c, limit, b->d);
                else
                        report(limit, b->d);
        }
        if (!found)
                diagnosis_add(b->d, "limits", HEALTH_OK, NULL, NULL);
}
