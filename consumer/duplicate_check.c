/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate_check.c: one call at a time to POST /internal/v1/deliveries/check, made by a thread of
 * libuv's pool once its marker is confirmed. Questions without an answer go into the next call, for
 * at most DUPLICATE_PATIENCE.
 */
#include "consumer/duplicate_check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/job_members.h"
#include "consumer/events.h"

enum {
        CALL_AGAIN = 250, /* ms after a call that failed */
        BUSY_LAG = 20000, /* ms; the assumed lag of a store that cannot answer now */
        ANSWER_DEPTH = 4,
};
/* Each byte of an error may be an escape, of up to six bytes. */
_Static_assert(STORES_ANSWER_MAX >= DUPLICATE_CHECK_MAX * (6 * JOB_ERROR_MAX + 1024),
               "the longest answer fits");

struct question {
        struct attempt *attempt; /* NULL: withdrawn during its call */
        struct attempt_key key;
        bool needs_primary;
        msec asked_at; /* monotonic, of its first call; 0: none yet */
        struct question *prev, *next;
};

struct call {
        struct publication publication; /* the marker */
        char marker[UUID_SIZE];
        uv_work_t work;
        bool working; /* a thread of the pool has it */
        struct duplicate_check *duplicate_check;
        struct buffer body;
        struct question *questions[DUPLICATE_CHECK_MAX]; /* NULL once answered */
        bool needs_primary[DUPLICATE_CHECK_MAX];
        size_t count;
        /* Written by the pool's thread; `fresh` is what the store that is asked has said. */
        struct duplicate_answer answers[DUPLICATE_CHECK_MAX], fresh[DUPLICATE_CHECK_MAX];
        bool answered;  /* by a store that is current, behind or busy */
        bool current;   /* by one that is */
        bool unsure;    /* by one that is, and not the primary, whose word is needed */
        struct err why; /* why the last store asked could not answer */
};

struct duplicate_check {
        struct duplicate_check_config config;
        size_t first; /* the store that answered last; only the pool's thread uses it */
        struct alarm *alarm;
        struct question *open;     /* not in a call */
        struct call *call;         /* in flight */
        bool failing;              /* the last call failed, which was logged */
        bool unsure;               /* the last call was; likewise */
        enum duplicate_state last; /* answer: SILENT, BEHIND, or UNKNOWN for any other */
        msec last_until;           /* monotonic; until then it is not asked again */
};

static int read_state(struct json_reader *r, const struct json_place *p, void *out)
{
        char word[32];

        if (json_copy_text(p->value, word, sizeof(word)) &&
            duplicate_state_parse(bytes_of_text(word), out))
                return 0;
        return json_refuse(r, p, "not a state of a delivery");
}

/* Ignores a kind of a later version. */
static int read_error_kind(struct json_reader *r, const struct json_place *p, void *out)
{
        char word[32];

        (void)r;
        if (json_copy_text(p->value, word, sizeof(word)))
                error_kind_parse(bytes_of_text(word), out);
        return 0;
}

static int read_error(struct json_reader *r, const struct json_place *p, void *out)
{
        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;
        scan_string(p->value, out);
        return 0;
}

/* clang-format off */
#define ANSWER(field, fn, ...) {#field, fn, JSON_AT(struct duplicate_answer, field), __VA_ARGS__}

static const struct json_member answer_members[] = {
        ANSWER(state, read_state, .flags = JSON_REQUIRED),
        ANSWER(worker, json_read_copy, .flags = JSON_NULLABLE),
        ANSWER(worker_alive, json_read_flag),
        ANSWER(forget, json_read_flag),
        ANSWER(starts, json_read_int, .most = JOB_COUNTER_MAX),
        ANSWER(reason, job_read_reason),
        ANSWER(error_kind, read_error_kind),
        ANSWER(error, read_error, .flags = JSON_NULLABLE),
        {0},
};
/* clang-format on */

struct answers {
        struct duplicate_answer *all;
        size_t count, room;
        msec lag;
        bool primary;
};

static int read_answer(struct json_reader *r, const struct json_place *p, void *out)
{
        struct answers *answers = out;

        if (answers->count++ == answers->room)
                return json_refuse(r, p->up, "more answers than questions");
        struct duplicate_answer *a = &answers->all[p->index];
        if (json_read_members(r, p, answer_members, a) != 0)
                return -1;
        if (a->state == DUPLICATE_BURIED && a->reason == REASON_NONE)
                return json_refuse(r, p, "a burial without a reason");
        return 0;
}

