/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate_check.c: one call at a time to POST /internal/v1/deliveries/check, made by a thread of
 * libuv's pool once its marker is kept. Questions that got no answer go into the next call until
 * their patience ends.
 */
#include "consumer/duplicate_check.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum {
        CALL_AGAIN = 250, /* ms after a call that failed */
        BUSY_LAG = 20000, /* ms that a store is taken to be behind that cannot answer now */
};
/* An error's bytes can each be an escape. */
_Static_assert(STORES_ANSWER_MAX >= DUPLICATE_CHECK_MAX * (6 * JOB_ERROR_MAX + 1024),
               "an answer fits");

struct question {
        struct attempt *attempt; /* NULL: withdrawn while its call was under way */
        struct attempt_key key;
        int64_t copy;
        msec asked_at; /* monotonic; of its first call, 0: none yet */
        struct question *prev, *next;
};

struct call {
        struct publication publication; /* the marker */
        char marker[UUID_SIZE];
        uv_work_t work;
        bool working; /* on a thread of the pool */
        struct duplicate_check *duplicate_check;
        struct buffer body;
        struct question *questions[DUPLICATE_CHECK_MAX]; /* NULL once answered */
        size_t count;
        struct duplicate_answer answers[DUPLICATE_CHECK_MAX]; /* written by the pool's thread */
        bool answered;
        struct err why; /* of the last store that was asked and could not answer */
};

struct duplicate_check {
        uv_loop_t *loop;
        answered_fn *answered;
        void *owner;
        const struct stores *stores;
        size_t first; /* the store that answered last; only the pool's thread uses it */
        struct outbox *outbox;
        const char *app_id;
        struct alarm *alarm;
        struct question *open; /* not in a call */
        struct call *call;     /* under way */
        bool failing;          /* the last call failed: said once */
};

/* What a burial says of itself. Its reason is one that a consumer gave. */
static int parse_burial(json_t *entry, struct duplicate_answer *out, struct err *e)
{
        json_t *error = json_object_get(entry, "error");

        if (!reason_parse(bytes_of_text(json_string_value(json_object_get(entry, "reason"))),
                          &out->reason))
                return err_set(e, ERR_PROTOCOL,
                               "the status-store tells of a burial without reason");
        error_kind_parse(bytes_of_text(json_string_value(json_object_get(entry, "error_kind"))),
                         &out->error_kind);
        if (json_is_string(error))
                buffer_add(&out->error, json_string_value(error), json_string_length(error));
        return 0;
}

static int parse_answer(json_t *entry, struct duplicate_answer *out, struct err *e)
{
        const char *state, *worker = json_string_value(json_object_get(entry, "worker"));
        int alive = 0;
        json_int_t starts = 0;

        if (json_unpack(entry, "{s:s, s?:b, s?:I}", "state", &state, "worker_alive", &alive,
                        "starts", &starts) != 0 ||
            !duplicate_state_parse(bytes_of_text(state), &out->state))
                return err_set(e, ERR_PROTOCOL, "the status-store's answer has a bad entry");
        if (worker != NULL)
                snprintf(out->worker, sizeof(out->worker), "%s", worker);
        out->worker_alive = alive != 0;
        out->starts = starts;
        return out->state == DUPLICATE_BURIED ? parse_burial(entry, out, e) : 0;
}

static void json_release(json_t **j)
{
        json_decref(*j);
}

int duplicate_check_parse(struct bytes body, struct duplicate_answer *answers, size_t count,
                          struct err *e)
{
        __attribute__((cleanup(json_release))) json_t *root =
                json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        json_t *list = json_object_get(root, "deliveries");

        json_int_t lag = json_integer_value(json_object_get(root, "lag_ms"));

        memset(answers, 0, count * sizeof(*answers));
        if (json_array_size(list) != count)
                return err_set(e, ERR_PROTOCOL, "the status-store answered about %zu of %zu",
                               json_array_size(list), count);
        for (size_t i = 0; i < count; i++) {
                if (parse_answer(json_array_get(list, i), &answers[i], e) != 0)
                        return -1;
                answers[i].lag = lag > 0 ? lag : 0;
        }
        return 0;
}

