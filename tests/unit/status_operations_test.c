/* SPDX-License-Identifier: Apache-2.0
 *
 * status_operations_test.c: operations in registry.db.
 */
#include "tests/unit/registry_rig.h"

#include "status-store/acts/registry_acts.h"
#include "status-store/acts/registry_operations.h"
#include "status-store/registry/registry_rows.h"

#define ID "0190aaaa-0000-7000-8000-000000000001"
#define OTHER "0190aaaa-0000-7000-8000-000000000002"
#define NOW ((msec)1800000000000)
#define DAYS(n) ((msec)(n)*MSEC_DAY)

static char filter_text[] = "status=pending&type=echo";

static struct operation preview_of(const char *id, const char *tenant)
{
        struct operation o = {.kind = OPERATION_CANCEL,
                              .filter = filter_text,
                              .seq_max = 77,
                              .before = NOW,
                              .bulk = BULK_WANTED,
                              .expected = 10,
                              .more = true,
                              .by = "key k1",
                              .at = NOW};
        snprintf(o.id, sizeof(o.id), "%s", id);
        snprintf(o.tenant, sizeof(o.tenant), "%s", tenant);
        return o;
}

static void add(struct registry *r, const char *id, const char *tenant)
{
        const struct operation o = preview_of(id, tenant);
        struct err e = {0};
        if (registry_add_operation(r, &o, &e) != 0)
                fail_msg("%s", e.text);
}

static enum operation_start start(struct registry *r, const char *id, msec now)
{
        struct operation o = preview_of(id, "*");
        enum operation_start outcome = START_UNKNOWN;
        struct err e = {0};
        o.copy = 4096;
        assert_int_equal(registry_start_operation(r, &o, now, &outcome, &e), 0);
        return outcome;
}

static enum operation_abort stop(struct registry *r, const char *tenant, const char *id)
{
        enum operation_abort outcome = ABORT_UNKNOWN;
        struct err e = {0};
        assert_int_equal(registry_abort_operation(r, tenant, id, NOW + 9, &outcome, &e), 0);
        return outcome;
}

/* -1: it is unknown. */
static int state_of(struct registry *r, const char *id)
{
        AUTO_OPERATION o = {.filter = NULL};
        struct err e = {0};
        int found = registry_operation(r, "*", id, &o, &e);
        assert_true(found >= 0);
        return found == 1 ? (int)o.state : -1;
}

static void a_preview_is_read_as_it_was_written(void **state)
{
        struct fixture *f = *state;
        AUTO_OPERATION o = {.filter = NULL};
        struct err e = {0};
        add(f->registry, ID, "acme");
        assert_int_equal(registry_operation(f->registry, "other", ID, &o, &e), 0);
        assert_int_equal(registry_operation(f->registry, "acme", OTHER, &o, &e), 0);
        assert_int_equal(registry_operation(f->registry, "acme", ID, &o, &e), 1);
        assert_string_equal(o.id, ID);
        assert_string_equal(o.tenant, "acme");
        assert_string_equal(o.filter, filter_text);
        assert_string_equal(o.by, "key k1");
        assert_string_equal(o.cursor, "");
        assert_string_equal(o.error, "");
        assert_int_equal(o.kind, OPERATION_CANCEL);
        assert_int_equal(o.state, OPERATION_PREVIEWED);
        assert_int_equal(o.seq_max, 77);
        assert_int_equal(o.before, NOW);
        assert_int_equal(o.bulk, BULK_WANTED);
        assert_int_equal(o.expected, 10);
        assert_true(o.more);
        assert_int_equal(o.at, NOW);
}

static void it_starts_once(void **state)
{
        struct fixture *f = *state;
        add(f->registry, ID, "acme");
        assert_int_equal(start(f->registry, OTHER, NOW), START_UNKNOWN);
        assert_int_equal(start(f->registry, ID, NOW), START_DONE);
        assert_int_equal(start(f->registry, ID, NOW), START_EARLIER);
        assert_int_equal(state_of(f->registry, ID), OPERATION_RUNNING);
}

static void an_old_preview_does_not_start(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        add(f->registry, ID, "acme");
        assert_int_equal(start(f->registry, ID, NOW + PREVIEW_KEEP), START_UNKNOWN);
        assert_int_equal(registry_forget_operations(f->registry, NOW + PREVIEW_KEEP - 1, &e), 0);
        assert_int_equal(state_of(f->registry, ID), OPERATION_PREVIEWED);
        assert_int_equal(registry_forget_operations(f->registry, NOW + PREVIEW_KEEP, &e), 0);
        assert_int_equal(state_of(f->registry, ID), -1);
}

