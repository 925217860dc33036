/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_migrations_test.c: registry.db of each past version opens and still holds its rows; rows
 * of the audit stay as they are.
 */
#include "tests/unit/status_rig.h"

#include "status-store/registry/registry_keys.h"
#include "status-store/registry/registry_pauses.h"
#include "status-store/registry/registry_types.h"
#include "tests/unit/stored_db.h"

static char *new_registry_tables(void)
{
        struct err e = {0};
        struct place place;
        place_open(&place);
        struct registry *r = registry_create(place.path, &e);
        if (r == NULL)
                fail_msg("%s", e.text);
        registry_destroy(&r);
        char *tables = stored_db_schema(place.path);
        place_close(&place);
        return tables;
}

static void the_registry_of_each_version_holds_its_rows(void **state)
{
        static const struct {
                const char *name;
                bool has_types, has_pauses;
        } rows[] = {
                {.name = "registry-first"},
                {.name = "registry-with-former"},
                {.name = "registry-1"},
                {.name = "registry-2", .has_types = true},
                {.name = "registry-3", .has_types = true},
                {.name = "registry-4", .has_types = true, .has_pauses = true},
        };
        (void)state;
        AUTO_FREE char *tables = new_registry_tables();
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct err e = {0};
                struct place place;
                struct tenant t = {0};
                struct type mail = {0};
                struct pause_record pause = {0};
                const bool has_types = rows[i].has_types;
                place_open(&place);
                stored_db_make(place.path, rows[i].name);
                AUTO(registry) r = registry_create(place.path, &e);
                if (r == NULL)
                        fail_msg("%s: %s", rows[i].name, e.text);
                assert_int_equal(registry_tenant(r, "acme", &t, &e), 1);
                assert_int_equal(t.record.v, 7);
                assert_int_equal(t.record.weight, 3);
                assert_true(t.record.paused);
                assert_int_equal(t.record.slots_version, 0);
                assert_int_equal(registry_tenant(r, "going", &t, &e), 1);
                assert_true(t.record.deleted);
                assert_int_equal(registry_revoke_key(r, "acme", "k1abc", &e), 0);
                assert_int_equal(registry_type(r, "mail", &mail, &e), has_types);
                assert_int_equal(mail.record.max_running, has_types ? 5 : RECORD_UNLIMITED);
                assert_int_equal(mail.rate_in_force.version, has_types ? 1 : 0);
                assert_int_equal(registry_pause(r, "type:acme/mail", &pause, &e),
                                 rows[i].has_pauses);
                assert_int_equal(pause.paused, rows[i].has_pauses);
                registry_destroy(&r);
                AUTO_FREE char *former =
                        stored_db_lines(place.path, "SELECT name FROM former ORDER BY name");
                assert_string_equal(former, "going\ngone\n");
                AUTO_FREE char *version = stored_db_lines(place.path, "PRAGMA user_version");
                assert_string_equal(version, "5\n");
                AUTO_FREE char *schema = stored_db_schema(place.path);
                assert_string_equal(schema, tables);
                stored_db_exec(place.path, "PRAGMA user_version = 6");
                assert_null(registry_create(place.path, &e));
                assert_int_equal(e.code, ERR_CONFLICT);
                assert_non_null(strstr(e.text, "bring back a backup"));
                place_close(&place);
        }
}

/* True when the database refuses the statement. */
static bool is_refused(const char *path, const char *sql, const char *because)
{
        struct err e = {0};
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        bool refused = db_exec(db, sql, &e) != 0 && strstr(e.text, because) != NULL;
        db_close(&db);
        return refused;
}

static void the_audit_is_append_only(void **state)
{
        static const char acts[] =
                "INSERT INTO audit(act, at, by, what) VALUES(x'01', unixepoch() "
                "* 1000, 'key a', 'b'),"
                " (x'02', (unixepoch() - 401 * 86400) * 1000, 'key a', 'b');"
                "INSERT INTO audit_ends(act, at, status) SELECT act, at, 200 FROM audit";
        struct err e = {0};
        struct place place;
        (void)state;
        place_open(&place);
        AUTO(registry) r = registry_create(place.path, &e);
        assert_non_null(r);
        registry_destroy(&r);
        stored_db_exec(place.path, acts);
        assert_true(is_refused(place.path, "UPDATE audit SET by = 'me'", "append-only"));
        assert_true(is_refused(place.path, "UPDATE audit_ends SET status = 0", "append-only"));
        assert_true(is_refused(place.path, "DELETE FROM audit", "400 days"));
        assert_true(is_refused(place.path, "DELETE FROM audit_ends", "400 days"));
        stored_db_exec(place.path, "DELETE FROM audit WHERE act = x'02';"
                                   "DELETE FROM audit_ends WHERE act = x'02'");
        AUTO_FREE char *left = stored_db_lines(
                place.path, "SELECT hex(act) FROM audit UNION ALL SELECT hex(act) FROM audit_ends");
        assert_string_equal(left, "01\n01\n");
        place_close(&place);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_registry_of_each_version_holds_its_rows),
                cmocka_unit_test(the_audit_is_append_only),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
