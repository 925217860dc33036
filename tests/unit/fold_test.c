/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_test.c: the events of a history give the same row in any order and with repetitions; and
 * which row each history gives.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/attempt_row.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"

enum { SEEDS = 10000, HISTORY_MAX = 24, ATTEMPTS_MAX = 16 };

/* xorshift64* (Vigna): a seed always gives the same history. */
static uint64_t draw(uint64_t *state)
{
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * 0x2545F4914F6CDD1Du;
}

static unsigned below(uint64_t *state, unsigned bound)
{
        return (unsigned)(draw(state) % bound);
}

static const char *const words[] = {"", "a", "bb", "{\"x\":1}", "[1,2]", "host/1", "host/2"};

static struct bytes any_word(uint64_t *state)
{
        return bytes_of_text(words[below(state, sizeof(words) / sizeof(words[0]))]);
}

static void draw_job(uint64_t *seed, struct event *e)
{
        struct job *j = &e->job;

        e->has_job = true;
        e->content = 1 + below(seed, FACTS_MAX);
        memcpy(j->id, ID, sizeof(j->id));
        memcpy(j->tenant, "acme", 5);
        snprintf(j->type, sizeof(j->type), "type%u", below(seed, 3));
        snprintf(j->key, sizeof(j->key), "key%u", below(seed, 3));
        j->priority = (enum priority)below(seed, PRIORITY_COUNT);
        j->lane = (enum lane)below(seed, LANE_COUNT);
        j->max_retries = below(seed, 4);
        j->run_at = below(seed, 1000);
        j->expires_at = below(seed, 2) * 1500;
        j->hop = below(seed, 3) == 0;
        j->moved = below(seed, MOVED_GIVEN_BACK + 1);
        j->submitted_at = below(seed, 3) * 999;
        j->error_kind = (enum error_kind)below(seed, ERROR_KIND_HTTP + 1);
        j->error = any_word(seed);
        j->payload = bytes_of_text(words[e->content]);
}

/* What newer consumers write in starts, expiries and completions. A completion may hold less. */
static void draw_hint(uint64_t *seed, struct event *e)
{
        struct job_hint *h = &e->hint;

        memset(h, 0, sizeof(*h));
        h->priority = h->max_retries = -1;
        if ((e->kind != EVENT_STARTED && e->kind != EVENT_CANCELLED &&
             e->kind != EVENT_COMPLETED) ||
            below(seed, 3) == 0)
                return;
        snprintf(h->type, sizeof(h->type), "type%u", below(seed, 3));
        if (e->kind == EVENT_COMPLETED)
                return;
        snprintf(h->traceparent, sizeof(h->traceparent), "trace%u", below(seed, 3));
        h->priority = below(seed, PRIORITY_COUNT);
        h->max_retries = below(seed, 4);
        h->submitted_at = below(seed, 3) * 998;
        h->run_at = below(seed, 2) * 1001;
        h->expires_at = below(seed, 2) * 1500;
}

/* Each field has few values, so that sort keys are equal in everything up to the digest. */
static struct event draw_event(uint64_t *seed)
{
        struct event e = {.id = ID, .tenant = "acme"};

