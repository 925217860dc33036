/* SPDX-License-Identifier: Apache-2.0
 *
 * status_held_test.c: how long the list of last acts keeps what a pause holds.
 */
#include "tests/unit/registry_rig.h"

#include "status-store/acts/registry_acts.h"
#include "status-store/registry/registry_pauses.h"
#include "status-store/registry/registry_rows.h"

#define ID "0190aaaa-0000-7000-8000-000000000001"
#define DAY ((msec)MSEC_DAY)

static int64_t forget(struct registry *r, msec now)
{
        struct err e = {0};
        int64_t gone = -1;
        assert_int_equal(registry_forget_moved(r, now, &gone, &e), 0);
        return gone;
}

static void run_sql(struct registry *r, const char *sql, const char *name, msec at)
{
        struct err e = {0};
        if (registry_rows_change(r, sql, DB_VALUES(value_text(name), value_int(at)), &e) < 0)
                fail_msg("%s", e.text);
}

static void begin_pause(struct registry *r, const char *key, msec at)
{
        run_sql(r, "INSERT INTO pauses(key, v, paused, at) VALUES(?1, 1, 1, ?2)", key, at);
}

static void end_pause(struct registry *r, const char *key)
{
        struct pause_record p = {.paused = false};
        struct err e = {0};
        snprintf(p.key, sizeof(p.key), "%s", key);
        assert_int_equal(registry_change_pause(r, &p, 1, &e), 0);
        assert_false(p.paused);
}

/* Its row may be deleted since 8 days. */
static void cancel_40_days_ago(struct registry *r)
{
        const struct intent i = {.kind = ACT_CANCEL, .tenant = "acme", .id = ID, .run = 1};
        const struct moved_terms terms = {.now = clock_wall() - 40 * DAY, .keep = 2 * DAY};
        struct err e = {0};
        int64_t added = 0;
        assert_int_equal(registry_end_acts(r, &i, 1, &terms, &added, &e), 0);
        assert_int_equal(added, 1);
}

static void nothing_of_what_is_paused_is_deleted(void **state)
{
        static const struct {
                const char *key;
                bool holds;
        } pauses[] = {{"type:noop", true}, {"type:acme/noop", true}, {"type:acme-two/noop", false}};
        static const msec ages[] = {MSEC_MINUTE, 40 * DAY};
        struct registry *r = ((struct fixture *)*state)->registry;
        for (size_t n = 0; n < COUNT(pauses) * COUNT(ages); n++) {
                const size_t which = n / COUNT(ages);
                const msec now = clock_wall();
                cancel_40_days_ago(r);
                begin_pause(r, pauses[which].key, now - ages[n % COUNT(ages)]);
                assert_int_equal(forget(r, now), !pauses[which].holds);
                run_sql(r, "DELETE FROM pauses WHERE key = ?1 OR ?2 < 0", pauses[which].key, 0);
                assert_int_equal(forget(r, now), pauses[which].holds);
        }
}

/* What it held comes to the consumers then. */
static void a_pause_that_is_over_holds_for_as_long_again(void **state)
{
        static const struct {
                msec lasted, holds;
        } rows[] = {
                {MSEC_HOUR, MSEC_HOUR},
                {3 * DAY, 3 * DAY},
                {40 * DAY, 30 * DAY},
        };
        struct registry *r = ((struct fixture *)*state)->registry;
        for (size_t n = 0; n < COUNT(rows); n++) {
                const msec now = clock_wall();
                cancel_40_days_ago(r);
                begin_pause(r, "type:acme/noop", now - rows[n].lasted);
                end_pause(r, "type:acme/noop");
                assert_int_equal(forget(r, now + rows[n].holds - 1), 0);
                assert_int_equal(forget(r, now + rows[n].holds + MSEC_MINUTE), 1);
                run_sql(r, "DELETE FROM pauses WHERE key = ?1 OR ?2 < 0", "type:acme/noop", 0);
        }
}

/* 40 days, and 5 after that 10 more: of the first, 25 days are left. */
static void a_later_pause_does_not_end_what_one_before_it_holds(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct pause_record p = {.paused = true, .key = "type:noop"};
        struct err e = {0};
        const msec now = clock_wall();
        cancel_40_days_ago(r);
        begin_pause(r, "type:noop", now - 40 * DAY);
        end_pause(r, "type:noop");
        assert_int_equal(registry_change_pause(r, &p, 1, &e), 0);
        assert_int_equal(forget(r, now + 300 * DAY), 0);
        run_sql(r, "UPDATE pauses SET at = ?2, held_until = ?2 + 25 * 86400000 WHERE key = ?1",
                "type:noop", now - 10 * DAY);
        end_pause(r, "type:noop");
        assert_int_equal(forget(r, now + 25 * DAY - 1), 0);
        assert_int_equal(forget(r, now + 25 * DAY + MSEC_MINUTE), 1);
}

static void change_tenant(struct registry *r, struct tenant *t, bool paused, msec at)
{
        struct err e = {0};
        t->record.paused = paused;
        t->record.paused_at = at;
        if (registry_change_tenant(r, t, &e) != 0)
                fail_msg("%s", e.text);
}

static void a_tenants_pause_holds_likewise(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        const msec now = clock_wall();
        const msec began = now - 3 * DAY;
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_NEW, &e), 0);
        cancel_40_days_ago(r);
        change_tenant(r, &t, true, began);
        assert_int_equal(forget(r, now), 0);
        change_tenant(r, &t, false, began);
        change_tenant(r, &t, false, began); /* a change of something else */
        assert_int_equal(forget(r, now + 3 * DAY - 1), 0);
        assert_int_equal(forget(r, now + 3 * DAY + MSEC_MINUTE), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_REGISTRY(nothing_of_what_is_paused_is_deleted),
                WITH_REGISTRY(a_pause_that_is_over_holds_for_as_long_again),
                WITH_REGISTRY(a_later_pause_does_not_end_what_one_before_it_holds),
                WITH_REGISTRY(a_tenants_pause_holds_likewise),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
