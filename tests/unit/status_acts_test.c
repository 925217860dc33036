/* SPDX-License-Identifier: Apache-2.0
 *
 * status_acts_test.c: acts under way, the list of last acts and run numbers in registry.db.
 */
#include "tests/unit/registry_rig.h"

#include <pthread.h>

#include "common/model/mark.h"
#include "status-store/acts/act_lines.h"
#include "status-store/acts/moved_room.h"
#include "status-store/acts/registry_acts.h"
#include "status-store/registry/registry_rows.h"

#define ID "0190aaaa-0000-7000-8000-000000000001"
#define OTHER "0190aaaa-0000-7000-8000-000000000002"
#define THIRD "0190aaaa-0000-7000-8000-000000000003"
#define NOW ((msec)1800000000000)
#define KEEP ((msec)2 * MSEC_DAY)

static struct intent intent_of(const char *id, enum act_kind kind)
{
        struct intent i = {.kind = kind,
                           .tenant = "acme",
                           .run = 1,
                           .attempt = 2,
                           .copy = act_publishes(kind) ? 4096 : 0,
                           .run_at = NOW + 5,
                           .priority = 2,
                           .moved = 1,
                           .due = NOW + 7,
                           .by = "key k1",
                           .at = NOW};
        snprintf(i.id, sizeof(i.id), "%s", id);
        return i;
}

static void begin(struct registry *r, struct intent *i)
{
        struct err e = {0};
        if (registry_begin_acts(r, i, 1, NULL, NULL, &e) != 0)
                fail_msg("%s", e.text);
}

static int64_t end_with(struct registry *r, const struct intent *i, const struct moved_terms *t)
{
        struct err e = {0};
        int64_t added = -1;
        if (registry_end_acts(r, i, 1, t, &added, &e) != 0)
                fail_msg("%s", e.text);
        return added;
}

static int64_t end(struct registry *r, const struct intent *i)
{
        return end_with(r, i, &(struct moved_terms){.now = NOW, .keep = KEEP});
}

static enum moved_word listed(struct registry *r, int64_t run, int64_t attempt, int64_t copy)
{
        struct delivery_asked d = {
                .tenant = "acme", .id = ID, .run = run, .attempt = attempt, .copy = copy};
        struct err e = {0};
        assert_int_equal(registry_moved(r, &d, &e), 0);
        return d.listed;
}

static void an_intent_is_read_as_it_was_written(void **state)
{
        struct fixture *f = *state;
        struct intent wrote = intent_of(ID, ACT_MOVE);
        struct intent read = {.copy = 0};
        struct intent all[4];
        struct err e = {0};
        begin(f->registry, &wrote);
        assert_int_equal(registry_intent(f->registry, "acme", ID, &read, &e), 1);
        assert_memory_equal(&read, &wrote, sizeof(read));
        assert_int_equal(registry_intent(f->registry, "*", ID, &read, &e), 1);
        assert_int_equal(registry_intent(f->registry, "other", ID, &read, &e), 0);
        assert_int_equal(registry_intents(f->registry, NULL, all, COUNT(all), &e), 1);
        assert_int_equal(end(f->registry, &wrote), 1);
        assert_int_equal(registry_intent(f->registry, "acme", ID, &read, &e), 0);
        assert_int_equal(registry_intents(f->registry, NULL, all, COUNT(all), &e), 0);
}

static void intents_are_read_a_page_at_a_time(void **state)
{
        struct fixture *f = *state;
        struct intent one = intent_of(ID, ACT_MOVE);
        struct intent other = intent_of(OTHER, ACT_MOVE);
        struct intent page[1];
        struct err e = {0};
        begin(f->registry, &other);
        begin(f->registry, &one);
        assert_int_equal(registry_intents(f->registry, NULL, page, 1, &e), 1);
        assert_string_equal(page[0].id, ID);
        assert_int_equal(registry_intents(f->registry, page, page, 1, &e), 1);
        assert_string_equal(page[0].id, OTHER);
        assert_int_equal(registry_intents(f->registry, page, page, 1, &e), 0);
}

static void an_act_that_cannot_be_done_is_dropped(void **state)
{
        struct fixture *f = *state;
        struct intent i = intent_of(ID, ACT_MOVE);
        struct err e = {0};
        int64_t count = -1;
        begin(f->registry, &i);
        assert_int_equal(registry_drop_act(f->registry, &i, &e), 0);
        assert_int_equal(registry_count_intents(f->registry, &count, &e), 0);
        assert_int_equal(count, 0);
        assert_int_equal(listed(f->registry, 1, 1, 0), MOVED_UNKNOWN);
}

