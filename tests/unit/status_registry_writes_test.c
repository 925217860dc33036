/* SPDX-License-Identifier: Apache-2.0
 *
 * status_registry_writes_test.c: what other reads and changes see while a change of registry.db is
 * under way.
 */
#include "tests/unit/registry_rig.h"

#include "status-store/registry/registry_rows.h"
#include "tests/unit/writer_rig.h"

enum { ADDERS = 8, KEYS_EACH = 10 };

/* A change that pauses in the middle of its transaction. */
struct slow {
        struct registry *registry;
        struct gate gate;
        int result;
};

static int pause_tenants(struct database *db, void *owner, struct err *e)
{
        struct slow *s = owner;
        if (database_run(db, "UPDATE tenants SET paused = 1", NULL, e) != 0)
                return -1;
        return gate_pass(&s->gate, e);
}

static void *change_slowly(void *owner)
{
        struct slow *s = owner;
        struct err e = {0};
        s->result = registry_write(s->registry, pause_tenants, s, &e);
        return NULL;
}

static void a_read_waits_for_no_change(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct slow slow = {.registry = r, .gate = GATE, .result = -1};
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        pthread_t thread;
        int keys = 0;
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(pthread_create(&thread, NULL, change_slowly, &slow), 0);
        assert_true(gate_wait(&slow.gate, &slow.gate.reached));
        assert_int_equal(registry_tenant(r, "acme", &t, &e), 1);
        assert_false(t.record.paused);
        assert_int_equal(registry_each_key(r, WHICH_ALL, NULL, count_key, &keys, &e), 0);
        assert_int_equal(registry_has_admin_key(r, &e), 0);
        /* A change that turns out to change nothing does not wait either. */
        assert_int_equal(seen_tenant(r, "acme", 1, &e), 0);
        assert_int_equal(registry_seen_key(r, "unknown", 1, &e), 0);
        gate_set(&slow.gate, &slow.gate.open);
        pthread_join(thread, NULL);
        assert_int_equal(slow.result, 0);
        assert_int_equal(registry_tenant(r, "acme", &t, &e), 1);
        assert_true(t.record.paused);
}

struct adder {
        struct registry *registry;
        pthread_t thread;
        int seen; /* number of keys that could be read right after they were added */
};

static int is_key(void *owner, const struct key *k, struct err *e)
{
        struct key *wanted = owner;
        (void)e;
        if (strcmp(wanted->record.id, k->record.id) == 0)
                wanted->record.v = 0;
        return 0;
}

static void *add_keys(void *owner)
{
        struct adder *a = owner;
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        for (int i = 0; i < KEYS_EACH; i++) {
                struct key key;
                if (add_key(a->registry, "acme", SCOPE_READ, 0, text, &key, &e) == 0 &&
                    registry_each_key(a->registry, WHICH_ALL, "acme", is_key, &key, &e) == 0)
                        a->seen += key.record.v == 0;
        }
        return NULL;
}

static void a_change_is_seen_once_it_has_returned(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct adder adders[ADDERS] = {0};
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        for (size_t i = 0; i < ADDERS; i++) {
                adders[i].registry = r;
                assert_int_equal(pthread_create(&adders[i].thread, NULL, add_keys, &adders[i]), 0);
        }
        for (size_t i = 0; i < ADDERS; i++) {
                pthread_join(adders[i].thread, NULL);
                assert_int_equal(adders[i].seen, KEYS_EACH);
        }
}

static int set_pages_max(struct database *db, void *owner, struct err *e)
{
        return db_exec(database_handle(db), owner, e);
}

static void a_full_disk_is_told(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        char few[] = "PRAGMA max_page_count = 12", many[] = "PRAGMA max_page_count = 100000";
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        struct key key;
        int added = 0, kept = 0;
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(registry_write(r, set_pages_max, few, &e), 0);
        while (added < 1000 && add_key(r, "acme", SCOPE_READ, 0, text, &key, &e) == 0)
                added++;
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        err_clear(&e);
        assert_int_equal(registry_each_key(r, WHICH_ALL, "acme", count_key, &kept, &e), 0);
        assert_int_equal(kept, added);
        assert_int_equal(registry_write(r, set_pages_max, many, &e), 0);
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &key, &e), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_REGISTRY(a_read_waits_for_no_change),
                WITH_REGISTRY(a_change_is_seen_once_it_has_returned),
                WITH_REGISTRY(a_full_disk_is_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
