/* SPDX-License-Identifier: Apache-2.0
 *
 * history_test.c: any order and any repetition of a job's events gives the same bytes.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status-store/projection/history.h"

enum { NOW = 1700000000, MANY = 200, ROUNDS = 300 };

static struct event event_of(enum event_kind kind, int64_t attempt, msec at)
{
        return (struct event){.kind = kind,
                              .run = 1,
                              .attempt = attempt,
                              .at = at,
                              .digest = (uint64_t)kind * 1000003 + (uint64_t)at * 31 +
                                        (uint64_t)attempt};
}

struct seen {
        size_t count;
        struct history_entry all[HISTORY_MAX];
};

static void see(void *owner, const struct history_entry *entry)
{
        struct seen *s = owner;
        assert_true(s->count < HISTORY_MAX);
        if (s->count > 0)
                assert_true(s->all[s->count - 1].at <= entry->at);
        s->all[s->count++] = *entry;
}

static void members_come_back(void **state)
{
        AUTO_BUFFER history = {0};
        struct seen s = {0};
        struct event started = event_of(EVENT_STARTED, 1, NOW);
        struct event moved = event_of(EVENT_MOVED, 2, NOW + 10);
        struct event dead = event_of(EVENT_DEAD, 3, NOW + 20);
        (void)state;
        started.worker = bytes_of_text("host-a/4711");
        moved.by = bytes_of_text("key k1x2y3z4");
        moved.why = bytes_of_text("reschedule");
        moved.copy = ((int64_t)1 << 53) - 1;
        moved.hint.run_at = NOW * (msec)1000;
        dead.has_job = true;
        dead.reason = REASON_EXHAUSTED;
        dead.job.error_kind = ERROR_KIND_TIMEOUT;
        assert_true(history_add(&history, &dead, dead.at));
        assert_true(history_add(&history, &moved, moved.at));
        assert_true(history_add(&history, &started, started.at));
        assert_false(history_add(&history, &moved, moved.at));
        assert_true(history_each(buffer_bytes(&history), see, &s));
        assert_int_equal(s.count, 3);
        assert_true(bytes_equal_text(s.all[0].worker, "host-a/4711"));
        assert_int_equal(s.all[0].at, NOW);
        assert_int_equal(s.all[1].kind, EVENT_MOVED);
        assert_true(bytes_equal_text(s.all[1].by, "key k1x2y3z4"));
        assert_true(bytes_equal_text(s.all[1].why, "reschedule"));
        assert_int_equal(s.all[1].copy, moved.copy);
        assert_int_equal(s.all[1].run_at, moved.hint.run_at);
        assert_int_equal(s.all[2].reason, REASON_EXHAUSTED);
        assert_int_equal(s.all[2].error_kind, ERROR_KIND_TIMEOUT);
        assert_int_equal(s.all[2].attempt, 3);
}

static void shuffle(unsigned *order, size_t count)
{
        for (size_t i = count; i > 1; i--) {
                size_t other = (size_t)random() % i;
                unsigned kept = order[i - 1];
                order[i - 1] = order[other];
                order[other] = kept;
        }
}

static void fold(struct buffer *history, const struct event *all, size_t count)
{
        unsigned order[2 * MANY];
        for (size_t i = 0; i < 2 * count; i++)
                order[i] = (unsigned)(i % count); /* each twice */
        shuffle(order, 2 * count);
        for (size_t i = 0; i < 2 * count; i++)
                history_add(history, &all[order[i]], all[order[i]].at);
}

static void any_order_gives_the_same_bytes(void **state)
{
        static const enum event_kind kinds[] = {EVENT_STARTED, EVENT_FAILED,   EVENT_DUE,
                                                EVENT_DUE,     EVENT_PROGRESS, EVENT_RELEASED};
        static struct event all[MANY];
        (void)state;
        srandom(12);
        for (int round = 0; round < ROUNDS; round++) {
                size_t count = 1 + (size_t)random() % MANY;
                AUTO_BUFFER one = {0};
                AUTO_BUFFER other = {0};
                struct seen s = {0};
                size_t others = 0;
                for (size_t i = 0; i < count; i++) {
                        enum event_kind kind = kinds[(size_t)random() % COUNT(kinds)];
                        all[i] = event_of(kind, (int64_t)i, NOW + random() % 50);
                        all[i].worker = bytes_of_text("host/1");
                        others += kind != EVENT_DUE && kind != EVENT_PROGRESS;
                }
                fold(&one, all, count);
                fold(&other, all, count);
                assert_true(bytes_equal(buffer_bytes(&one), buffer_bytes(&other)));
                bool complete = history_each(buffer_bytes(&one), see, &s);
                assert_true(!complete || others <= 47);
        }
}

static size_t count_of(const struct seen *s, enum event_kind kind)
{
        size_t count = 0;
        for (size_t i = 0; i < s->count; i++)
                count += s->all[i].kind == kind;
        return count;
}

static void the_first_and_the_last_stay(void **state)
{
        AUTO_BUFFER history = {0};
        struct seen s = {0};
        (void)state;
        for (int i = 0; i < MANY; i++) {
                struct event started = event_of(EVENT_STARTED, i + 1, NOW + 3 * i);
                struct event progress = event_of(EVENT_PROGRESS, i + 1, NOW + 3 * i + 1);
                struct event due = event_of(EVENT_DUE, i + 2, NOW + 3 * i + 2);
                history_add(&history, &started, started.at);
                history_add(&history, &progress, progress.at);
                history_add(&history, &due, due.at);
        }
        assert_false(history_each(buffer_bytes(&history), see, &s));
        assert_false(history_has_gap(buffer_bytes(&history)));
        assert_int_equal(s.count, HISTORY_MAX);
        assert_int_equal(count_of(&s, EVENT_PROGRESS), 1);
        assert_int_equal(count_of(&s, EVENT_DUE), 16);
        assert_int_equal(count_of(&s, EVENT_STARTED), 47);
        assert_int_equal(s.all[0].attempt, 1);
        assert_int_equal(s.all[HISTORY_MAX - 1].at, NOW + 3 * (MANY - 1) + 2);
}

