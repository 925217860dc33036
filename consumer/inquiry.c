/* SPDX-License-Identifier: Apache-2.0
 *
 * inquiry.c: one call at a time to POST /internal/v1/deliveries/check, made by a thread of libuv's
 * pool. Questions that got no answer go into the next call until their patience ends.
 */
#include "consumer/inquiry.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/client.h"
#include "consumer/alarm.h"

enum {
        CALL_TIMEOUT = 1500, /* ms */
        CALL_AGAIN = 250,    /* ms after a call that failed */
        /* An error's bytes can each be an escape. */
        ANSWER_MAX = INQUIRY_MAX * (6 * JOB_ERROR_MAX + 1024),
};

struct question {
        struct attempt *attempt; /* NULL: withdrawn while its call was under way */
        struct attempt_key key;
        int64_t copy;
        msec asked_at; /* monotonic */
        struct question *prev, *next;
};

struct call {
        uv_work_t work;
        struct inquiry *inquiry;
        struct http_client *client;
        struct buffer body;
        struct question *questions[INQUIRY_MAX]; /* NULL once answered */
        size_t count;
        struct guard_answer answers[INQUIRY_MAX]; /* written by the pool's thread */
        struct err why;
};

struct inquiry {
        uv_loop_t *loop;
        answered_fn *answered;
        void *owner;
        struct http_client *client;
        struct alarm *alarm;
        struct question *open; /* not in a call */
        struct call *call;     /* under way */
        bool failing;          /* the last call failed: said once */
};

/* What a burial says of itself. Its reason is one that a consumer gave. */
static int parse_burial(json_t *entry, struct guard_answer *out, struct err *e)
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

static int parse_answer(json_t *entry, struct guard_answer *out, struct err *e)
{
        const char *state, *worker = json_string_value(json_object_get(entry, "worker"));
        int alive = 0;
        json_int_t starts = 0;

        if (json_unpack(entry, "{s:s, s?:b, s?:I}", "state", &state, "worker_alive", &alive,
                        "starts", &starts) != 0 ||
            !guard_state_parse(bytes_of_text(state), &out->state))
                return err_set(e, ERR_PROTOCOL, "the status-store's answer has a bad entry");
        if (worker != NULL)
                snprintf(out->worker, sizeof(out->worker), "%s", worker);
        out->worker_alive = alive != 0;
        out->starts = starts;
        return out->state == GUARD_BURIED ? parse_burial(entry, out, e) : 0;
}

static void json_release(json_t **j)
{
        json_decref(*j);
}

int inquiry_parse(struct bytes body, struct guard_answer *answers, size_t count, struct err *e)
{
        __attribute__((cleanup(json_release))) json_t *root =
                json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        json_t *list = json_object_get(root, "deliveries");

        memset(answers, 0, count * sizeof(*answers));
        if (json_array_size(list) != count)
                return err_set(e, ERR_PROTOCOL, "the status-store answered about %zu of %zu",
                               json_array_size(list), count);
        for (size_t i = 0; i < count; i++) {
                if (parse_answer(json_array_get(list, i), &answers[i], e) != 0)
                        return -1;
        }
        return 0;
}