static void the_list_says_what_is_over(void **state)
{
        struct fixture *f = *state;
        struct intent moved = intent_of(ID, ACT_MOVE);
        struct intent cancelled = intent_of(ID, ACT_CANCEL);
        assert_int_equal(end(f->registry, &moved), 1);
        assert_int_equal(listed(f->registry, 1, 1, 0), MOVED_SUPERSEDED);
        assert_int_equal(listed(f->registry, 1, 2, 4095), MOVED_SUPERSEDED);
        assert_int_equal(listed(f->registry, 1, 2, 4096), MOVED_UNKNOWN);
        assert_int_equal(listed(f->registry, 1, 3, 0), MOVED_UNKNOWN); /* the old one's retry */
        assert_int_equal(end(f->registry, &cancelled), 0);
        assert_int_equal(listed(f->registry, 1, 2, 4096), MOVED_ENDED);
        assert_int_equal(listed(f->registry, 2, 1, 0), MOVED_UNKNOWN);
        assert_int_equal(end(f->registry, &moved), 0); /* told late: the greater one stays */
        assert_int_equal(listed(f->registry, 1, 2, 4096), MOVED_ENDED);
}

static void a_full_list_takes_no_new_job(void **state)
{
        struct fixture *f = *state;
        const struct moved_terms full = {.now = NOW, .keep = KEEP, .full = true};
        struct intent one = intent_of(ID, ACT_CANCEL);
        struct intent other = intent_of(OTHER, ACT_CANCEL);
        struct err e = {0};
        int64_t count = -1;
        assert_int_equal(end(f->registry, &one), 1);
        assert_int_equal(end_with(f->registry, &other, &full), 0);
        assert_int_equal(end_with(f->registry, &one, &full), 0);
        assert_int_equal(registry_is_moved(f->registry, "acme", ID, &e), 1);
        assert_int_equal(registry_is_moved(f->registry, "acme", OTHER, &e), 0);
        assert_int_equal(registry_count_moved(f->registry, &count, &e), 0);
        assert_int_equal(count, 1);
        other.due = NOW + KEEP; /* its mark is gone by then */
        assert_int_equal(end_with(f->registry, &other, &full), 1);
}

static void change_rows(struct registry *r, const char *sql, const char *key)
{
        struct err e = {0};
        if (registry_rows_change(r, sql, DB_VALUES(value_text(key)), &e) < 0)
                fail_msg("%s", e.text);
}

/* A job that waits for a worker is cancelled; its message may wait for longer than its mark. */
static void a_full_list_takes_what_a_pause_holds(void **state)
{
        static const char tenant[] =
                "INSERT INTO tenants(name, v, paused) VALUES('acme', 1, ?1 = 'on')";
        static const char type[] = "INSERT INTO pauses(key, v, paused) VALUES(?1, 1, 1)";
        static const struct {
                const char *sql, *key, *type;
                bool held;
        } rows[] = {
                {tenant, "on", "noop", true},
                {tenant, "off", "noop", false},
                {type, "type:noop", "noop", true},
                {type, "type:noop", "", true}, /* unknown: an act that was interrupted */
                {type, "type:noop", "echo", false},
                {type, "type:acme/noop", "noop", true},
                {type, "type:acme/noop", "", true},
                {type, "type:acme-two/noop", "noop", false},
                {type, "type:acme-two/noop", "", false},
        };
        struct registry *r = ((struct fixture *)*state)->registry;
        const struct moved_terms full = {.now = NOW, .keep = KEEP, .full = true};
        struct err e = {0};
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct intent it = intent_of(ID, ACT_CANCEL);
                snprintf(it.type, sizeof(it.type), "%s", rows[i].type);
                it.due = 0;
                change_rows(r, rows[i].sql, rows[i].key);
                AUTO(moved_room) m = moved_room_create(r, 0, KEEP, &e);
                assert_int_equal(moved_room_refuses(m, &it, NOW, &e), 0);
                it.kind = ACT_RUN_NOW;
                assert_int_equal(moved_room_refuses(m, &it, NOW, &e), rows[i].held);
                it.kind = ACT_CANCEL;
                assert_int_equal(end_with(r, &it, &full), rows[i].held);
                change_rows(r, "DELETE FROM moved", NULL);
                change_rows(r, "DELETE FROM tenants", NULL);
                change_rows(r, "UPDATE pauses SET paused = 0", NULL);
                assert_int_equal(end_with(r, &it, &full), 0);
                change_rows(r, "DELETE FROM pauses", NULL);
        }
}

