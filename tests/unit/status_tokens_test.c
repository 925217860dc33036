/* SPDX-License-Identifier: Apache-2.0
 *
 * status_tokens_test.c: types, and the versions of limits, in registry.db.
 */
#include "tests/unit/registry_rig.h"

#include "status-store/provisioning/in_force.h"
#include "status-store/registry/registry_tokens.h"
#include "status-store/registry/registry_types.h"

#define OK(call) assert_int_equal(call, 0)

static int list_queue(void *owner, const struct token_queue *q, struct err *e)
{
        (void)e;
        char name[LIMIT_QUEUE_SIZE];
        limit_queue_name(q->kind, q->of, q->version, name);
        buffer_printf(owner, "%s ", name);
        return 0;
}

static void assert_queues(struct registry *r, const char *filled, const char *stale)
{
        struct err e = {0};
        AUTO_BUFFER use = {0};
        AUTO_BUFFER old = {0};
        OK(registry_each_filled(r, list_queue, &use, &e));
        OK(registry_each_stale(r, clock_wall() + 1000, list_queue, &old, &e));
        assert_string_equal(use.data == NULL ? "" : use.data, filled);
        assert_string_equal(old.data == NULL ? "" : old.data, stale);
}

/* The queue of a limit as it is now. */
static struct token_queue queue_of(struct registry *r, enum limit_queue kind, const char *of)
{
        struct token_queue q = {.kind = kind};
        struct tenant tenant;
        struct type type;
        struct err e = {0};
        snprintf(q.of, sizeof(q.of), "%s", of);
        if (kind == LIMIT_TENANT_SLOTS) {
                assert_int_equal(registry_tenant(r, of, &tenant, &e), 1);
                q.tokens = tenant.record.max_running;
        } else {
                assert_int_equal(registry_type(r, of, &type, &e), 1);
                bool rate = kind == LIMIT_TYPE_RATE;
                q.tokens = rate ? type.record.rate_count : type.record.max_running;
                q.per = rate ? type.record.rate_per : 0;
        }
        return q;
}

static int64_t fill(struct registry *r, enum limit_queue kind, const char *of)
{
        struct token_queue q = queue_of(r, kind, of);
        struct err e = {0};
        OK(registry_begin_tokens(r, &q, &e));
        OK(registry_use_tokens(r, &q, &e));
        return q.version;
}

static struct tenant limited(struct registry *r, const char *name, int64_t limit)
{
        struct tenant t = tenant_named(name);
        struct err e = {0};
        t.record.max_running = limit;
        OK(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e));
        return t;
}

static struct tenant read_tenant(struct registry *r, const char *name)
{
        struct tenant t;
        struct err e = {0};
        assert_int_equal(registry_tenant(r, name, &t, &e), 1);
        return t;
}

static void each_change_of_a_limit_has_a_version(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct tenant t = limited(r, "acme", 5);
        assert_int_equal(t.record.slots_version, 0);
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 1);
        OK(registry_published(r, RECORD_TENANT, "acme", 1, &e));
        assert_queues(r, "slots.acme.1 ", "");

        t = read_tenant(r, "acme");
        t.record.weight = 3;
        OK(registry_change_tenant(r, &t, &e));
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 1);
        t.record.max_running = 6;
        OK(registry_change_tenant(r, &t, &e));
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 0);
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 2);
        assert_queues(r, "slots.acme.1 slots.acme.2 ", ""); /* the old one is still told */
        OK(registry_published(r, RECORD_TENANT, "acme", 4, &e));
        assert_queues(r, "slots.acme.2 ", "slots.acme.1 ");

        t = read_tenant(r, "acme");
        t.record.slots_version = 0; /* fresh slots */
        OK(registry_change_tenant(r, &t, &e));
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 3);
        t = read_tenant(r, "acme");
        t.record.max_running = RECORD_UNLIMITED;
        OK(registry_change_tenant(r, &t, &e));
        assert_int_equal(t.record.slots_version, 3);
        OK(registry_published(r, RECORD_TENANT, "acme", t.record.v, &e));
        assert_queues(r, "", "slots.acme.1 slots.acme.2 slots.acme.3 ");
        struct token_queue q = {.kind = LIMIT_TENANT_SLOTS, .of = "acme", .version = 2};
        OK(registry_forget_tokens(r, &q, &e));
        assert_queues(r, "", "slots.acme.1 slots.acme.3 ");
}