        e.kind = (enum event_kind)below(seed, EVENT_WORKER);
        if (e.kind == EVENT_FORGOTTEN && below(seed, 3) != 0)
                e.kind = EVENT_STARTED;
        e.run = 1 + below(seed, 3);
        e.attempt = 1 + below(seed, 3);
        if (e.kind == EVENT_CANCELLED && below(seed, 2) == 0)
                e.attempt = 0; /* it expired */
        e.copy = below(seed, 2);
        e.at = below(seed, 4) == 0 ? 0 : 1000 + below(seed, 2);
        e.after = 999 + below(seed, 2);
        e.lost = below(seed, 2) == 0;
        e.digest = draw(seed);
        if (e.kind == EVENT_SUBMITTED || e.kind == EVENT_DUE || e.kind == EVENT_FAILED ||
            (e.kind == EVENT_DEAD && below(seed, 2) == 0))
                draw_job(seed, &e);
        e.scheduled = e.kind == EVENT_FAILED || (e.kind == EVENT_SUBMITTED && below(seed, 2) == 0);
        e.soon = e.kind == EVENT_SUBMITTED && !e.scheduled && below(seed, 2) == 0;
        if (e.kind == EVENT_SUBMITTED)
                e.job.doubt = below(seed, 3) == 0;
        draw_hint(seed, &e);
        if ((e.kind == EVENT_STARTED || e.kind == EVENT_COMPLETED) && below(seed, 2) == 0)
                e.content = 1 + below(seed, FACTS_MAX + 1);
        e.worker = any_word(seed);
        e.result = any_word(seed);
        e.message = any_word(seed);
        e.reason = (enum reason)below(seed, REASON_EXPIRED + 1);
        e.running = below(seed, 2) == 0;
        e.by = any_word(seed);
        e.redelivered = below(seed, 2) == 0;
        e.progress = below(seed, 5) / 4.0;
        e.ms = below(seed, 100);
        return e;
}

/* An event and its place in the stream. */
struct told {
        struct event event;
        struct arrival arrival;
};

/* The clock advances by the times in events of services; sometimes no event has set it yet. */
static struct told draw_told(uint64_t *seed, unsigned place, const struct arrival *before)
{
        struct told t = {.event = draw_event(seed), .arrival.offset = place};

        t.arrival.clock = before == NULL ? 1000 * below(seed, 2) : before->clock;
        if (t.event.at > t.arrival.clock && below(seed, 2) == 0)
                t.arrival.clock = t.event.at;
        return t;
}

struct folded {
        struct job_row row;
        struct attempt_row attempts[ATTEMPTS_MAX];
};

static void fold_attempt(struct folded *f, const struct event *e, const struct arrival *a)
{
        int64_t run, attempt;

        if (!event_attempt(e, &run, &attempt))
                return;
        assert_int_in_range(run, 1, 3);
        assert_int_in_range(attempt, 1, 3);
        attempt_row_fold(&f->attempts[(run - 1) * 4 + attempt], e, a);
}

static void fold(struct folded *f, const struct told *t)
{
        job_row_fold(&f->row, &t->event, &t->arrival);
        fold_attempt(f, &t->event, &t->arrival);
}

static void folded_fini(struct folded *f)
{
        job_row_fini(&f->row);
        for (size_t i = 0; i < ATTEMPTS_MAX; i++)
                attempt_row_fini(&f->attempts[i]);
}

static void assert_same_text(const struct buffer *a, const struct buffer *b)
{
        assert_true(bytes_equal(buffer_bytes(a), buffer_bytes(b)) ||
                    (a->length == 0 && b->length == 0));
}

/* The shown content comes first in both lists; the others may be in any order. */
static void assert_same_facts(const struct job_row *a, const struct job_row *b)
{
        const struct job_facts *f;
        int more = 0;

        assert_true((a->facts == NULL) == (b->facts == NULL));
        if (a->facts != NULL)
                assert_true(a->facts->content == b->facts->content);
        for (f = b->facts; f != NULL; f = f->next)
                more++;
        for (f = a->facts; f != NULL; f = f->next, more--) {
                const struct job_facts *g = facts_find(b->facts, f->content);
                assert_non_null(g);
                assert_same_text(&f->payload, &g->payload);
                struct job_facts one = *f, other = *g;
                memset(&one.payload, 0, sizeof(one.payload));
                memset(&other.payload, 0, sizeof(other.payload));
                one.next = other.next = NULL;
                assert_memory_equal(&one, &other, sizeof(one));
        }
        assert_int_equal(more, 0);
}