static void write_questions(struct call *c)
{
        buffer_add_text(&c->body, "{\"deliveries\":[");
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

/* On a thread of the pool. */
static void make_call(uv_work_t *work)
{
        struct call *c = work->data;
        struct http_reply reply = {0};
        const struct http_call call = {
                .method = "POST",
                .path = "/internal/v1/deliveries/check",
                .body = buffer_bytes(&c->body),
        };

        if (http_client_call(c->client, &call, &reply, &c->why) == 0) {
                if (reply.status != 200)
                        err_set(&c->why, ERR_UNAVAILABLE, "the status-store answered %d",
                                reply.status);
                else if (inquiry_parse(buffer_bytes(&reply.body), c->answers, c->count, &c->why) !=
                         0)
                        err_wrap(&c->why, "deliveries/check");
        }
        http_reply_fini(&reply);
}

static void answer(struct inquiry *q, struct question *one, const struct guard_answer *a)
{
        struct attempt *attempt = one->attempt;

        free(one);
        if (attempt == NULL)
                return;
        attempt->question = NULL;
        q->answered(q->owner, attempt, a);
}

static void give_up_late_ones(struct inquiry *q)
{
        static const struct guard_answer silent = {.state = GUARD_SILENT};
        msec now = clock_mono();

        while (q->open != NULL && now - q->open->asked_at >= GUARD_PATIENCE) {
                struct question *one = q->open;
                DL_DELETE(q->open, one);
                answer(q, one, &silent);
        }
}

static void note_health(struct inquiry *q, const struct err *why)
{
        bool failed = err_is_set(why);

        if (failed && !q->failing)
                LOG_WARN("possible duplicates cannot be asked about", log_err(why));
        if (!failed && q->failing)
                LOG_INFO("possible duplicates can be asked about again");
        q->failing = failed;
}

/* In their old order, before what was asked since. */
static void put_all_back(struct inquiry *q, struct call *c)
{
        for (size_t i = c->count; i > 0; i--) {
                struct question *one = TAKE(c->questions[i - 1]);
                if (one->attempt == NULL)
                        free(one);
                else
                        DL_PREPEND(q->open, one);
        }
}

static void answer_all(struct inquiry *q, struct call *c)
{
        for (size_t i = 0; i < c->count; i++)
                answer(q, TAKE(c->questions[i]), &c->answers[i]);
}

static void on_called(uv_work_t *work, int status)
{
        struct call *c = work->data;
        struct inquiry *q = c->inquiry;

        assert(status == 0);
        note_health(q, &c->why);
        if (err_is_set(&c->why))
                put_all_back(q, c);
        else
                answer_all(q, c);
        q->call = NULL;
        give_up_late_ones(q);
        if (q->open != NULL)
                alarm_set(q->alarm, err_is_set(&c->why) ? CALL_AGAIN : 0);
        for (size_t i = 0; i < c->count; i++)
                guard_answer_fini(&c->answers[i]);
        buffer_fini(&c->body);
        free(c);
}

static void start_call(struct inquiry *q)
{
        struct call *c = xcalloc(1, sizeof(*c));

        c->inquiry = q;
        c->client = q->client;
        c->work.data = c;
        while (q->open != NULL && c->count < INQUIRY_MAX) {
                struct question *one = q->open;
                DL_DELETE(q->open, one);
                c->questions[c->count++] = one;
        }
        write_questions(c);
        q->call = c;
        int failed = uv_queue_work(q->loop, &c->work, make_call, on_called);
        assert(failed == 0);
        (void)failed;
}

static void on_alarm(void *owner)
{
        struct inquiry *q = owner;

        give_up_late_ones(q);
        if (q->open != NULL && q->call == NULL)
                start_call(q);
}

struct inquiry *inquiry_create(const struct inquiry_config *c, struct err *e)
{
        AUTO(inquiry) q = xcalloc(1, sizeof(*q));

        q->loop = c->loop;
        q->answered = c->answered;
        q->owner = c->owner;
        q->alarm = alarm_create(c->loop, on_alarm, q);
        const struct http_client_config client = {
                .base_url = c->url,
                .bearer = c->token,
                .connect_timeout = CALL_TIMEOUT,
                .timeout = CALL_TIMEOUT,
                .answer_max = ANSWER_MAX,
        };
        q->client = http_client_create(&client, e);
        if (q->client == NULL)
                return NULL;
        return TAKE(q);
}

void inquiry_destroy(struct inquiry **q)
{
        if (*q == NULL)
                return;
        assert((*q)->open == NULL);
        while ((*q)->call != NULL)
                uv_run((*q)->loop, UV_RUN_ONCE);
        http_client_destroy(&(*q)->client);
        alarm_destroy(&(*q)->alarm);
        free(*q);
        *q = NULL;
}

void inquiry_ask(struct inquiry *q, struct attempt *a)
{
        struct question *one = xcalloc(1, sizeof(*one));

        one->attempt = a;
        one->key = a->key;
        one->copy = a->job.copy;
        one->asked_at = clock_mono();
        a->question = one;
        DL_APPEND(q->open, one);
        if (q->call == NULL && !alarm_is_set(q->alarm))
                alarm_set(q->alarm, 0);
}

static bool is_in_call(const struct inquiry *q, const struct question *one)
{
        for (size_t i = 0; q->call != NULL && i < q->call->count; i++) {
                if (q->call->questions[i] == one)
                        return true;
        }
        return false;
}

void inquiry_withdraw(struct inquiry *q, struct attempt *a)
{
        struct question *one = a->question;

        a->question = NULL;
        one->attempt = NULL;
        if (is_in_call(q, one))
                return;
        DL_DELETE(q->open, one);
        free(one);
}

struct attempt *inquiry_any(const struct inquiry *q)
{
        if (q->open != NULL)
                return q->open->attempt;
        for (size_t i = 0; q->call != NULL && i < q->call->count; i++) {
                const struct question *one = q->call->questions[i];
                if (one != NULL && one->attempt != NULL)
                        return one->attempt;
        }
        return NULL;
}