static void what_runs_is_bounded(void **state)
{
        struct fixture *f = *state;
        char id[UUID_SIZE];
        for (int i = 0; i <= OPERATIONS_RUNNING_MAX; i++) {
                uuid7(id);
                add(f->registry, id, "*");
                assert_int_equal(start(f->registry, id, NOW),
                                 i < OPERATIONS_RUNNING_MAX ? START_DONE : START_FULL);
        }
        assert_int_equal(state_of(f->registry, id), OPERATION_PREVIEWED);
}

static int preview(struct registry *r, const char *tenant, char id[UUID_SIZE])
{
        uuid7(id);
        const struct operation o = preview_of(id, tenant);
        struct err e = {0};
        return registry_add_operation(r, &o, &e) == 0 ? 0 : (int)e.code;
}

/* One tenant has its share, and all tenants leave some for operations on all. */
static void a_tenant_cannot_use_up_all(void **state)
{
        struct fixture *f = *state;
        char id[UUID_SIZE], tenant[TENANT_SIZE];
        for (int i = 0; i < OPERATIONS_RUNNING_TENANT_MAX; i++) {
                assert_int_equal(preview(f->registry, "acme", id), 0);
                assert_int_equal(start(f->registry, id, NOW), START_DONE);
        }
        for (int i = 0; i < OPERATIONS_PREVIEWED_TENANT_MAX; i++)
                assert_int_equal(preview(f->registry, "acme", id), 0);
        assert_int_equal(start(f->registry, id, NOW), START_FULL);
        assert_int_equal(preview(f->registry, "acme", id), ERR_FULL);
        int others = 0;
        do
                snprintf(tenant, sizeof(tenant), "other-%d", others++ / 50);
        while (preview(f->registry, tenant, id) == 0);
        assert_int_equal(OPERATIONS_PREVIEWED_TENANT_MAX + others - 1,
                         OPERATIONS_PREVIEWED_MAX - OPERATIONS_PREVIEWED_MAX / 10);
        assert_int_equal(preview(f->registry, "*", id), 0);
}

static void step(struct registry *r, int want, int64_t done, int64_t failed)
{
        struct operation_step s = {.id = ID,
                                   .cursor = "a",
                                   .done = done,
                                   .skipped = 1,
                                   .failed = failed,
                                   .looked = 20,
                                   .error = failed > 0 ? "why" : NULL};
        struct err e = {0};
        assert_int_equal(registry_note_step(r, &s, &e), want);
        assert_true(want == 0 || e.code == ERR_CONFLICT);
}

static void steps_add_up(void **state)
{
        struct fixture *f = *state;
        AUTO_OPERATION o = {.filter = NULL};
        struct err e = {0};
        add(f->registry, ID, "acme");
        step(f->registry, -1, 1, 0);
        start(f->registry, ID, NOW);
        step(f->registry, 0, 3, 0);
        step(f->registry, 0, 2, 1);
        assert_int_equal(registry_end_operation(f->registry, ID, OPERATION_DONE, "late", &e), 0);
        assert_int_equal(registry_operation(f->registry, "acme", ID, &o, &e), 1);
        assert_string_equal(o.cursor, "a");
        assert_int_equal(o.done, 5);
        assert_int_equal(o.failed, 1);
        assert_int_equal(o.skipped, 4); /* of 10; two were met */
        assert_int_equal(o.looked, 40);
        assert_string_equal(o.error, "why");
        assert_int_equal(o.state, OPERATION_DONE);
        step(f->registry, -1, 1, 0);
}

static void an_abort_ends_it(void **state)
{
        struct fixture *f = *state;
        add(f->registry, ID, "acme");
        assert_int_equal(stop(f->registry, "acme", ID), ABORT_UNKNOWN);
        start(f->registry, ID, NOW);
        assert_int_equal(stop(f->registry, "other", ID), ABORT_UNKNOWN);
        assert_int_equal(stop(f->registry, "acme", ID), ABORT_DONE);
        assert_int_equal(stop(f->registry, "acme", ID), ABORT_ENDED);
        step(f->registry, -1, 1, 0);
}