static const struct json_member reply_members[] = {
        {"deliveries", json_read_list, .each = read_answer, .flags = JSON_REQUIRED},
        {"lag_ms", json_read_int, JSON_AT(struct answers, lag), .most = JOB_COUNTER_MAX},
        {"primary", json_read_flag, JSON_AT(struct answers, primary)},
        {0},
};

int duplicate_check_parse(struct bytes body, struct duplicate_answer *answers, size_t count,
                          bool *primary, struct err *e)
{
        struct answers got = {.all = answers, .room = count, .primary = true};
        struct scan_fault fault;
        struct json_reader r = {.fault = &fault, .lenient = true};
        struct json_place root;

        memset(answers, 0, count * sizeof(*answers));
        if (json_read_open(&r, body, ANSWER_DEPTH, &root) != 0 ||
            json_read_members(&r, &root, reply_members, &got) != 0)
                return err_set(e, ERR_PROTOCOL, "the status-store's answer: %s: %s", fault.pointer,
                               fault.detail);
        if (got.count != count)
                return err_set(e, ERR_PROTOCOL, "the status-store answered %zu of %zu questions",
                               got.count, count);
        for (size_t i = 0; i < count; i++)
                answers[i].lag = got.lag;
        *primary = got.primary;
        return 0;
}

bool duplicate_check_merge(struct duplicate_answer *answers, struct duplicate_answer *fresh,
                           const bool *needs_primary, size_t count, bool primary)
{
        bool settled = true;

        for (size_t i = 0; i < count; i++) {
                bool unsure = needs_primary[i] && !primary && fresh[i].state == DUPLICATE_UNKNOWN;
                if (answers[i].state == DUPLICATE_BEHIND && !unsure) {
                        buffer_fini(&answers[i].error);
                        answers[i] = fresh[i];
                        fresh[i].error = (struct buffer){0};
                }
                buffer_fini(&fresh[i].error);
                settled = settled && answers[i].state != DUPLICATE_BEHIND;
        }
        return settled;
}

static void write_questions(struct call *c)
{
        json_begin(&c->body);
        json_put_string(&c->body, "marker", c->marker);
        json_begin_array(&c->body, "deliveries");
        for (size_t i = 0; i < c->count; i++) {
                const struct question *q = c->questions[i];
                json_begin_object(&c->body, NULL);
                json_put_string(&c->body, "tenant", q->key.tenant);
                json_put_string(&c->body, "id", q->key.id);
                json_put_int(&c->body, "run", q->key.run);
                json_put_int(&c->body, "attempt", q->key.number);
                json_put_int(&c->body, "copy", q->key.copy);
                json_end(&c->body);
        }
        json_end_array(&c->body);
        json_end(&c->body);
}

static void begin_answers(struct call *c)
{
        for (size_t i = 0; i < c->count; i++)
                c->answers[i] = (struct duplicate_answer){.state = DUPLICATE_BEHIND};
}

static void note_lag(struct call *c, msec lag)
{
        for (size_t i = 0; i < c->count; i++) {
                if (c->answers[i].state == DUPLICATE_BEHIND)
                        c->answers[i].lag = lag;
        }
}

/* As stores_ask. *primary: the store is. */
static int ask_store(struct call *c, size_t index, bool *primary, struct err *e)
{
        AUTO_BUFFER answer = {0};
        int done = stores_ask(c->duplicate_check->config.stores, index,
                              "/internal/v1/deliveries/check", &c->body, &answer, e);

        if (done != 0)
                return done;
        if (duplicate_check_parse(buffer_bytes(&answer), c->fresh, c->count, primary, e) == 0)
                return 0;
        for (size_t i = 0; i < c->count; i++)
                buffer_fini(&c->fresh[i].error);
        return -1;
}

/* On a thread of the pool. Takes the answers of the first store that is current; of those that need
 * the primary's word and do not have it, the next store's. What no store has settled is BEHIND, by
 * the smallest lag. */
static void make_call(uv_work_t *work)
{
        struct call *c = work->data;
        struct duplicate_check *d = c->duplicate_check;
        msec lag = JOB_COUNTER_MAX;
        bool settled = false;

        begin_answers(c);
        for (size_t i = 0; i < d->config.stores->count && !settled; i++) {
                size_t at = (d->first + i) % d->config.stores->count;
                bool primary = true;
                err_clear(&c->why);
                int done = ask_store(c, at, &primary, &c->why);
                if (done < 0)
                        continue;
                bool current = done == 0 && c->fresh[0].state != DUPLICATE_BEHIND;
                msec behind = done == 1 || current ? BUSY_LAG : c->fresh[0].lag;
                lag = behind < lag ? behind : lag;
                c->current = c->current || current;
                c->answered = true;
                settled = done == 0 && duplicate_check_merge(c->answers, c->fresh, c->needs_primary,
                                                             c->count, primary);
                if (settled)
                        d->first = at;
        }
        note_lag(c, lag);
        c->unsure = c->current && !settled;
}