/* Compares every byte of the structs except the buffers' addresses, and the buffers' content. */
static void assert_same(struct folded a, struct folded b)
{
        assert_same_facts(&a.row, &b.row);
        assert_same_text(&a.row.result, &b.row.result);
        assert_same_text(&a.row.error, &b.row.error);
        assert_same_text(&a.row.progress_message, &b.row.progress_message);
        for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
                assert_same_text(&a.attempts[i].error, &b.attempts[i].error);
                memset(&a.attempts[i].error, 0, sizeof(a.attempts[i].error));
                memset(&b.attempts[i].error, 0, sizeof(b.attempts[i].error));
        }
        a.row.facts = b.row.facts = NULL;
        memset(&a.row.result, 0, sizeof(a.row.result));
        memset(&b.row.result, 0, sizeof(b.row.result));
        memset(&a.row.error, 0, sizeof(a.row.error));
        memset(&b.row.error, 0, sizeof(b.row.error));
        memset(&a.row.progress_message, 0, sizeof(a.row.progress_message));
        memset(&b.row.progress_message, 0, sizeof(b.row.progress_message));
        assert_memory_equal(&a.row, &b.row, sizeof(a.row));
        assert_memory_equal(a.attempts, b.attempts, sizeof(a.attempts));
}

static void check_times(const struct job_row *row, msec first_clock)
{
        assert_true(row->started_at == 0 || row->created_at <= row->started_at);
        assert_true(row->finished_at == 0 || row->created_at <= row->finished_at);
        if (first_clock == 0)
                return;
        assert_int_in_range(row->created_at, 1, row->told_at);
        assert_true(row->finish.run == 0 || row->finished_at > 0);
}

static void any_order_and_repetition_gives_the_same_row(void **state)
{
        static struct told history[HISTORY_MAX];

        (void)state;
        for (uint64_t i = 1; i <= SEEDS; i++) {
                uint64_t seed = i * 0x9E3779B97F4A7C15u;
                unsigned count = 1 + below(&seed, HISTORY_MAX);
                static struct folded straight, shuffled;

                memset(&straight, 0, sizeof(straight));
                memset(&shuffled, 0, sizeof(shuffled));
                for (unsigned j = 0; j < count; j++) {
                        history[j] = draw_told(&seed, j, j > 0 ? &history[j - 1].arrival : NULL);
                        fold(&straight, &history[j]);
                }
                msec first_clock = history[0].arrival.clock;
                for (unsigned j = count; j > 1; j--) {
                        unsigned other = below(&seed, j);
                        struct told swap = history[j - 1];
                        history[j - 1] = history[other];
                        history[other] = swap;
                }
                for (unsigned j = 0; j < count; j++) {
                        fold(&shuffled, &history[j]);
                        fold(&shuffled, &history[below(&seed, j + 1)]);
                }
                assert_same(straight, shuffled);
                check_times(&straight.row, first_clock);
                folded_fini(&straight);
                folded_fini(&shuffled);
        }
}

static const struct arrival place = {.offset = 7, .clock = 5000};

static struct event make(enum event_kind kind, int64_t run, int64_t attempt)
{
        struct event e = {.kind = kind, .id = ID, .tenant = "acme", .run = run, .attempt = attempt};

        e.at = 1000;
        e.digest = (uint64_t)kind + 1;
        if (kind == EVENT_SUBMITTED || kind == EVENT_DUE || kind == EVENT_FAILED) {
                e.has_job = true;
                memcpy(e.job.id, ID, sizeof(ID));
                e.job.payload = bytes_of_text("{}");
                e.job.error = bytes_of_text("e");
        }
        e.scheduled = kind == EVENT_FAILED;
        e.worker = bytes_of_text("h/1");
        return e;
}