/* While its tokens are missing, the limit before is what is published, with all that has changed.
 */
static void the_limit_before_is_in_force_until_the_new_one_is(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct tenant_record told;
        struct tenant t = limited(r, "acme", 5);
        assert_false(tenant_in_force(&t, &told)); /* new: no limit is known */
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 1);
        OK(registry_published(r, RECORD_TENANT, "acme", 1, &e));
        assert_int_equal(registry_is_in_force(r, RECORD_TENANT, "acme", &e), 1);

        t = read_tenant(r, "acme");
        for (int64_t limit = 6; limit < 9; limit++) {
                t.record.max_running = limit;
                OK(registry_change_tenant(r, &t, &e));
        }
        t.record.paused = true;
        OK(registry_change_tenant(r, &t, &e));
        t = read_tenant(r, "acme");
        assert_true(tenant_in_force(&t, &told));
        assert_true(told.paused);
        assert_int_equal(told.max_running, 5);
        assert_int_equal(told.slots_version, 1);
        struct token_queue q = queue_of(r, LIMIT_TENANT_SLOTS, "acme");
        OK(registry_begin_tokens(r, &q, &e));
        OK(registry_published(r, RECORD_TENANT, "acme", t.record.v, &e));
        assert_int_equal(registry_is_published(r, RECORD_TENANT, "acme", &e), 1);
        assert_int_equal(registry_is_in_force(r, RECORD_TENANT, "acme", &e), 0);
        assert_queues(r, "slots.acme.1 ", "");

        OK(registry_use_tokens(r, &q, &e));
        OK(registry_published(r, RECORD_TENANT, "acme", told.v, &e)); /* by another thread, late */
        assert_int_equal(registry_is_published(r, RECORD_TENANT, "acme", &e), 0);
        t = read_tenant(r, "acme");
        assert_true(t.record.v > told.v);
        assert_true(tenant_in_force(&t, &told));
        assert_int_equal(told.max_running, 8);
        assert_int_equal(told.slots_version, 2);
        OK(registry_published(r, RECORD_TENANT, "acme", told.v, &e));
        assert_int_equal(registry_is_in_force(r, RECORD_TENANT, "acme", &e), 1);
        assert_queues(r, "slots.acme.2 ", "slots.acme.1 ");
}

static void no_limit_is_in_force_until_the_first_one_is(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct tenant_record told;
        struct tenant t = limited(r, "acme", RECORD_UNLIMITED);
        OK(registry_published(r, RECORD_TENANT, "acme", 1, &e));
        t.record.max_running = 5;
        OK(registry_change_tenant(r, &t, &e));
        t = read_tenant(r, "acme");
        assert_true(tenant_in_force(&t, &told));
        assert_int_equal(told.max_running, RECORD_UNLIMITED);
        OK(registry_delete_tenant(r, "acme", 1000, &e)); /* waits for no tokens either */
        t = read_tenant(r, "acme");
        assert_true(tenant_in_force(&t, &told));
        assert_true(told.deleted);
}

static void a_version_that_was_not_filled_is_abandoned(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct token_queue q = {.kind = LIMIT_TENANT_SLOTS, .of = "acme"};
        struct tenant t = limited(r, "acme", 5);
        OK(registry_begin_tokens(r, &q, &e)); /* then the program was killed */
        assert_queues(r, "", "");
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 2);
        assert_queues(r, "slots.acme.2 ", "slots.acme.1 ");

        t = read_tenant(r, "acme");
        t.record.max_running = 7;
        OK(registry_change_tenant(r, &t, &e));
        q.tokens = 7;
        OK(registry_begin_tokens(r, &q, &e));
        assert_int_equal(q.version, 3);
        t.record.max_running = 8;
        OK(registry_change_tenant(r, &t, &e));
        assert_int_equal(registry_use_tokens(r, &q, &e), -1); /* for 7, not for 8 */
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        OK(registry_abandon_tokens(r, &q, &e));
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 0);
        assert_queues(r, "slots.acme.2 ", "slots.acme.1 slots.acme.3 ");
}

