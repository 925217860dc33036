/* SPDX-License-Identifier: Apache-2.0
 *
 * elsewhere.c: the types asked about recently, and one call at a time to POST
 * /internal/v1/types/check, made by a thread of libuv's pool.
 */
#include "consumer/elsewhere.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/alarm.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/job.h"

enum {
        CALL_AGAIN = 1000, /* ms after a call that failed */
        LOG_EVERY = 1000,  /* ms between two types in the log */
        LAG_MAX = 5000,    /* ms; the answer of a store with more lag is not used */
        ANSWER_DEPTH = 4,
};
/* A type is forgotten when no job of it has come for this long. */
#define FORGET_AFTER (30 * MSEC_MINUTE)
/* The same, when there are too many types. */
#define FORGET_EARLY MSEC_MINUTE

struct entry {
        char type[JOB_TYPE_SIZE];
        bool known, handled;
        bool wanted; /* to ask about in the next call */
        bool logged; /* logged that no consumer handles it */
        msec answered_at, used_at;
        UT_hash_handle hh;
};

struct call {
        uv_work_t work;
        struct elsewhere *of;
        char types[ELSEWHERE_ASKED_MAX][JOB_TYPE_SIZE];
        bool handled[ELSEWHERE_ASKED_MAX]; /* written by the pool's thread, as is why */
        size_t count;
        struct buffer body;
        struct err why;
};

struct elsewhere {
        const struct stores *stores;
        uv_loop_t *loop;
        struct entry *entries;
        struct alarm *alarm;
        struct call *call; /* in flight */
        bool failing;      /* the last call failed, which was logged */
        msec logged_at;
};

/* The answer about types, in the order of the question. */
struct answer {
        bool *handled;
        size_t count, room;
        int64_t workers; /* of the type being read */
        msec lag;
};

static const struct json_member type_members[] = {
        {"workers", json_read_int, JSON_AT(struct answer, workers), .most = INT64_MAX,
         .flags = JSON_REQUIRED},
        {0},
};

static int read_type(struct json_reader *r, const struct json_place *p, void *out)
{
        struct answer *a = out;

        if (a->count++ == a->room)
                return json_refuse(r, p->up, "more types than were asked about");
        if (json_read_members(r, p, type_members, a) != 0)
                return -1;
        a->handled[p->index] = a->workers > 0;
        return 0;
}

static const struct json_member answer_members[] = {
        {"lag_ms", json_read_int, JSON_AT(struct answer, lag), .most = INT64_MAX,
         .flags = JSON_REQUIRED},
        {"types", json_read_list, .each = read_type, .flags = JSON_REQUIRED},
        {0},
};

int elsewhere_parse(struct bytes body, bool *handled, size_t count, struct err *e)
{
        struct answer a = {.handled = handled, .room = count};
        struct scan_fault fault;
        struct json_reader r = {.fault = &fault, .lenient = true};
        struct json_place root;

        if (json_read_open(&r, body, ANSWER_DEPTH, &root) != 0 ||
            json_read_members(&r, &root, answer_members, &a) != 0)
                return err_set(e, ERR_PROTOCOL, "types/check: %s: %s", fault.pointer, fault.detail);
        if (a.count != count)
                return err_set(e, ERR_PROTOCOL, "types/check: an answer about %zu of %zu types",
                               a.count, count);
        if (a.lag > LAG_MAX)
                return err_set(e, ERR_UNAVAILABLE, "the status-store is behind");
        return 0;
}

static int ask_store(struct call *c, size_t index, struct err *e)
{
        AUTO_BUFFER answer = {0};

        if (stores_ask(c->of->stores, index, "/internal/v1/types/check", &c->body, &answer, e) != 0)
                return -1;
        return elsewhere_parse(buffer_bytes(&answer), c->handled, c->count, e);
}

/* On a thread of the pool: the answer of the first store that has one. */
static void make_call(uv_work_t *work)
{
        struct call *c = work->data;

        for (size_t i = 0; i < c->of->stores->count; i++) {
                err_clear(&c->why);
                if (ask_store(c, i, &c->why) == 0)
                        return;
        }
}

/* Logs a type once, and one type per LOG_EVERY: publishers choose types, so there may be many. */
static void log_unhandled(struct elsewhere *e, struct entry *t, msec now)
{
        if (t->handled) {
                t->logged = false;
                return;
        }
        if (t->logged || (e->logged_at != 0 && now - e->logged_at < LOG_EVERY))
                return;
        t->logged = true;
        e->logged_at = now;
        LOG_WARN("no live consumer handles a type: its jobs wait for no_handler_wait, and are "
                 "then buried",
                 log_text("type", t->type),
                 log_text("remedy", "add the type to the handlers.json of a consumer and reload it "
                                    "(SIGHUP), or start a consumer that has it"));
}