static void each_history_has_its_status(void **state)
{
        static const struct {
                struct {
                        enum event_kind kind;
                        int64_t run, attempt;
                } events[5];
                int count;
                bool want_shown;
                enum status want;
        } rows[] = {
                {{{EVENT_SUBMITTED, 1, 1}}, 1, true, STATUS_PENDING},
                {{{EVENT_SUBMITTED, 1, 1}, {EVENT_STARTED, 1, 1}}, 2, true, STATUS_RUNNING},
                {{{EVENT_SUBMITTED, 1, 1}, {EVENT_REJECTED, 1, 1}}, 2, false, STATUS_PENDING},
                {{{EVENT_REJECTED, 1, 1}, {EVENT_STARTED, 1, 1}}, 2, true, STATUS_RUNNING},
                {{{EVENT_REJECTED, 1, 1}, {EVENT_DUE, 1, 1}}, 2, true, STATUS_PENDING},
                {{{EVENT_STARTED, 1, 1}, {EVENT_FAILED, 1, 1}}, 2, true, STATUS_FAILED},
                {{{EVENT_FAILED, 1, 1}, {EVENT_DUE, 1, 2}}, 2, true, STATUS_PENDING},
                {{{EVENT_COMPLETED, 1, 1}, {EVENT_FAILED, 1, 1}, {EVENT_STARTED, 1, 2}},
                 3,
                 true,
                 STATUS_COMPLETED},
                {{{EVENT_COMPLETED, 1, 1}, {EVENT_DEAD, 1, 2}}, 2, true, STATUS_COMPLETED},
                {{{EVENT_CANCELLED, 1, 0}, {EVENT_STARTED, 1, 1}}, 2, true, STATUS_CANCELLED},
                {{{EVENT_DEAD, 1, 4}, {EVENT_SUBMITTED, 2, 1}}, 2, true, STATUS_PENDING},
                {{{EVENT_COMPLETED, 1, 1}, {EVENT_FORGOTTEN, 1, 0}}, 2, false, STATUS_PENDING},
                {{{EVENT_FORGOTTEN, 1, 0}, {EVENT_SUBMITTED, 2, 1}}, 2, true, STATUS_PENDING},
                {{{EVENT_CANCEL_REQUESTED, 1, 1}, {EVENT_STARTED, 1, 1}}, 2, true, STATUS_RUNNING},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct job_row row = {0};
                for (int j = 0; j < rows[i].count; j++) {
                        struct event e = make(rows[i].events[j].kind, rows[i].events[j].run,
                                              rows[i].events[j].attempt);
                        job_row_fold(&row, &e, &place);
                }
                assert_int_equal(row.shown, rows[i].want_shown);
                if (row.shown)
                        assert_int_equal(row.status, rows[i].want);
                job_row_fini(&row);
        }
}

/* Folds an event of attempt 1: its kind, worker and time. For a release, `at` is the time of the
 * last event that its worker published before it. */
static void tell(struct folded *f, enum event_kind kind, const char *worker, msec at)
{
        struct told t = {.event = make(kind, 1, 1), .arrival = place};

        t.event.worker = bytes_of_text(worker);
        t.event.at = kind == EVENT_RELEASED ? at + 500 : at;
        t.event.after = at;
        fold(f, &t);
}

static void what_was_given_back_is_pending_until_it_starts_again(void **state)
{
        static const struct {
                struct {
                        enum event_kind kind;
                        const char *worker;
                        msec at;
                } events[4];
                enum status want;
                enum attempt_outcome want_outcome;
        } rows[] = {
                {{{EVENT_STARTED, "a/1", 10}, {EVENT_RELEASED, "a/1", 10}},
                 STATUS_PENDING,
                 ATTEMPT_RELEASED},
                {{{EVENT_STARTED, "a/1", 10},
                  {EVENT_PROGRESS, "a/1", 20},
                  {EVENT_RELEASED, "a/1", 20}},
                 STATUS_PENDING,
                 ATTEMPT_RELEASED},
                /* Another worker starts the attempt at a time before the release's own. */
                {{{EVENT_STARTED, "a/1", 10},
                  {EVENT_RELEASED, "a/1", 10},
                  {EVENT_STARTED, "b/2", 12}},
                 STATUS_RUNNING,
                 ATTEMPT_OPEN},
                {{{EVENT_STARTED, "a/1", 10},
                  {EVENT_PROGRESS, "a/1", 20},
                  {EVENT_STARTED, "b/2", 30},
                  {EVENT_RELEASED, "a/1", 20}},
                 STATUS_RUNNING,
                 ATTEMPT_OPEN},
                {{{EVENT_STARTED, "a/1", 10},
                  {EVENT_RELEASED, "a/1", 10},
                  {EVENT_STARTED, "b/2", 30},
                  {EVENT_RELEASED, "b/2", 30}},
                 STATUS_PENDING,
                 ATTEMPT_RELEASED},
                /* The worker was not lost after all. */
                {{{EVENT_STARTED, "a/1", 10},
                  {EVENT_RELEASED, "a/1", 10},
                  {EVENT_COMPLETED, "a/1", 90}},
                 STATUS_COMPLETED,
                 ATTEMPT_COMPLETED},
                {{{EVENT_STARTED, "a/1", 10},
                  {EVENT_RELEASED, "a/1", 10},
                  {EVENT_FAILED, "a/1", 5}},
                 STATUS_FAILED,
                 ATTEMPT_FAILED},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                for (int turn = 0; turn < 2; turn++) {
                        struct folded f = {0};
                        for (int j = 0; j < 4; j++) {
                                int at = turn == 0 ? j : 3 - j;
                                if (rows[i].events[at].worker != NULL)
                                        tell(&f, rows[i].events[at].kind, rows[i].events[at].worker,
                                             rows[i].events[at].at);
                        }
                        assert_int_equal(f.row.status, rows[i].want);
                        assert_int_equal(job_row_is_given_back(&f.row),
                                         rows[i].want == STATUS_PENDING);
                        assert_int_equal(attempt_row_outcome(&f.attempts[1]), rows[i].want_outcome);
                        folded_fini(&f);
                }
        }
}