/* A list of 4: one tenant moves 2, all move 4, and what ends a job is never refused. */
static void room_is_shared_by_tenants(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        static const struct {
                const char *tenant, *id;
                enum act_kind kind;
                int64_t due;
                int want; /* it is refused */
        } rows[] = {
                {"acme", ID, ACT_MOVE, KEEP, 0},
                {"acme", OTHER, ACT_MOVE, KEEP, 0},
                {"acme", THIRD, ACT_MOVE, KEEP, 1},
                {"acme", ID, ACT_MOVE, KEEP, 0}, /* it has a row */
                {"acme", THIRD, ACT_MOVE, 5, 0},
                {"acme", THIRD, ACT_CANCEL, KEEP, 0},
                {"other", ID, ACT_MOVE, KEEP, 0},
                {"third", ID, ACT_MOVE, KEEP, 1},
                {"third", ID, ACT_FORGET, KEEP, 0},
                {"third", OTHER, ACT_STOP, KEEP, 0},
        };
        struct err e = {0};
        AUTO(moved_room) m = moved_room_create(r, 4, KEEP, &e);
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct intent it = intent_of(rows[i].id, rows[i].kind);
                struct moved_terms terms;
                moved_room_terms(m, NOW, &terms);
                snprintf(it.tenant, sizeof(it.tenant), "%s", rows[i].tenant);
                it.due = NOW + rows[i].due;
                assert_int_equal(moved_room_refuses(m, &it, NOW, &e), rows[i].want);
                if (rows[i].want == 0 && rows[i].due == KEEP)
                        moved_room_add(m, end_with(r, &it, &terms));
                assert_int_equal(moved_room_look(m, &e), 0);
        }
        assert_int_equal(moved_room_rows(m), 6);
        moved_room_destroy(&m);
        m = moved_room_create(r, 12, KEEP, &e);
        assert_int_equal(moved_room_rows(m), 6);
}

/* It cancels jobs that are due, after it has half of a list of 4. */
static void a_tenant_cannot_fill_the_list(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        static const struct {
                const char *tenant, *id;
                msec due;
                int64_t added;
        } rows[] = {
                {"acme", ID, 0, 1},       {"acme", OTHER, 0, 1}, {"acme", THIRD, 0, 0},
                {"acme", THIRD, KEEP, 1}, {"other", ID, 0, 1},   {"other", OTHER, 0, 0},
        };
        struct err e = {0};
        AUTO(moved_room) m = moved_room_create(r, 4, KEEP, &e);
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct intent it = intent_of(rows[i].id, ACT_CANCEL);
                struct moved_terms terms;
                snprintf(it.tenant, sizeof(it.tenant), "%s", rows[i].tenant);
                it.due = rows[i].due > 0 ? NOW + rows[i].due : 0;
                moved_room_terms(m, NOW, &terms);
                int64_t added = end_with(r, &it, &terms);
                assert_int_equal(added, rows[i].added);
                moved_room_add(m, added);
                assert_int_equal(moved_room_look(m, &e), 0);
        }
}

static int64_t forget(struct registry *r, msec now)
{
        struct err e = {0};
        int64_t gone = -1;
        assert_int_equal(registry_forget_moved(r, now, &gone, &e), 0);
        return gone;
}

static void rows_stay_until_the_message_has_come_due(void **state)
{
        struct fixture *f = *state;
        struct intent soon = intent_of(ID, ACT_CANCEL);
        struct intent late = intent_of(OTHER, ACT_CANCEL);
        late.due = NOW + 200 * (msec)MSEC_DAY;
        (void)end(f->registry, &soon);
        (void)end(f->registry, &late);
        /* Without a due time that is later: 30 days. */
        assert_int_equal(forget(f->registry, NOW + 30 * (msec)MSEC_DAY + KEEP), 0);
        assert_int_equal(forget(f->registry, NOW + 30 * (msec)MSEC_DAY + KEEP + 1), 1);
        assert_int_equal(forget(f->registry, late.due + KEEP), 0);
        assert_int_equal(forget(f->registry, late.due + KEEP + 1), 1);
}