static void take_answers(struct elsewhere *e, const struct call *c)
{
        msec now = clock_mono();

        for (size_t i = 0; i < c->count; i++) {
                struct entry *t;
                HASH_FIND_STR(e->entries, c->types[i], t);
                if (t == NULL)
                        continue;
                t->known = true;
                t->handled = c->handled[i];
                t->answered_at = now;
                t->wanted = false;
                log_unhandled(e, t, now);
        }
}

static void forget_unused(struct elsewhere *e, msec after)
{
        msec now = clock_mono();
        struct entry *t, *next;

        HASH_ITER (hh, e->entries, t, next) {
                if (now - t->used_at < after)
                        continue;
                HASH_DEL(e->entries, t);
                free(t);
        }
}

static bool any_wanted(const struct elsewhere *e)
{
        for (const struct entry *t = e->entries; t != NULL; t = t->hh.next) {
                if (t->wanted)
                        return true;
        }
        return false;
}

static void on_called(uv_work_t *work, int status)
{
        struct call *c = work->data;
        struct elsewhere *e = c->of;
        bool failed = err_is_set(&c->why);

        assert(status == 0);
        stores_note_health(&e->failing, &c->why, "cannot ask the status-store who handles a type",
                           "can ask the status-store again who handles a type");
        if (!failed)
                take_answers(e, c);
        e->call = NULL;
        buffer_fini(&c->body);
        free(c);
        forget_unused(e, failed ? FORGET_EARLY : FORGET_AFTER);
        if (any_wanted(e))
                alarm_set(e->alarm, failed ? CALL_AGAIN : 0);
}

static void on_alarm(void *owner)
{
        struct elsewhere *e = owner;

        if (e->call != NULL || !any_wanted(e))
                return;
        struct call *c = xcalloc(1, sizeof(*c));
        c->of = e;
        c->work.data = c;
        json_begin(&c->body);
        json_begin_array(&c->body, "types");
        for (const struct entry *t = e->entries; t != NULL; t = t->hh.next) {
                if (!t->wanted || c->count == ELSEWHERE_ASKED_MAX)
                        continue;
                json_put_string(&c->body, NULL, t->type);
                memcpy(c->types[c->count++], t->type, sizeof(t->type));
        }
        json_end_array(&c->body);
        json_end(&c->body);
        e->call = c;
        int failed = uv_queue_work(e->loop, &c->work, make_call, on_called);
        assert(failed == 0);
        (void)failed;
}

struct elsewhere *elsewhere_create(const struct stores *stores, uv_loop_t *loop)
{
        struct elsewhere *e = xcalloc(1, sizeof(*e));

        e->stores = stores;
        e->loop = loop;
        e->alarm = alarm_create(loop, on_alarm, e);
        return e;
}

void elsewhere_destroy(struct elsewhere **e)
{
        if (*e == NULL)
                return;
        while ((*e)->call != NULL)
                uv_run((*e)->loop, UV_RUN_ONCE);
        alarm_destroy(&(*e)->alarm);
        forget_unused(*e, 0);
        free(*e);
        *e = NULL;
}

static struct entry *entry_of(struct elsewhere *e, const char *type)
{
        struct entry *t;

        HASH_FIND_STR(e->entries, type, t);
        if (t != NULL)
                return t;
        if (HASH_COUNT(e->entries) >= ELSEWHERE_TYPES_MAX)
                forget_unused(e, FORGET_EARLY);
        if (HASH_COUNT(e->entries) >= ELSEWHERE_TYPES_MAX)
                return NULL;
        t = xcalloc(1, sizeof(*t));
        snprintf(t->type, sizeof(t->type), "%s", type);
        HASH_ADD_STR(e->entries, type, t);
        return t;
}

enum handled elsewhere_look(struct elsewhere *e, const char *type, bool *fresh)
{
        struct entry *t = entry_of(e, type);
        msec now = clock_mono();

        *fresh = false;
        if (t == NULL)
                return HANDLED_UNKNOWN;
        t->used_at = now;
        *fresh = t->known && now - t->answered_at < ELSEWHERE_FRESH;
        t->wanted = t->wanted || !*fresh;
        if (t->wanted && e->call == NULL && !alarm_is_set(e->alarm))
                alarm_set(e->alarm, 0);
        if (!t->known || (e->failing && !*fresh))
                return HANDLED_UNKNOWN;
        return t->handled ? HANDLED_ELSEWHERE : HANDLED_BY_NONE;
}