static void progress_after_a_release_is_a_sign_of_life(void **state)
{
        struct folded f = {0};

        (void)state;
        tell(&f, EVENT_STARTED, "a/1", 10);
        tell(&f, EVENT_RELEASED, "a/1", 10);
        tell(&f, EVENT_PROGRESS, "a/1", 11);
        /* published before its worker was given up */
        assert_int_equal(f.row.status, STATUS_PENDING);
        tell(&f, EVENT_RESUMED, "a/1", 12);
        assert_int_equal(f.row.status, STATUS_RUNNING);
        tell(&f, EVENT_RELEASED, "a/1", 12);
        assert_int_equal(f.row.status, STATUS_PENDING);
        tell(&f, EVENT_PROGRESS, "a/1", 14);
        assert_int_equal(f.row.status, STATUS_RUNNING);
        assert_false(job_row_is_given_back(&f.row));
        folded_fini(&f);
}

static void a_repeated_event_changes_nothing(void **state)
{
        struct event e = make(EVENT_STARTED, 1, 1);
        struct job_row row = {0};

        (void)state;
        assert_true(job_row_fold(&row, &e, &place));
        assert_false(job_row_fold(&row, &e, &place));
        job_row_fini(&row);
}

static void forgetting_leaves_nothing_behind(void **state)
{
        struct event submitted = make(EVENT_SUBMITTED, 1, 1), failed = make(EVENT_FAILED, 1, 1),
                     forgotten = make(EVENT_FORGOTTEN, 1, 0);
        struct job_row row = {0};

        (void)state;
        job_row_fold(&row, &submitted, &place);
        job_row_fold(&row, &failed, &place);
        assert_int_equal(job_row_facts(&row)->payload.length, 2);
        job_row_fold(&row, &forgotten, &place);
        assert_null(row.facts);
        assert_int_equal(row.error.length, 0);
        assert_false(job_row_fold(&row, &submitted, &place));
        assert_null(row.facts);
        assert_int_equal(row.message.run, 0);
        job_row_fini(&row);
}

#define PLAIN "7d9d8c5e-7b1a-4000-8000-000000000001" /* the id holds no time */

