/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_pauses_test.c: pauses of types in registry.db: their versions, their bound, and what
 * `control` says of them.
 */
#include "tests/unit/registry_rig.h"

#include "status-store/registry/registry_pauses.h"

enum { PAUSES_MAX = 2 };

static struct pause_record pause_of(const char *key, bool paused)
{
        struct pause_record p = {.paused = paused};
        snprintf(p.key, sizeof(p.key), "%s", key);
        snprintf(p.by, sizeof(p.by), "key abcd0123");
        return p;
}

static int change(struct registry *r, const char *key, bool paused, struct pause_record *out)
{
        struct err e = {0};
        *out = pause_of(key, paused);
        return registry_change_pause(r, out, PAUSES_MAX, &e) == 0 ? 0 : (int)e.code;
}

static int add_version(void *owner, const struct pause_record *p, struct err *e)
{
        int64_t *sum = owner;
        (void)e;
        *sum += p->v;
        return 0;
}

static int64_t versions(struct registry *r, enum which which)
{
        struct err e = {0};
        int64_t sum = 0;
        assert_int_equal(registry_each_pause(r, which, add_version, &sum, &e), 0);
        return sum;
}

static void test_pause_and_resume(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct pause_record p;
        struct err e = {0};
        assert_int_equal(registry_pause(r, "type:a", &p, &e), 0);
        assert_string_equal(p.key, "type:a");
        assert_false(p.paused);
        assert_int_equal(change(r, "type:a", false, &p), 0); /* no row is made */
        assert_int_equal(p.v, 0);
        assert_int_equal(change(r, "type:a", true, &p), 0);
        assert_int_equal(p.v, 1);
        const msec since = p.paused_at;
        assert_true(since > 0);
        assert_int_equal(versions(r, WHICH_UNPUBLISHED), 1);
        assert_int_equal(registry_published(r, RECORD_PAUSE, "type:a", 1, &e), 0);
        assert_int_equal(registry_is_published(r, RECORD_PAUSE, "type:a", &e), 1);
        assert_int_equal(change(r, "type:a", true, &p), 0); /* as it is */
        assert_int_equal(p.v, 1);
        assert_int_equal(p.paused_at, since);
        assert_int_equal(versions(r, WHICH_UNPUBLISHED), 0);
        assert_int_equal(change(r, "type:a", false, &p), 0);
        assert_int_equal(registry_pause(r, "type:a", &p, &e), 1);
        assert_false(p.paused);
        assert_int_equal(p.v, 2);
        assert_int_equal(p.paused_at, since);
        assert_string_equal(p.by, "key abcd0123");
        assert_int_equal(versions(r, WHICH_UNPUBLISHED), 2);
}

static void test_one_that_is_over_counts(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct pause_record p;
        assert_int_equal(change(r, "type:a", true, &p), 0);
        assert_int_equal(change(r, "type:a", false, &p), 0);
        assert_int_equal(change(r, "type:acme/a", true, &p), 0);
        assert_int_equal(change(r, "type:b", true, &p), ERR_CONFLICT);
        assert_int_equal(change(r, "type:a", true, &p), 0);
        assert_int_equal(p.v, 3);
}

static int change_with(struct registry *r, int64_t max, const char *tenant, int n)
{
        struct pause_record p = pause_of("", true);
        struct err e = {0};
        snprintf(p.key, sizeof(p.key), "type:%s%st%d", tenant, tenant[0] != '\0' ? "/" : "", n);
        return registry_change_pause(r, &p, max, &e) == 0 ? 0 : (int)e.code;
}

/* One tenant has its share, and all tenants leave some for pauses of all. */
static void test_a_tenant_cannot_use_up_all(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        enum { MAX = PAUSES_TENANT_MAX + 20 };
        for (int i = 0; i < PAUSES_TENANT_MAX; i++)
                assert_int_equal(change_with(r, MAX, "acme", i), 0);
        assert_int_equal(change_with(r, MAX, "acme", PAUSES_TENANT_MAX), ERR_CONFLICT);
        int of_other = 0;
        while (of_other < MAX && change_with(r, MAX, "acme-two", of_other) == 0)
                of_other++;
        assert_int_equal(of_other, MAX - MAX / 10 - PAUSES_TENANT_MAX);
        for (int i = 0; i < MAX / 10; i++)
                assert_int_equal(change_with(r, MAX, "", i), 0);
        assert_int_equal(change_with(r, MAX, "", MAX), ERR_CONFLICT);
}

static void test_a_deleted_tenants_pauses_end(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme");
        struct pause_record p;
        struct err e = {0};
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_NEW, &e), 0);
        assert_int_equal(change(r, "type:acme/a", true, &p), 0);
        assert_int_equal(change(r, "type:acme-2/a", true, &p), 0);
        assert_int_equal(registry_delete_tenant(r, "acme", clock_wall(), &e), 0);
        assert_int_equal(registry_pause(r, "type:acme/a", &p, &e), 1);
        assert_false(p.paused);
        assert_int_equal(p.v, 2);
        assert_int_equal(registry_pause(r, "type:acme-2/a", &p, &e), 1);
        assert_true(p.paused);
}

static void test_what_control_says(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct pause_record p, seen = pause_of("type:later", true);
        struct err e = {0};
        seen.v = 7;
        assert_int_equal(registry_seen_pause(r, &seen, &e), 0); /* no row: becomes what it says */
        assert_int_equal(registry_pause(r, "type:later", &p, &e), 1);
        assert_true(p.paused);
        assert_int_equal(p.v, 7);
        assert_int_equal(versions(r, WHICH_UNPUBLISHED), 0);
        assert_int_equal(change(r, "type:a", true, &p), 0);
        seen = pause_of("type:a", false);
        seen.v = 1;
        assert_int_equal(registry_seen_pause(r, &seen, &e), 0); /* its own record */
        seen.v = 4;
        assert_int_equal(registry_seen_pause(r, &seen, &e), 1);
        assert_int_equal(registry_pause(r, "type:a", &p, &e), 1);
        assert_true(p.paused); /* the registry's word, in a version that is heard */
        assert_int_equal(p.v, 5);
        assert_int_equal(versions(r, WHICH_UNPUBLISHED), 5);
}

static void test_a_tenant_says_who_paused_it(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme"), read = {0};
        struct err e = {0};
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_NEW, &e), 0);
        t.record.paused = true;
        t.record.paused_at = 1234;
        snprintf(t.record.by, sizeof(t.record.by), "key abcd0123");
        assert_int_equal(registry_change_tenant(r, &t, &e), 0);
        assert_int_equal(registry_tenant(r, "acme", &read, &e), 1);
        assert_int_equal(read.record.paused_at, 1234);
        assert_string_equal(read.record.by, "key abcd0123");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, open_registry, close_registry)
        const struct CMUnitTest tests[] = {
                CASE(test_pause_and_resume),           CASE(test_one_that_is_over_counts),
                CASE(test_a_tenant_cannot_use_up_all), CASE(test_a_deleted_tenants_pauses_end),
                CASE(test_what_control_says),          CASE(test_a_tenant_says_who_paused_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
