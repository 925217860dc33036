/* SPDX-License-Identifier: Apache-2.0
 *
 * status_keys_test.c: names, rotation, revocation and last uses of keys in registry.db.
 */
#include "tests/unit/registry_rig.h"

#include "status-store/key_uses.h"

static const unsigned all_scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE | SCOPE_ADMIN;

static int open_with_tenant(void **state)
{
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        if (open_registry(state) != 0)
                return -1;
        const struct fixture *f = *state;
        return registry_add_tenant(f->registry, &t, TENANTS_MAX, NAME_NEW, &e);
}

struct search {
        const char *id;
        struct key found;
};

static int is_wanted(void *owner, const struct key *k, struct err *e)
{
        struct search *s = owner;
        (void)e;
        if (strcmp(k->record.id, s->id) == 0)
                s->found = *k;
        return 0;
}

static struct key key_of(struct registry *r, const char *id)
{
        struct search s = {.id = id};
        struct err e = {0};
        assert_int_equal(registry_each_key(r, WHICH_ALL, NULL, is_wanted, &s, &e), 0);
        assert_string_equal(s.found.record.id, id);
        return s.found;
}

static void a_key_has_a_name(void **state)
{
        const struct fixture *f = *state;
        struct key k = {.name = "of the shop", .record = {.tenant = "acme", .scopes = SCOPE_READ}};
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(registry_add_key(f->registry, &k, text, &e), 0);
        assert_string_equal(key_of(f->registry, k.record.id).name, "of the shop");
        assert_string_equal(key_of(f->registry, k.record.id).rotated_from, "");
}