static void only_the_limit_and_its_state_decide_whether_tokens_are_used(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct tenant t = limited(r, "acme", 5);
        struct token_queue q = queue_of(r, LIMIT_TENANT_SLOTS, "acme");
        OK(registry_begin_tokens(r, &q, &e));
        t.record.paused = true; /* what else changes does not matter */
        OK(registry_change_tenant(r, &t, &e));
        OK(registry_use_tokens(r, &q, &e));
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 1);
        assert_int_equal(registry_is_published(r, RECORD_TENANT, "acme", &e), 0);
        OK(registry_published(r, RECORD_TENANT, "acme", 2, &e));
        assert_int_equal(registry_is_published(r, RECORD_TENANT, "acme", &e), 1);

        t = read_tenant(r, "acme");
        t.record.max_running = 6;
        OK(registry_change_tenant(r, &t, &e));
        q = queue_of(r, LIMIT_TENANT_SLOTS, "acme");
        OK(registry_begin_tokens(r, &q, &e));
        OK(registry_abandon_tokens(r, &q, &e)); /* its queue may be gone */
        assert_int_equal(registry_use_tokens(r, &q, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 0);
}

static void a_name_used_again_goes_on_with_its_versions(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        (void)limited(r, "acme", 5);
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 1);
        OK(registry_published(r, RECORD_TENANT, "acme", 1, &e));
        OK(registry_delete_tenant(r, "acme", 1000, &e));
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 1);
        OK(registry_published(r, RECORD_TENANT, "acme", 2, &e));
        assert_queues(r, "", "slots.acme.1 ");
        OK(registry_drop_tenant(r, "acme", &e));
        (void)limited(r, "acme", 5);
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 2);
}

static void an_older_registry_takes_no_version_again(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct tenant t = limited(r, "acme", 5);
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 1);
        OK(registry_published(r, RECORD_TENANT, "acme", 1, &e));
        t.record.v = 4;
        t.record.slots_version = 3;
        assert_int_equal(registry_seen_tenant(r, &t.record, &e), 1);
        assert_int_equal(read_tenant(r, "acme").record.v, 5);
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 0);
        assert_int_equal(read_tenant(r, "acme").in_force.version, 3);
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 4);
        OK(registry_published(r, RECORD_TENANT, "acme", 6, &e));
        assert_queues(r, "slots.acme.4 ", "slots.acme.1 slots.acme.2 slots.acme.3 ");
        /* The record of a tenant that this registry does not know. */
        snprintf(t.record.name, sizeof(t.record.name), "lost");
        t.record.slots_version = 3;
        OK(registry_seen_tenant(r, &t.record, &e));
        t = limited(r, "lost", 2);
        assert_int_equal(t.record.v, 5);
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "lost"), 4);
        OK(registry_published(r, RECORD_TENANT, "lost", 5, &e));
        assert_queues(r, "slots.acme.4 slots.lost.4 ",
                      "slots.acme.1 slots.acme.2 slots.acme.3 "
                      "slots.lost.1 slots.lost.2 slots.lost.3 ");
}

static void slots_stay_only_if_control_has_them_in_use(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        (void)limited(r, "acme", 5);
        assert_int_equal(fill(r, LIMIT_TENANT_SLOTS, "acme"), 1);
        struct tenant t = read_tenant(r, "acme");
        t.record.v = 9; /* its weight was changed after the backup */
        assert_int_equal(registry_seen_tenant(r, &t.record, &e), 1);
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 1);
        t.record.v = 12; /* its limit was lifted, and then its tokens were deleted */
        t.record.max_running = RECORD_UNLIMITED;
        assert_int_equal(registry_seen_tenant(r, &t.record, &e), 1);
        assert_int_equal(read_tenant(r, "acme").record.max_running, 5);
        assert_int_equal(read_tenant(r, "acme").record.slots_version, 0);
}