static void a_holder_is_granted_the_same_run_again(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        struct run_grant one = {.tenant = "acme", .id = ID, .after = 2, .copy = 11};
        struct run_grant two = one;
        memset(one.holder, 1, sizeof(one.holder));
        memset(two.holder, 2, sizeof(two.holder));
        assert_int_equal(registry_grant_run(f->registry, &one, &e), 0);
        assert_int_equal(one.run, 3);
        two.copy = 12;
        assert_int_equal(registry_grant_run(f->registry, &two, &e), 0);
        assert_int_equal(two.run, 4);
        one.after = 9;
        one.copy = 13;
        assert_int_equal(registry_grant_run(f->registry, &one, &e), 0);
        assert_int_equal(one.run, 3);
        assert_int_equal(one.copy, 11);
}

/* A letter of run 1, while run 2 was granted to a retry. */
static void no_run_is_granted_while_a_later_one_is_under_way(void **state)
{
        static const msec late = 2 * (msec)MSEC_HOUR;
        static const struct {
                int64_t run_of, seen;
                bool open, dropped; /* dropped: the retry cannot be done any more */
                msec since;         /* the projection knows all of so long after the grant */
                bool granted;
        } cases[] = {
                {1, 1, false, false, 0, false},    /* it is in its queue */
                {1, 1, false, false, late, false}, /* likewise: the broker was away */
                {1, 0, false, false, late, false}, {1, 2, true, false, late, false}, /* it runs */
                {1, 2, false, false, 0, true},     /* it has ended */
                {2, 2, false, false, 0, true},     /* the letter is of it */
                {2, 1, true, false, 0, true},      /* likewise, and the projection is behind */
                {0, 2, true, false, 0, true},      /* a holder of an earlier version */
                {1, 0, false, true, 0, false},     /* it may not be told yet */
                {1, 0, false, true, -late, false}, /* the projection is behind */
                {1, 0, false, true, late, true},   /* it has ended, and its row was deleted */
                {1, 1, false, true, late, true},   /* it never began */
        };
        struct fixture *f = *state;
        struct intent retry = intent_of(ID, ACT_RETRY);
        begin(f->registry, &retry);
        assert_int_equal(retry.run, 2);
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct err e = {0};
                struct run_grant g = {.tenant = "acme",
                                      .after = 2,
                                      .run_of = cases[i].run_of,
                                      .seen = cases[i].seen,
                                      .open = cases[i].open,
                                      .as_of = clock_wall() + cases[i].since,
                                      .copy = 11,
                                      .id = ID};
                memset(g.holder, (int)i + 1, sizeof(g.holder));
                if (cases[i].dropped)
                        assert_int_equal(registry_drop_act(f->registry, &retry, &e), 0);
                int done = registry_grant_run(f->registry, &g, &e);
                assert_int_equal(done, cases[i].granted ? 0 : -1);
                assert_int_equal(e.code, cases[i].granted ? ERR_NONE : ERR_CONFLICT);
                assert_int_not_equal(registry_rows_change(f->registry,
                                                          "DELETE FROM runs WHERE run > 2",
                                                          DB_VALUES(value_int(0)), &e),
                                     -1);
        }
}

static void a_retry_is_granted_its_run_with_the_intent(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        struct run_grant letter = {.tenant = "acme", .id = ID, .after = 1, .copy = 11};
        struct intent retry = intent_of(ID, ACT_RETRY);
        memset(letter.holder, 1, sizeof(letter.holder));
        assert_int_equal(registry_grant_run(f->registry, &letter, &e), 0);
        begin(f->registry, &retry);
        assert_int_equal(retry.run, 3);
        assert_int_equal(registry_intent(f->registry, "acme", ID, &retry, &e), 1);
        assert_int_equal(retry.run, 3);
}

enum { AT_ONCE = 8 };
struct asker {
        struct registry *registry;
        int number;
        int64_t run;
};

static void *ask(void *owner)
{
        struct asker *a = owner;
        struct err e = {0};
        struct run_grant g = {.tenant = "acme", .id = ID, .after = 1, .copy = 11};
        memset(g.holder, a->number + 1, sizeof(g.holder));
        if (registry_grant_run(a->registry, &g, &e) == 0)
                a->run = g.run;
        return NULL;
}