static void a_rotated_key_lives_on_for_the_overlap(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct key k = {.name = "shop", .record = {.tenant = "acme", .scopes = SCOPE_READ}};
        struct key next = {0}, third = {0};
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(registry_add_key(r, &k, text, &e), 0);
        assert_int_equal(registry_published(r, RECORD_KEY, k.record.id, 1, &e), 0);
        const msec before = clock_wall();
        assert_int_equal(registry_rotate_key(r, k.record.id, MSEC_HOUR, &next, text, &e), 0);

        struct key old = key_of(r, k.record.id);
        assert_int_equal(old.record.v, 2);
        assert_true(old.record.expires >= before + MSEC_HOUR);
        assert_true(old.record.expires <= clock_wall() + MSEC_HOUR);
        next = key_of(r, next.record.id);
        assert_string_equal(next.name, "shop");
        assert_string_equal(next.record.tenant, "acme");
        assert_int_equal(next.record.scopes, SCOPE_READ);
        assert_int_equal(next.record.expires, 0);
        assert_string_equal(next.family, k.record.id);
        assert_string_equal(next.rotated_from, k.record.id);

        /* two are active: neither can be rotated */
        assert_int_equal(registry_rotate_key(r, next.record.id, 0, &third, text, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        assert_int_equal(registry_rotate_key(r, k.record.id, 0, &third, text, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        assert_int_equal(registry_revoke_key(r, "acme", k.record.id, &e), 0);
        assert_int_equal(registry_rotate_key(r, next.record.id, 0, &third, text, &e), 0);
        assert_string_equal(key_of(r, third.record.id).family, k.record.id);
        assert_string_equal(key_of(r, third.record.id).rotated_from, next.record.id);
        /* without an overlap it has ended */
        assert_int_equal(registry_rotate_key(r, next.record.id, 0, &next, text, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void a_rotation_does_not_prolong(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        const msec soon = clock_wall() + MSEC_MINUTE;
        struct key k = {.record = {.tenant = "acme", .scopes = SCOPE_READ, .expires = soon}};
        struct key next = {.record.expires = soon + MSEC_DAY};
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(registry_add_key(r, &k, text, &e), 0);
        assert_int_equal(registry_rotate_key(r, k.record.id, MSEC_HOUR, &next, text, &e), 0);
        assert_int_equal(key_of(r, k.record.id).record.expires, soon);
        assert_int_equal(key_of(r, next.record.id).record.expires, soon + MSEC_DAY);
        assert_int_equal(registry_rotate_key(r, "unknown1", 0, &next, text, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void the_last_admin_key_stays(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct key first, second = {0}, over;
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(add_key(r, "", all_scopes, 0, text, &first, &e), 0);
        assert_int_equal(add_key(r, "", all_scopes, 1000, text, &over, &e), 0);
        assert_int_equal(registry_revoke_key(r, NULL, first.record.id, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        assert_int_equal(registry_revoke_key(r, NULL, over.record.id, &e), 0);
        assert_int_equal(registry_rotate_key(r, first.record.id, MSEC_HOUR, &second, text, &e), 0);
        assert_int_equal(second.record.scopes, all_scopes);
        assert_string_equal(second.record.tenant, "");
        /* the first one ends in an hour */
        assert_int_equal(registry_revoke_key(r, NULL, second.record.id, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        assert_int_equal(registry_revoke_key(r, NULL, first.record.id, &e), 0);
        assert_int_equal(registry_revoke_key(r, NULL, first.record.id, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
        err_clear(&e);
        assert_int_equal(registry_revoke_key(r, NULL, second.record.id, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
}

static void an_expired_admin_key_does_not_count(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct key k;
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(add_key(r, "", all_scopes, 1000, text, &k, &e), 0);
        assert_int_equal(registry_has_admin_key(r, &e), 0);
}

static void states_are_told(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct key active, over, revoked;
        struct key_use uses[4] = {{.id = "unknown1"}};
        enum key_state states[4];
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &active, &e), 0);
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 1000, text, &over, &e), 0);
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &revoked, &e), 0);
        assert_int_equal(registry_revoke_key(r, "acme", revoked.record.id, &e), 0);
        memcpy(uses[1].id, active.record.id, KEY_ID_SIZE);
        memcpy(uses[2].id, over.record.id, KEY_ID_SIZE);
        memcpy(uses[3].id, revoked.record.id, KEY_ID_SIZE);
        assert_int_equal(registry_key_states(r, uses, 4, states, &e), 0);
        assert_int_equal(states[0], KEY_UNKNOWN);
        assert_int_equal(states[1], KEY_ACTIVE);
        assert_int_equal(states[2], KEY_EXPIRED);
        assert_int_equal(states[3], KEY_REVOKED);
}

static void the_last_use_is_written_at_the_end(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct key k;
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &k, &e), 0);
        struct key_uses *u = key_uses_create(r, &e);
        assert_non_null(u);
        struct key_use late = {.at = 2000, .from = "10.0.0.7"};
        struct key_use early = {.at = 1000, .from = "10.0.0.8"};
        memcpy(late.id, k.record.id, KEY_ID_SIZE);
        memcpy(early.id, k.record.id, KEY_ID_SIZE);
        key_uses_note(u, &late);
        key_uses_note(u, &early);
        struct key seen = key_of(r, k.record.id);
        assert_int_equal(seen.used.at, 0);
        key_uses_fill(u, &seen);
        assert_int_equal(seen.used.at, 2000);
        key_uses_destroy(&u);
        seen = key_of(r, k.record.id);
        assert_int_equal(seen.used.at, 2000);
        assert_string_equal(seen.used.from, "10.0.0.7");
        assert_int_equal(seen.record.v, 1);
        /* an earlier one, of a gateway that tells it late, changes nothing */
        assert_int_equal(registry_use_keys(r, &early, 1, &e), 0);
        assert_int_equal(key_of(r, k.record.id).used.at, 2000);
}

static void changed_keys_are_told_for_a_while(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct key_use *recent = xcalloc(KEYS_CHANGED_MAX, sizeof(*recent));
        struct key_uses *u = key_uses_create(r, &e);
        assert_non_null(u);
        assert_int_equal(key_uses_recent(u, recent), 0);
        key_uses_changed(u, "k1x2y3z4");
        key_uses_changed(u, "abcdefgh");
        assert_int_equal(key_uses_recent(u, recent), 2);
        assert_string_equal(recent[0].id, "abcdefgh");
        assert_string_equal(recent[1].id, "k1x2y3z4");
        for (size_t i = 0; i < KEYS_CHANGED_MAX; i++)
                key_uses_changed(u, "another1");
        assert_int_equal(key_uses_recent(u, recent), KEYS_CHANGED_MAX);
        assert_string_equal(recent[KEYS_CHANGED_MAX - 1].id, "another1");
        key_uses_destroy(&u);
        free(recent);
}

#define WITH_TENANT(test) cmocka_unit_test_setup_teardown(test, open_with_tenant, close_registry)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_TENANT(a_key_has_a_name),
                WITH_TENANT(a_rotated_key_lives_on_for_the_overlap),
                WITH_TENANT(a_rotation_does_not_prolong),
                WITH_REGISTRY(the_last_admin_key_stays),
                WITH_REGISTRY(an_expired_admin_key_does_not_count),
                WITH_TENANT(states_are_told),
                WITH_TENANT(the_last_use_is_written_at_the_end),
                WITH_REGISTRY(changed_keys_are_told_for_a_while),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
