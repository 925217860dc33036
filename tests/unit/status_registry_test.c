/* SPDX-License-Identifier: Apache-2.0
 *
 * status_registry_test.c: the life of tenants and keys in registry.db.
 */
#include "tests/unit/registry_rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/db.h"

static int count_revoked(void *owner, const struct key *k, struct err *e)
{
        (void)e;
        *(int *)owner += k->record.revoked;
        return 0;
}

static int untold(struct registry *r)
{
        struct err e = {0};
        int count = 0;
        assert_int_equal(registry_each_tenant(r, WHICH_UNPUBLISHED, count_tenant, &count, &e), 0);
        assert_int_equal(registry_each_key(r, WHICH_UNPUBLISHED, NULL, count_key, &count, &e), 0);
        return count;
}

static void a_tenant_lives(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme");
        struct tenant same = tenant_named("acme");
        struct tenant found;
        struct err e = {0};
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(t.record.v, 1);
        assert_int_equal(registry_add_tenant(r, &same, TENANTS_MAX, NAME_REUSED, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_int_equal(untold(r), 1);
        err_clear(&e);
        assert_int_equal(registry_published(r, RECORD_TENANT, "acme", 1, &e), 0);
        assert_int_equal(untold(r), 0);

        struct tenant stale = t;
        t.record.weight = 5;
        assert_int_equal(registry_change_tenant(r, &t, &e), 0);
        assert_int_equal(untold(r), 1);
        assert_int_equal(registry_published(r, RECORD_TENANT, "acme", 1, &e),
                         0); /* an older version */
        assert_int_equal(untold(r), 1);
        assert_int_equal(registry_change_tenant(r, &stale, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        assert_int_equal(registry_tenant(r, "acme", &found, &e), 1);
        assert_int_equal(found.record.weight, 5);
        assert_int_equal(found.record.v, 2);
        assert_int_equal(registry_tenant(r, "nobody", &found, &e), 0);
}

static void a_name_is_used_again_with_a_higher_version(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(registry_delete_tenant(r, "acme", 1000, &e), 0);
        assert_int_equal(registry_delete_tenant(r, "acme", 1000, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
        err_clear(&e);
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e),
                         -1); /* its queues still exist */
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        assert_int_equal(registry_drop_tenant(r, "acme", &e), 0);
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_NEW, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_non_null(strstr(e.text, "reuse"));
        err_clear(&e);
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(t.record.v, 3);
        /* a tenant that is not deleted stays */
        assert_int_equal(registry_drop_tenant(r, "acme", &e), 0);
        assert_int_equal(registry_tenant(r, "acme", &t, &e), 1);
}

static void tenants_are_bounded(void **state)
{
        static const char *const names[] = {"one", "two", "three", "four"};
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct tenant t;
        for (size_t i = 0; i < TENANTS_MAX; i++) {
                t = tenant_named(names[i]);
                assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        }
        t = tenant_named("four");
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_non_null(strstr(e.text, "tenants_max"));
        err_clear(&e);
        assert_int_equal(registry_delete_tenant(r, "two", 1000, &e), 0);
        /* its queues still exist */
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), -1);
        err_clear(&e);
        assert_int_equal(registry_drop_tenant(r, "two", &e), 0);
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
}

static void an_old_registry_goes_above_what_was_told(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme");
        struct tenant lost = tenant_named("lost");
        struct key key;
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &key, &e), 0);
        assert_int_equal(registry_published(r, RECORD_TENANT, "acme", 1, &e), 0);
        assert_int_equal(registry_published(r, RECORD_KEY, key.record.id, 1, &e), 0);
        assert_int_equal(seen_tenant(r, "acme", 1, &e), 0); /* the registry's own record */
        assert_int_equal(registry_seen_key(r, key.record.id, 1, &e), 0);
        assert_int_equal(untold(r), 0);
        assert_int_equal(seen_tenant(r, "acme", 7, &e), 1);
        assert_int_equal(registry_seen_key(r, key.record.id, 3, &e), 1);
        assert_int_equal(registry_seen_key(r, "unknown", 3, &e), 0);
        assert_int_equal(untold(r), 2);
        assert_int_equal(registry_tenant(r, "acme", &t, &e), 1);
        assert_int_equal(t.record.v, 8);
        assert_int_equal(seen_tenant(r, "lost", 5, &e), 0);
        assert_int_equal(seen_tenant(r, "lost", 4, &e), 0);
        assert_int_equal(registry_add_tenant(r, &lost, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(lost.record.v, 6);
}

static void keys_live_with_their_tenant(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme");
        struct key key;
        struct err e = {0};
        char text[KEY_TEXT_SIZE], id[KEY_ID_SIZE], secret[KEY_SECRET_SIZE];
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &key, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
        err_clear(&e);
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &key, &e), 0);
        assert_true(api_key_split(text, id, secret));
        assert_string_equal(id, key.record.id);
        assert_true(api_key_matches(&key.record, secret));
        assert_int_equal(registry_revoke_key(r, "other", id, &e), -1);
        err_clear(&e);
        assert_int_equal(registry_published(r, RECORD_TENANT, "acme", 1, &e), 0);
        assert_int_equal(registry_published(r, RECORD_KEY, id, 1, &e), 0);
        assert_int_equal(untold(r), 0);
        assert_int_equal(registry_delete_tenant(r, "acme", 1000, &e), 0);
        assert_int_equal(untold(r), 2); /* the key was revoked with it */
        assert_int_equal(registry_revoke_key(r, "acme", id, &e), -1);
        err_clear(&e);
        assert_int_equal(untold(r), 2);
}