static void a_mark_cannot_be_taken_back(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        struct err late = {0};
        add(f->registry, ID, "acme");
        start(f->registry, ID, NOW);
        assert_int_equal(registry_note_bulk(f->registry, ID, BULK_BEGUN, &e), 0);
        assert_int_equal(stop(f->registry, "acme", ID), ABORT_MARKED);
        add(f->registry, OTHER, "acme");
        start(f->registry, OTHER, NOW);
        assert_int_equal(stop(f->registry, "acme", OTHER), ABORT_DONE);
        assert_int_equal(registry_note_bulk(f->registry, OTHER, BULK_BEGUN, &late), -1);
        assert_int_equal(late.code, ERR_CONFLICT);
}

static void they_are_listed_by_tenant_and_state(void **state)
{
        struct fixture *f = *state;
        struct operation all[4];
        int64_t counts[OPERATION_STATES];
        struct err e = {0};
        struct operations_asked asked = {
                .tenant = "acme", .states = 1u << OPERATION_RUNNING, .limit = COUNT(all)};
        add(f->registry, ID, "acme");
        add(f->registry, OTHER, "other");
        assert_int_equal(registry_operations(f->registry, &asked, all, &e), 0);
        start(f->registry, ID, NOW);
        start(f->registry, OTHER, NOW);
        assert_int_equal(registry_operations(f->registry, &asked, all, &e), 1);
        assert_string_equal(all[0].id, ID);
        operation_fini(&all[0]);
        asked.tenant = "*";
        assert_int_equal(registry_operations(f->registry, &asked, all, &e), 2);
        assert_string_equal(all[0].id, OTHER);
        operation_fini(&all[0]);
        operation_fini(&all[1]);
        asked.older_than = OTHER;
        assert_int_equal(registry_operations(f->registry, &asked, all, &e), 1);
        assert_string_equal(all[0].id, ID);
        operation_fini(&all[0]);
        assert_int_equal(registry_count_operations(f->registry, counts, &e), 0);
        assert_int_equal(counts[OPERATION_RUNNING], 2);
        assert_int_equal(counts[OPERATION_PREVIEWED], 0);
}

static void ended_ones_are_kept_for_30_days(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        add(f->registry, ID, "acme");
        start(f->registry, ID, NOW);
        assert_int_equal(stop(f->registry, "acme", ID), ABORT_DONE);
        assert_int_equal(registry_forget_operations(f->registry, NOW + DAYS(30), &e), 0);
        assert_int_equal(state_of(f->registry, ID), OPERATION_ABORTED);
        assert_int_equal(registry_forget_operations(f->registry, NOW + DAYS(31), &e), 0);
        assert_int_equal(state_of(f->registry, ID), -1);
}

/* What a page begins is committed with the operation's new place, or not at all. */
static void a_page_is_one_write(void **state)
{
        struct fixture *f = *state;
        struct operation_step s = {.id = ID, .cursor = "a", .done = 1};
        struct intent i = {.kind = ACT_CANCEL,
                           .tenant = "acme",
                           .id = OTHER,
                           .run = 1,
                           .attempt = 1,
                           .by = "operation " ID};
        struct err e = {0};
        struct err refused = {0};
        add(f->registry, ID, "acme");
        assert_int_equal(registry_begin_acts(f->registry, &i, 1, operation_note_step, &s, &refused),
                         -1);
        assert_int_equal(registry_has_acts_by(f->registry, i.by, &e), 0);
        start(f->registry, ID, NOW);
        assert_int_equal(registry_begin_acts(f->registry, &i, 1, operation_note_step, &s, &e), 0);
        assert_int_equal(registry_has_acts_by(f->registry, i.by, &e), 1);
        assert_int_equal(registry_has_acts_by(f->registry, "operation " OTHER, &e), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_REGISTRY(a_preview_is_read_as_it_was_written),
                WITH_REGISTRY(it_starts_once),
                WITH_REGISTRY(an_old_preview_does_not_start),
                WITH_REGISTRY(what_runs_is_bounded),
                WITH_REGISTRY(a_tenant_cannot_use_up_all),
                WITH_REGISTRY(steps_add_up),
                WITH_REGISTRY(an_abort_ends_it),
                WITH_REGISTRY(a_mark_cannot_be_taken_back),
                WITH_REGISTRY(they_are_listed_by_tenant_and_state),
                WITH_REGISTRY(ended_ones_are_kept_for_30_days),
                WITH_REGISTRY(a_page_is_one_write),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