static void no_run_is_granted_twice(void **state)
{
        struct fixture *f = *state;
        struct asker askers[AT_ONCE];
        pthread_t threads[AT_ONCE];
        unsigned seen = 0;
        for (int i = 0; i < AT_ONCE; i++) {
                askers[i] = (struct asker){.registry = f->registry, .number = i};
                assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
        }
        for (int i = 0; i < AT_ONCE; i++) {
                pthread_join(threads[i], NULL);
                assert_int_in_range(askers[i].run, 2, AT_ONCE + 1);
                seen |= 1U << askers[i].run;
        }
        assert_int_equal(seen, ((1U << AT_ONCE) - 1) << 2);
}

static int fail_progress(struct database *db, void *owner, struct err *e)
{
        (void)db;
        (void)owner;
        return err_set(e, ERR_CONFLICT, "no");
}

static void intents_and_progress_are_one_write(void **state)
{
        struct fixture *f = *state;
        struct intent i = intent_of(ID, ACT_CANCEL);
        struct err e = {0};
        int64_t count = -1;
        assert_int_equal(registry_begin_acts(f->registry, &i, 1, fail_progress, NULL, &e), -1);
        err_clear(&e);
        assert_int_equal(registry_count_intents(f->registry, &count, &e), 0);
        assert_int_equal(count, 0);
}

static void take_mark(void *owner, const struct mark *m)
{
        *(struct mark *)owner = *m;
}

/* What an act tells is the same each time, and its mark covers what its event says. */
static void an_act_tells_its_event_and_its_mark(void **state)
{
        static const struct {
                enum act_kind kind;
                enum event_kind event;
                bool ends;
        } cases[] = {
                {ACT_CANCEL, EVENT_CANCELLED, true}, {ACT_STOP, EVENT_CANCEL_REQUESTED, true},
                {ACT_FORGET, EVENT_FORGOTTEN, true}, {ACT_RUN_NOW, EVENT_MOVED, false},
                {ACT_MOVE, EVENT_MOVED, false},      {ACT_PRIORITY, EVENT_MOVED, false},
                {ACT_RETRY, EVENT_MOVED, false},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                const struct intent intent = intent_of(ID, cases[i].kind);
                AUTO_BUFFER line = {0};
                AUTO_BUFFER again = {0};
                AUTO_BUFFER scratch = {0};
                struct event e;
                struct mark m = {.run = 0};
                unsigned skipped = 0;
                act_write_event(&intent, &line);
                act_write_event(&intent, &again);
                assert_string_equal(line.data, again.data);
                assert_int_equal(event_parse(buffer_bytes(&line), &scratch, &e), EVENT_IS);
                assert_int_equal(e.kind, cases[i].event);
                assert_true(bytes_equal_text(e.by, "key k1"));
                buffer_clear(&line);
                act_write_mark(&intent, &line);
                assert_int_equal(marks_each(buffer_bytes(&line), take_mark, &m, &skipped), 0);
                assert_int_equal(skipped, 0);
                assert_int_equal(m.attempt, cases[i].ends ? JOB_COUNTER_MAX : 2);
                assert_int_equal(m.copy, cases[i].ends ? JOB_COUNTER_MAX : 4096);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_REGISTRY(an_intent_is_read_as_it_was_written),
                WITH_REGISTRY(intents_are_read_a_page_at_a_time),
                WITH_REGISTRY(an_act_that_cannot_be_done_is_dropped),
                WITH_REGISTRY(the_list_says_what_is_over),
                WITH_REGISTRY(a_full_list_takes_no_new_job),
                WITH_REGISTRY(a_full_list_takes_what_a_pause_holds),
                WITH_REGISTRY(room_is_shared_by_tenants),
                WITH_REGISTRY(a_tenant_cannot_fill_the_list),
                WITH_REGISTRY(rows_stay_until_the_message_has_come_due),
                WITH_REGISTRY(a_holder_is_granted_the_same_run_again),
                WITH_REGISTRY(no_run_is_granted_while_a_later_one_is_under_way),
                WITH_REGISTRY(a_retry_is_granted_its_run_with_the_intent),
                WITH_REGISTRY(no_run_is_granted_twice),
                WITH_REGISTRY(intents_and_progress_are_one_write),
                cmocka_unit_test(an_act_tells_its_event_and_its_mark),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