static void write_questions(struct call *c)
{
        buffer_printf(&c->body, "{\"marker\":\"%s\",\"deliveries\":[", c->marker);
        for (size_t i = 0; i < c->count; i++) {
                const struct question *q = c->questions[i];
                buffer_printf(&c->body,
                              "%s{\"tenant\":\"%s\",\"id\":\"%s\",\"run\":%lld,\"attempt\":%lld,"
                              "\"copy\":%lld}",
                              i == 0 ? "" : ",", q->key.tenant, q->key.id, (long long)q->key.run,
                              (long long)q->key.number, (long long)q->copy);
        }
        buffer_add_text(&c->body, "]}");
}

static void forget_answers(struct call *c)
{
        for (size_t i = 0; i < c->count; i++) {
                duplicate_answer_fini(&c->answers[i]);
                c->answers[i] = (struct duplicate_answer){.state = DUPLICATE_SILENT};
        }
}

static void answer_behind(struct call *c, msec lag)
{
        forget_answers(c);
        for (size_t i = 0; i < c->count; i++)
                c->answers[i] = (struct duplicate_answer){.state = DUPLICATE_BEHIND, .lag = lag};
}

/* 500 and 503 are a store's own words for "not now": it is there, and may know. Anything else but
 * 200 is of a store that this consumer cannot use, or of no store: as if it were away. */
static bool is_busy(int status)
{
        return status == 500 || status == 503;
}

/* -1: it gave no answer. 1: it is there, and cannot answer now. e says why of both. */
static int ask_store(struct call *c, struct http_client *store, struct err *e)
{
        struct http_reply reply = {0};
        const struct http_call call = {
                .method = "POST",
                .path = "/internal/v1/deliveries/check",
                .body = buffer_bytes(&c->body),
        };

        int done = http_client_call(store, &call, &reply, e);
        if (done == 0 && reply.status != 200) {
                err_set(e, ERR_UNAVAILABLE, "the status-store answered %d", reply.status);
                done = is_busy(reply.status) ? 1 : -1;
        }
        if (done == 0) {
                forget_answers(c);
                done = duplicate_check_parse(buffer_bytes(&reply.body), c->answers, c->count, e);
        }
        http_reply_fini(&reply);
        return done;
}

/* On a thread of the pool: the answer of the first store that is current, or that one is behind. */
static void make_call(uv_work_t *work)
{
        struct call *c = work->data;
        struct duplicate_check *d = c->duplicate_check;
        msec lag = -1;

        for (size_t i = 0; i < stores_count(d->stores); i++) {
                size_t at = (d->first + i) % stores_count(d->stores);
                struct err why = {0};
                int done = ask_store(c, stores_at(d->stores, at), &why);
                c->why = why;
                if (done < 0)
                        continue;
                c->answered = true;
                if (done == 0 && c->answers[0].state != DUPLICATE_BEHIND) {
                        d->first = at;
                        return;
                }
                msec behind = done == 1 ? BUSY_LAG : c->answers[0].lag;
                lag = lag < 0 || behind < lag ? behind : lag;
        }
        if (c->answered)
                answer_behind(c, lag);
}

static void encode_marker(const struct publication *p, bool again, msec now,
                          struct job_message *out)
{
        const struct call *c = p->owner;
        struct message *m = &out->message;

        (void)again;
        memset(m, 0, offsetof(struct message, headers));
        m->exchange = bytes_of_text("events");
        m->routing_key = bytes_of_text("");
        m->type = bytes_of_text("probe");
        m->message_id = bytes_of_text(c->marker);
        m->content_type = bytes_of_text(EVENTS_CONTENT_TYPE);
        m->app_id = bytes_of_text(c->duplicate_check->app_id);
        m->timestamp = now / 1000;
        m->delivery_mode = 2;
        m->header_count = 0;
        m->properties = (struct bytes){0};
        m->body = bytes_of_text("");
}

static void answer(struct duplicate_check *d, struct question *one,
                   const struct duplicate_answer *a)
{
        struct attempt *attempt = one->attempt;

        free(one);
        if (attempt == NULL)
                return;
        attempt->question = NULL;
        d->answered(d->owner, attempt, a);
}

static void give_up_late_ones(struct duplicate_check *d)
{
        static const struct duplicate_answer silent = {.state = DUPLICATE_SILENT};
        msec now = clock_mono();

        while (d->open != NULL && d->open->asked_at != 0 &&
               now - d->open->asked_at >= DUPLICATE_PATIENCE) {
                struct question *one = d->open;
                DL_DELETE(d->open, one);
                answer(d, one, &silent);
        }
}

static void note_health(struct duplicate_check *d, const struct err *why)
{
        bool failed = err_is_set(why);

        if (failed && !d->failing)
                LOG_WARN("possible duplicates cannot be asked about", log_err(why));
        if (!failed && d->failing)
                LOG_INFO("possible duplicates can be asked about again");
        d->failing = failed;
}