static void keys_of_a_deleted_tenant_are_not_its_successors(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme");
        struct key kept, revoked, fresh;
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        int keys = 0;
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &kept, &e), 0);
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &revoked, &e), 0);
        assert_int_equal(registry_revoke_key(r, "acme", revoked.record.id, &e), 0);
        assert_int_equal(registry_published(r, RECORD_KEY, revoked.record.id, 2, &e), 0);
        assert_int_equal(registry_delete_tenant(r, "acme", 1000, &e), 0);
        assert_int_equal(untold(r), 2); /* the tenant, and the key that was not revoked before */
        assert_int_equal(registry_drop_tenant(r, "acme", &e), 0);
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(add_key(r, "acme", SCOPE_READ, 0, text, &fresh, &e), 0);
        assert_int_equal(registry_each_key(r, WHICH_LISTED, "acme", count_key, &keys, &e), 0);
        assert_int_equal(keys, 1);
        keys = 0; /* but the revoked key is published again */
        assert_int_equal(registry_republish(r, RECORD_KEY, revoked.record.id, 1, &e),
                         0); /* no such version */
        assert_int_equal(registry_republish(r, RECORD_KEY, revoked.record.id, 2, &e), 0);
        assert_int_equal(registry_each_key(r, WHICH_UNPUBLISHED, NULL, count_revoked, &keys, &e),
                         0);
        assert_int_equal(keys, 2);
}

static void revoke_with_tenant(struct registry *r, const char *name, msec now, bool told)
{
        struct tenant t = tenant_named(name);
        struct key key;
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(add_key(r, name, SCOPE_READ, 0, text, &key, &e), 0);
        assert_int_equal(registry_delete_tenant(r, name, now, &e), 0);
        if (told)
                assert_int_equal(registry_published(r, RECORD_KEY, key.record.id, 2, &e), 0);
        assert_int_equal(registry_drop_tenant(r, name, &e), 0);
}

static int check_expired(void *owner, const struct key *k, struct err *e)
{
        (void)e;
        assert_true(!k->record.revoked || k->record.expires >= k->created_at);
        ++*(int *)owner;
        return 0;
}

static int count_keys(struct registry *r)
{
        struct err e = {0};
        int keys = 0;
        assert_int_equal(registry_each_key(r, WHICH_ALL, NULL, check_expired, &keys, &e), 0);
        return keys;
}