static void encode_marker(const struct publication *p, bool again, msec now,
                          struct job_message *out)
{
        const struct call *c = p->owner;

        (void)again;
        events_message(c->duplicate_check->config.app_id, now, &out->message);
        out->message.type = bytes_of_text("probe");
        out->message.message_id = bytes_of_text(c->marker);
}

static void answer(struct duplicate_check *d, struct question *one,
                   const struct duplicate_answer *a)
{
        struct attempt *attempt = one->attempt;

        free(one);
        if (attempt == NULL)
                return;
        attempt->question = NULL;
        d->config.answered(d->config.owner, attempt, a);
}

static void note_last(struct duplicate_check *d, enum duplicate_state last, msec pause)
{
        d->last = last;
        d->last_until = clock_mono() + pause;
}

/* Where no store was current, all answers are BEHIND. */
static void note_answer(struct duplicate_check *d, const struct call *c)
{
        if (c->current)
                note_last(d, DUPLICATE_UNKNOWN, 0);
        else
                note_last(d, DUPLICATE_BEHIND, duplicate_pause(c->answers[0].lag));
}

static void answer_late_ones(struct duplicate_check *d)
{
        static const struct duplicate_answer silent = {.state = DUPLICATE_SILENT};
        msec now = clock_mono();

        while (d->open != NULL && d->open->asked_at != 0 &&
               now - d->open->asked_at >= DUPLICATE_PATIENCE) {
                struct question *one = d->open;
                DL_DELETE(d->open, one);
                note_last(d, DUPLICATE_SILENT, DUPLICATE_PAUSE_MAX);
                answer(d, one, &silent);
        }
}

/* Puts them back in their order, before newer questions. */
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
                buffer_fini(&c->answers[i].error);
        }
        buffer_fini(&c->body);
        free(c);
}

static void note_unsure(struct duplicate_check *d, const struct call *c)
{
        if (c->unsure && !d->unsure)
                LOG_WARN("of old jobs only the primary status-store knows whether they were "
                         "cancelled, and it does not answer: they wait",
                         log_text("remedy", "start it; it must be in status_store_url"));
        d->unsure = c->unsure;
}

static void on_called(uv_work_t *work, int status)
{
        struct call *c = work->data;
        struct duplicate_check *d = c->duplicate_check;

        assert(status == 0);
        stores_note_health(&d->failing, &c->why,
                           "cannot ask the status-store about possible duplicates",
                           "can ask the status-store about possible duplicates again");
        if (c->answered) {
                note_unsure(d, c);
                note_answer(d, c);
                answer_all(d, c);
        } else {
                put_all_back(d, c);
        }
        d->call = NULL;
        answer_late_ones(d);
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
        int failed = uv_queue_work(c->duplicate_check->config.loop, &c->work, make_call, on_called);
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
                c->needs_primary[c->count] = one->needs_primary;
                c->questions[c->count++] = one;
        }
        write_questions(c);
        d->call = c;
        outbox_post(d->config.outbox, &c->publication);
}

static void on_alarm(void *owner)
{
        struct duplicate_check *d = owner;

        answer_late_ones(d);
        if (d->open != NULL && d->call == NULL)
                start_call(d);
}

struct duplicate_check *duplicate_check_create(const struct duplicate_check_config *c)
{
        struct duplicate_check *d = xcalloc(1, sizeof(*d));

        d->config = *c;
        d->alarm = alarm_create(c->loop, on_alarm, d);
        return d;
}

void duplicate_check_destroy(struct duplicate_check **d)
{
        if (*d == NULL)
                return;
        assert((*d)->open == NULL);
        while ((*d)->call != NULL && (*d)->call->working)
                uv_run((*d)->config.loop, UV_RUN_ONCE);
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
        one->needs_primary = duplicate_needs_primary(&a->job, d->config.marks_keep, clock_wall());
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

enum duplicate_state duplicate_check_last(const struct duplicate_check *d)
{
        return clock_mono() < d->last_until ? d->last : DUPLICATE_UNKNOWN;
}