/* In their old order, before what was asked since. */
static void put_all_back(struct duplicate_check *d, struct call *c)
{
        for (size_t i = c->count; i > 0; i--) {
                struct question *one = TAKE(c->questions[i - 1]);
                if (one->attempt == NULL)
                        free(one);
                else
                        DL_PREPEND(d->open, one);
        }
}

static void answer_all(struct duplicate_check *d, struct call *c)
{
        for (size_t i = 0; i < c->count; i++)
                answer(d, TAKE(c->questions[i]), &c->answers[i]);
}

static void free_call(struct call *c)
{
        for (size_t i = 0; i < c->count; i++) {
                free(c->questions[i]);
                duplicate_answer_fini(&c->answers[i]);
        }
        buffer_fini(&c->body);
        free(c);
}

static void on_called(uv_work_t *work, int status)
{
        struct call *c = work->data;
        struct duplicate_check *d = c->duplicate_check;

        assert(status == 0);
        note_health(d, &c->why);
        if (c->answered)
                answer_all(d, c);
        else
                put_all_back(d, c);
        d->call = NULL;
        give_up_late_ones(d);
        if (d->open != NULL)
                alarm_set(d->alarm, c->answered ? 0 : CALL_AGAIN);
        free_call(c);
}

static void on_marked(void *owner, struct publication *p)
{
        struct call *c = owner;
        msec now = clock_mono();

        (void)p;
        for (size_t i = 0; i < c->count; i++) {
                if (c->questions[i]->asked_at == 0)
                        c->questions[i]->asked_at = now;
        }
        c->working = true;
        int failed = uv_queue_work(c->duplicate_check->loop, &c->work, make_call, on_called);
        assert(failed == 0);
        (void)failed;
}

static void start_call(struct duplicate_check *d)
{
        struct call *c = xcalloc(1, sizeof(*c));

        c->duplicate_check = d;
        c->work.data = c;
        c->publication =
                (struct publication){.encode = encode_marker, .confirmed = on_marked, .owner = c};
        uuid7(c->marker);
        while (d->open != NULL && c->count < DUPLICATE_CHECK_MAX) {
                struct question *one = d->open;
                DL_DELETE(d->open, one);
                c->questions[c->count++] = one;
        }
        write_questions(c);
        d->call = c;
        outbox_post(d->outbox, &c->publication);
}

static void on_alarm(void *owner)
{
        struct duplicate_check *d = owner;

        give_up_late_ones(d);
        if (d->open != NULL && d->call == NULL)
                start_call(d);
}

struct duplicate_check *duplicate_check_create(const struct duplicate_check_config *c)
{
        struct duplicate_check *d = xcalloc(1, sizeof(*d));

        d->loop = c->loop;
        d->answered = c->answered;
        d->owner = c->owner;
        d->outbox = c->outbox;
        d->app_id = c->app_id;
        d->stores = c->stores;
        d->alarm = alarm_create(c->loop, on_alarm, d);
        return d;
}

void duplicate_check_destroy(struct duplicate_check **d)
{
        if (*d == NULL)
                return;
        assert((*d)->open == NULL);
        while ((*d)->call != NULL && (*d)->call->working)
                uv_run((*d)->loop, UV_RUN_ONCE);
        if ((*d)->call != NULL)
                free_call((*d)->call);
        alarm_destroy(&(*d)->alarm);
        free(*d);
        *d = NULL;
}

void duplicate_check_ask(struct duplicate_check *d, struct attempt *a)
{
        struct question *one = xcalloc(1, sizeof(*one));

        one->attempt = a;
        one->key = a->key;
        one->copy = a->job.copy;
        a->question = one;
        DL_APPEND(d->open, one);
        if (d->call == NULL && !alarm_is_set(d->alarm))
                alarm_set(d->alarm, 0);
}

static bool is_in_call(const struct duplicate_check *d, const struct question *one)
{
        for (size_t i = 0; d->call != NULL && i < d->call->count; i++) {
                if (d->call->questions[i] == one)
                        return true;
        }
        return false;
}

void duplicate_check_withdraw(struct duplicate_check *d, struct attempt *a)
{
        struct question *one = a->question;

        a->question = NULL;
        one->attempt = NULL;
        if (is_in_call(d, one))
                return;
        DL_DELETE(d->open, one);
        free(one);
}