static void keys_of_long_deleted_tenants_are_forgotten(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        const msec now = clock_wall() + MSEC_SECOND;
        const msec month = (msec)30 * MSEC_DAY;
        struct tenant alive = tenant_named("alive");
        struct key key;
        struct err e = {0};
        char text[KEY_TEXT_SIZE];
        assert_int_equal(registry_add_tenant(r, &alive, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(add_key(r, "alive", SCOPE_READ, now, text, &key, &e), 0);
        assert_int_equal(registry_published(r, RECORD_KEY, key.record.id, 1, &e), 0);
        revoke_with_tenant(r, "told", now, true);
        revoke_with_tenant(r, "untold", now, false);
        revoke_with_tenant(r, "undone", 0, false);
        revoke_with_tenant(r, "early", now + month - 1, true);
        assert_int_equal(count_keys(r), 5);
        revoke_with_tenant(r, "late", now + month, true);
        assert_int_equal(count_keys(r), 5); /* the published key of "told" was forgotten */
}

static void a_login_is_what_was_noted(void **state)
{
        static const struct {
                enum tenant_login noted;
                bool login, unsure;
        } table[] = {{LOGIN_THERE, true, false},
                     {LOGIN_UNSURE, false, true},
                     {LOGIN_NONE, false, false}};
        struct registry *r = ((struct fixture *)*state)->registry;
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        t.login_unsure = true;
        assert_int_equal(registry_add_tenant(r, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        for (size_t i = 0; i < COUNT(table); i++) {
                assert_int_equal(registry_note_login(r, "acme", table[i].noted, &e), 0);
                assert_int_equal(registry_tenant(r, "acme", &t, &e), 1);
                assert_int_equal(t.amqp_login, table[i].login);
                assert_int_equal(t.login_unsure, table[i].unsure);
                /* a change leaves it as it is */
                assert_int_equal(registry_change_tenant(r, &t, &e), 0);
                assert_int_equal(registry_tenant(r, "acme", &t, &e), 1);
                assert_int_equal(t.login_unsure, table[i].unsure);
        }
        assert_int_equal(registry_note_login(r, "acme", LOGIN_UNSURE, &e), 0);
        assert_int_equal(registry_delete_tenant(r, "acme", 1000, &e), 0);
        assert_int_equal(registry_note_login(r, "acme", LOGIN_THERE, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
        assert_int_equal(registry_note_login(r, "acme", LOGIN_NONE, &e), 0);
        assert_int_equal(registry_tenant(r, "acme", &t, &e), 1);
        assert_false(t.amqp_login || t.login_unsure);
}

static void the_first_admin_key_is_written_once(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        AUTO_FREE char *path = xasprintf("%s/admin.key", f->folder);
        struct stat info;
        assert_int_equal(registry_has_admin_key(f->registry, &e), 0);
        assert_int_equal(registry_bootstrap_admin_key(f->registry, path, &e), 0);
        assert_int_equal(registry_has_admin_key(f->registry, &e), 1);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
        assert_int_equal(info.st_size, KEY_TEXT_SIZE);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(registry_bootstrap_admin_key(f->registry, path, &e), 0);
        assert_int_not_equal(stat(path, &info), 0);
        assert_int_equal(registry_create_admin_key(f->registry, "/nowhere/admin.key", &e), -1);
        int keys = 0;
        err_clear(&e);
        assert_int_equal(registry_each_key(f->registry, WHICH_ALL, NULL, count_key, &keys, &e), 0);
        assert_int_equal(keys, 1); /* the failed write left none */
}

/* The child is killed when it writes the first byte to a file. */
static void bootstrap_in_child(const char *registry, const char *path)
{
        static const struct rlimit none = {0};
        struct err e = {0};
        struct registry *r = registry_create(registry, &e);
        if (r != NULL && setrlimit(RLIMIT_FSIZE, &none) == 0)
                (void)!registry_bootstrap_admin_key(r, path, &e);
        _exit(1);
}

static void a_first_admin_key_cut_short_is_made_again(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        AUTO_FREE char *path = xasprintf("%s/admin.key", f->folder);
        AUTO_FREE char *fresh = xasprintf("%s.new", path);
        struct stat info;
        int status = 0;
        registry_destroy(&f->registry);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
                bootstrap_in_child(f->path, path);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
        assert_int_equal(access(fresh, F_OK), 0);
        assert_int_equal(access(path, F_OK), -1);
        f->registry = registry_create(f->path, &e);
        assert_non_null(f->registry);
        assert_int_equal(registry_bootstrap_admin_key(f->registry, path, &e), 0);
        assert_int_equal(registry_has_admin_key(f->registry, &e), 1);
        assert_int_equal(access(fresh, F_OK), -1);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, KEY_TEXT_SIZE);
        assert_int_equal(unlink(path), 0);
}

static void a_backup_holds_everything(void **state)
{
        struct fixture *f = *state;
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        AUTO_FREE char *path = xasprintf("%s/copy.db", f->folder);
        assert_int_equal(registry_add_tenant(f->registry, &t, TENANTS_MAX, NAME_REUSED, &e), 0);
        assert_int_equal(db_backup(f->path, path, &e), 0);
        assert_int_equal(db_backup(f->path, path, &e), -1); /* never overwrites another file */
        err_clear(&e);
        AUTO(registry) copy = registry_create(path, &e);
        assert_non_null(copy);
        assert_int_equal(registry_tenant(copy, "acme", &t, &e), 1);
        registry_destroy(&copy);
        AUTO_FREE char *wal = xasprintf("%s-wal", path);
        AUTO_FREE char *shm = xasprintf("%s-shm", path);
        unlink(wal);
        unlink(shm);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_REGISTRY(a_tenant_lives),
                WITH_REGISTRY(a_name_is_used_again_with_a_higher_version),
                WITH_REGISTRY(tenants_are_bounded),
                WITH_REGISTRY(keys_live_with_their_tenant),
                WITH_REGISTRY(an_old_registry_goes_above_what_was_told),
                WITH_REGISTRY(keys_of_a_deleted_tenant_are_not_its_successors),
                WITH_REGISTRY(keys_of_long_deleted_tenants_are_forgotten),
                WITH_REGISTRY(a_login_is_what_was_noted),
                WITH_REGISTRY(the_first_admin_key_is_written_once),
                WITH_REGISTRY(a_first_admin_key_cut_short_is_made_again),
                WITH_REGISTRY(a_backup_holds_everything),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