static void the_birth_of_a_job_is_found(void **state)
{
        const msec born = uuid7_time(ID);
        static const struct {
                const char *what, *id;
                msec claim, clock_past_id; /* relative to the id's time */
                msec want, want_past_id;
        } rows[] = {
                {"x-submitted-at or timestamp", ID, 77, 1000, 77, 0},
                {"the time in the id", ID, 0, 1000, 0, 0},
                {"none: when it came", PLAIN, 0, 1000, 0, 1000},
                {"a claim to come: when it came", ID, (msec)253402300799999, 1000, 0, 1000},
                {"an id to come: when it came", ID, 0, -1000, 0, -1000},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct event e = make(EVENT_SUBMITTED, 1, 1);
                struct job_row row = {0};
                struct arrival a = {.offset = 1, .clock = born + rows[i].clock_past_id};
                msec want = rows[i].want > 0 ? rows[i].want : born + rows[i].want_past_id;
                memcpy(e.id, rows[i].id, sizeof(ID));
                e.at = 0;
                e.job.submitted_at = rows[i].claim;
                print_message("%s\n", rows[i].what);
                job_row_fold(&row, &e, &a);
                assert_int_equal(row.created_at, want);
                e.job.submitted_at = 1; /* another job with this id, and a replay */
                a = (struct arrival){.offset = 2, .clock = born + 2000};
                job_row_fold(&row, &e, &a);
                e.run = 2;
                job_row_fold(&row, &e, &a);
                assert_int_equal(row.created_at, want);
                assert_int_equal(row.told_at, born + 2000);
                job_row_fini(&row);
        }
}

/* The clock of the worker that starts a job may be behind that of its submitter. */
static void no_job_starts_before_it_is_created(void **state)
{
        struct event submitted = make(EVENT_SUBMITTED, 1, 1), started = make(EVENT_STARTED, 1, 1);
        struct job_row row = {0};

        (void)state;
        submitted.at = submitted.job.submitted_at = 3000;
        started.at = 2990;
        job_row_fold(&row, &submitted, &place);
        assert_int_equal(row.created_at, 3000);
        job_row_fold(&row, &started, &place);
        assert_int_equal(row.created_at, 2990);
        job_row_fini(&row);
}

/* Buried by the broker; its publisher gave no time. */
static void what_no_service_timed_happened_by_the_clock(void **state)
{
        struct event dead = make(EVENT_DEAD, 1, 1);
        struct arrival none = {.offset = 1};
        struct attempt_row attempt = {0};
        struct job_row row = {0};

        (void)state;
        memcpy(dead.id, PLAIN, sizeof(PLAIN));
        dead.at = 0;
        job_row_fold(&row, &dead, &place);
        attempt_row_fold(&attempt, &dead, &place);
        assert_int_equal(row.finished_at, 5000);
        assert_int_equal(row.created_at, 5000);
        assert_int_equal(attempt.ended_at, 5000);
        job_row_fini(&row);
        attempt_row_fini(&attempt);

        row = (struct job_row){0};
        job_row_fold(&row, &dead, &none);
        assert_int_equal(row.created_at, 0);
        job_row_date(&row, 6000);
        assert_int_equal(row.finished_at, 6000);
        assert_int_equal(row.created_at, 6000);
        assert_int_equal(row.told_at, 6000);
        job_row_date(&row, 7000);
        assert_int_equal(row.told_at, 6000);
        job_row_fini(&row);
}

static void statuses_are_read_back(void **state)
{
        enum status status;

        (void)state;
        for (unsigned i = 0; i < STATUS_COUNT; i++) {
                assert_true(status_parse(bytes_of_text(status_name((enum status)i)), &status));
                assert_int_equal(status, i);
        }
        assert_false(status_parse(bytes_of_text("lost"), &status));
        assert_true(status_is_ended(STATUS_DEAD));
        assert_false(status_is_ended(STATUS_FAILED));
        assert_string_equal(attempt_outcome_name(ATTEMPT_OPEN), "running");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(any_order_and_repetition_gives_the_same_row),
                cmocka_unit_test(each_history_has_its_status),
                cmocka_unit_test(what_was_given_back_is_pending_until_it_starts_again),
                cmocka_unit_test(progress_after_a_release_is_a_sign_of_life),
                cmocka_unit_test(a_repeated_event_changes_nothing),
                cmocka_unit_test(forgetting_leaves_nothing_behind),
                cmocka_unit_test(the_birth_of_a_job_is_found),
                cmocka_unit_test(no_job_starts_before_it_is_created),
                cmocka_unit_test(what_no_service_timed_happened_by_the_clock),
                cmocka_unit_test(statuses_are_read_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