static void forgotten_runs_are_empty(void **state)
{
        AUTO_BUFFER history = {0};
        struct seen s = {0};
        struct event first = event_of(EVENT_STARTED, 1, NOW);
        struct event forgotten = event_of(EVENT_FORGOTTEN, 0, NOW + 5);
        struct event second = event_of(EVENT_STARTED, 1, NOW + 9);
        (void)state;
        second.run = 2;
        history_add(&history, &first, first.at);
        assert_true(history_add(&history, &forgotten, forgotten.at));
        assert_false(history_add(&history, &first, first.at));
        assert_true(history_add(&history, &second, second.at));
        assert_true(history_each(buffer_bytes(&history), see, &s));
        assert_int_equal(s.count, 2);
        assert_int_equal(s.all[0].kind, EVENT_FORGOTTEN);
        assert_int_equal(s.all[1].run, 2);
}

static void a_job_is_due_when_its_delay_ends(void **state)
{
        AUTO_BUFFER history = {0};
        struct seen s = {0};
        struct event due = event_of(EVENT_DUE, 1, NOW);
        struct event hop = event_of(EVENT_DUE, 1, NOW + 1);
        (void)state;
        due.job.due_at = NOW + 5000;
        hop.job.due_at = NOW + 6000;
        hop.job.hop = true;
        assert_true(history_add(&history, &due, due.at));
        assert_false(history_add(&history, &hop, hop.at));
        assert_true(history_each(buffer_bytes(&history), see, &s));
        assert_int_equal(s.count, 1);
        assert_int_equal(s.all[0].at, NOW + 5000);
}

static void a_cancel_is_told_once(void **state)
{
        const struct event bare = event_of(EVENT_CANCELLED, 1, NOW);
        struct event said = event_of(EVENT_CANCELLED, 1, NOW + 1);
        (void)state;
        said.by = bytes_of_text("key k1x2y3z4");
        for (int bare_first = 0; bare_first < 2; bare_first++) {
                AUTO_BUFFER history = {0};
                struct seen s = {0};
                const struct event *first = bare_first ? &bare : &said;
                const struct event *second = bare_first ? &said : &bare;
                assert_true(history_add(&history, first, first->at));
                assert_int_equal(history_add(&history, second, second->at), bare_first);
                assert_true(history_each(buffer_bytes(&history), see, &s));
                assert_int_equal(s.count, 1);
                assert_true(bytes_equal_text(s.all[0].by, "key k1x2y3z4"));
        }
}

static void cut_and_later_forms_have_a_gap(void **state)
{
        AUTO_BUFFER history = {0};
        struct event started = event_of(EVENT_STARTED, 1, NOW);
        (void)state;
        assert_false(history_each((struct bytes){0}, see, &(struct seen){0}));
        assert_false(history_each(bytes_of_text("\x02xyz"), see, &(struct seen){0}));
        assert_true(history_has_gap((struct bytes){0}));
        assert_true(history_has_gap(bytes_of_text("\x02xyz")));
        history_note_gap(&history);
        assert_true(history_has_gap(buffer_bytes(&history)));
        assert_false(history_each(buffer_bytes(&history), see, &(struct seen){0}));
        started.worker = bytes_of_text("host/1");
        history_add(&history, &started, NOW);
        for (size_t length = 0; length < history.length; length++)
                assert_false(history_each(bytes_of(history.data, length), see, &(struct seen){0}));
        struct seen s = {0};
        assert_false(history_each(buffer_bytes(&history), see, &s)); /* the gap stays */
        assert_int_equal(s.count, 1);
        assert_true(history_has_gap(buffer_bytes(&history)));
}

/* A row of which only that is known was made again: it has no beginning, and none was left out. */
static void the_end_of_a_hop_begins_a_history(void **state)
{
        AUTO_BUFFER hop_first = {0};
        AUTO_BUFFER hop_last = {0};
        struct seen s = {0};
        struct event due = event_of(EVENT_DUE, 1, NOW);
        struct event started = event_of(EVENT_STARTED, 1, NOW + 1);
        (void)state;
        due.has_job = due.job.hop = true;
        assert_true(history_add(&hop_first, &due, NOW));
        assert_false(history_add(&hop_first, &due, NOW + 5));
        assert_false(history_has_gap(buffer_bytes(&hop_first)));
        assert_true(history_each(buffer_bytes(&hop_first), see, &s));
        assert_int_equal(s.count, 0);
        history_add(&hop_first, &started, NOW + 1);
        history_add(&hop_last, &started, NOW + 1);
        assert_false(history_add(&hop_last, &due, NOW));
        assert_true(bytes_equal(buffer_bytes(&hop_first), buffer_bytes(&hop_last)));
        history_note_gap(&hop_last);
        assert_false(history_add(&hop_last, &due, NOW));
        assert_true(history_has_gap(buffer_bytes(&hop_last)));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(members_come_back),
                cmocka_unit_test(any_order_gives_the_same_bytes),
                cmocka_unit_test(the_first_and_the_last_stay),
                cmocka_unit_test(forgotten_runs_are_empty),
                cmocka_unit_test(a_job_is_due_when_its_delay_ends),
                cmocka_unit_test(a_cancel_is_told_once),
                cmocka_unit_test(cut_and_later_forms_have_a_gap),
                cmocka_unit_test(the_end_of_a_hop_begins_a_history),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