static struct type change_type(struct registry *r, const char *name, int64_t running, int64_t count)
{
        struct type t;
        struct err e = {0};
        assert_true(registry_type(r, name, &t, &e) >= 0);
        t.record.max_running = running;
        t.record.rate_count = count;
        t.record.rate_per = 1000;
        OK(registry_change_type(r, &t, &e));
        return t;
}

static int count_type(void *owner, const struct type *t, struct err *e)
{
        (void)t;
        (void)e;
        ++*(int *)owner;
        return 0;
}

static int untold_types(struct registry *r)
{
        struct err e = {0};
        int count = 0;
        OK(registry_each_type(r, WHICH_UNPUBLISHED, count_type, &count, &e));
        return count;
}

static void a_type_gets_limits_and_loses_them(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct type t;
        assert_int_equal(registry_type(r, "send.mail", &t, &e), 0);
        assert_false(type_is_limited(&t));
        t = change_type(r, "send.mail", 50, 10);
        assert_int_equal(t.record.v, 1);
        assert_true(t.created_at > 0);
        assert_int_equal(fill(r, LIMIT_TYPE_SLOTS, "send.mail"), 1);
        assert_int_equal(fill(r, LIMIT_TYPE_RATE, "send.mail"), 1);
        assert_int_equal(untold_types(r), 1);
        OK(registry_published(r, RECORD_TYPE, "send.mail", 1, &e));
        assert_int_equal(untold_types(r), 0);
        OK(registry_republish(r, RECORD_TYPE, "send.mail", 1, &e));
        assert_int_equal(untold_types(r), 1);

        t = change_type(r, "send.mail", 50, 20);
        assert_int_equal(t.record.slots_version, 1);
        assert_int_equal(t.record.rate_version, 0);
        assert_int_equal(fill(r, LIMIT_TYPE_RATE, "send.mail"), 2);
        OK(registry_published(r, RECORD_TYPE, "send.mail", 3, &e));
        assert_queues(r, "slots-type.send.mail.1 rates-type.send.mail.2 ",
                      "rates-type.send.mail.1 ");
        t = change_type(r, "send.mail", RECORD_UNLIMITED, RECORD_UNLIMITED);
        assert_int_equal(t.record.rate_version, 2);
        OK(registry_published(r, RECORD_TYPE, "send.mail", 4, &e));
        assert_queues(r, "",
                      "slots-type.send.mail.1 rates-type.send.mail.1 rates-type.send.mail.2 ");
        struct type stale = t;
        stale.record.v = 1;
        assert_int_equal(registry_change_type(r, &stale, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
}

/* One limit of it is lifted while the other has no tokens. */
static void each_limit_of_a_type_comes_into_force_by_itself(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct type_record told;
        struct type t = change_type(r, "mail", 50, 10);
        assert_false(type_in_force(&t, &told));
        assert_int_equal(fill(r, LIMIT_TYPE_SLOTS, "mail"), 1);
        assert_int_equal(fill(r, LIMIT_TYPE_RATE, "mail"), 1);
        OK(registry_published(r, RECORD_TYPE, "mail", 1, &e));
        t = change_type(r, "mail", 60, 10);
        t = change_type(r, "mail", 60, 20);
        assert_true(type_in_force(&t, &told));
        assert_int_equal(told.max_running, 50);
        assert_int_equal(told.slots_version, 1);
        assert_int_equal(told.rate_count, 10);
        assert_int_equal(told.rate_per, 1000);
        assert_int_equal(told.rate_version, 1);
        t = change_type(r, "mail", 60, RECORD_UNLIMITED);
        assert_true(type_in_force(&t, &told));
        assert_int_equal(told.max_running, 50);
        assert_int_equal(told.rate_count, RECORD_UNLIMITED);
        OK(registry_published(r, RECORD_TYPE, "mail", t.record.v, &e));
        assert_int_equal(registry_is_in_force(r, RECORD_TYPE, "mail", &e), 0);
        assert_queues(r, "slots-type.mail.1 ", "rates-type.mail.1 ");
        assert_int_equal(fill(r, LIMIT_TYPE_SLOTS, "mail"), 2);
        assert_int_equal(registry_type(r, "mail", &t, &e), 1);
        OK(registry_published(r, RECORD_TYPE, "mail", t.record.v, &e));
        assert_int_equal(registry_is_in_force(r, RECORD_TYPE, "mail", &e), 1);
        assert_queues(r, "slots-type.mail.2 ", "slots-type.mail.1 rates-type.mail.1 ");
}

static void limited_types_are_bounded(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct type t;
        char name[16];
        for (int i = 0; i < LIMITED_TYPES_MAX; i++) {
                snprintf(name, sizeof(name), "t%d", i);
                (void)change_type(r, name, 1, RECORD_UNLIMITED);
        }
        assert_int_equal(registry_type(r, "more", &t, &e), 0);
        t.record.rate_count = 1;
        assert_int_equal(registry_change_type(r, &t, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        (void)change_type(r, "t7", RECORD_UNLIMITED, RECORD_UNLIMITED);
        OK(registry_change_type(r, &t, &e));
}

static void what_control_says_of_a_type_is_taken(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct type t;
        struct type_record seen = {.name = "a",
                                   .v = 6,
                                   .max_running = 5,
                                   .slots_version = 3,
                                   .rate_count = RECORD_UNLIMITED,
                                   .rate_version = 2};
        OK(registry_seen_type(r, &seen, &e));
        assert_int_equal(registry_type(r, "a", &t, &e), 1);
        assert_int_equal(t.record.max_running, 5);
        assert_int_equal(untold_types(r), 0);
        assert_queues(r, "slots-type.a.3 ", "slots-type.a.1 slots-type.a.2 rates-type.a.1 ");
        t = change_type(r, "a", 6, 10);
        assert_int_equal(t.record.v, 7);
        assert_int_equal(fill(r, LIMIT_TYPE_SLOTS, "a"), 4);
        assert_int_equal(fill(r, LIMIT_TYPE_RATE, "a"), 3);
        seen.v = 12;
        seen.slots_version = 6;
        assert_int_equal(registry_seen_type(r, &seen, &e), 1);
        assert_int_equal(registry_type(r, "a", &t, &e), 1);
        assert_int_equal(t.record.v, 13);
        assert_int_equal(t.record.max_running, 6);
        assert_int_equal(t.record.slots_version, 0);
        assert_int_equal(t.record.rate_version, 0); /* `control` has it as unlimited */
        assert_int_equal(fill(r, LIMIT_TYPE_SLOTS, "a"), 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_REGISTRY(each_change_of_a_limit_has_a_version),
                WITH_REGISTRY(the_limit_before_is_in_force_until_the_new_one_is),
                WITH_REGISTRY(no_limit_is_in_force_until_the_first_one_is),
                WITH_REGISTRY(a_version_that_was_not_filled_is_abandoned),
                WITH_REGISTRY(only_the_limit_and_its_state_decide_whether_tokens_are_used),
                WITH_REGISTRY(a_name_used_again_goes_on_with_its_versions),
                WITH_REGISTRY(an_older_registry_takes_no_version_again),
                WITH_REGISTRY(slots_stay_only_if_control_has_them_in_use),
                WITH_REGISTRY(a_type_gets_limits_and_loses_them),
                WITH_REGISTRY(each_limit_of_a_type_comes_into_force_by_itself),
                WITH_REGISTRY(limited_types_are_bounded),
                WITH_REGISTRY(what_control_says_of_a_type_is_taken),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
