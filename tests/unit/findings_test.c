/* SPDX-License-Identifier: Apache-2.0
 *
 * findings_test.c: what the checks found, the verdict, and what a tenant sees of it.
 */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_path.h"
#include "common/base/json_write.h"
#include "common/base/own.h"
#include "common/doctor/findings.h"
#include "common/doctor/work_checks.h"

static void every_check_has_a_name_of_its_own(void **state)
{
        (void)state;
        for (int i = 0; i < CHECK_UNKNOWN; i++)
                assert_int_equal(check_parse(bytes_of_text(check_kinds[i].name)), i);
        assert_int_equal(check_parse(bytes_of_text("node rabbit@a")), CHECK_NODE);
        assert_int_equal(check_parse(bytes_of_text("nodes")), CHECK_UNKNOWN);
        assert_int_equal(check_parse(bytes_of_text("of a later version")), CHECK_UNKNOWN);
}

static void the_verdict(void **state)
{
        static const struct {
                enum check check;
                enum finding_state state;
                enum verdict want; /* with all before it */
        } table[] = {
                {CHECK_STATUS_STORE, FINDING_OK, VERDICT_OK},
                {CHECK_WORKERS, FINDING_UNKNOWN, VERDICT_OK},
                {CHECK_LIMITS, FINDING_FIXED, VERDICT_OK},
                {CHECK_HANDLERS, FINDING_WRONG, VERDICT_DEGRADED},
                {CHECK_UNKNOWN, FINDING_WRONG, VERDICT_DEGRADED},
                {CHECK_WORKERS, FINDING_WRONG, VERDICT_DOWN},
                {CHECK_TOPOLOGY, FINDING_WRONG, VERDICT_DOWN},
        };
        AUTO(findings) f = findings_create();

        (void)state;
        assert_int_equal(findings_verdict(f), VERDICT_OK);
        for (size_t i = 0; i < COUNT(table); i++) {
                findings_add(f, table[i].check, table[i].state, "broken", "mend it");
                if (findings_verdict(f) != table[i].want)
                        fail_msg("after %s: %d", check_kinds[table[i].check].name,
                                 findings_verdict(f));
        }
}

/* A check keeps the time at which it came into its state. */
static void since_when(void **state)
{
        AUTO(findings) first = findings_create();
        AUTO(findings) second = findings_create();

        (void)state;
        findings_add(first, CHECK_BROKER, FINDING_OK, NULL, NULL);
        findings_add(first, CHECK_NODE, FINDING_WRONG, "not running", "start the node");
        findings_of_node(first, "a");
        findings_note_times(first, NULL, 1000);
        findings_add(second, CHECK_BROKER, FINDING_WRONG, "away", "start the broker");
        findings_add(second, CHECK_NODE, FINDING_WRONG, "memory alarm", "free some");
        findings_of_node(second, "a");
        findings_add(second, CHECK_NODE, FINDING_WRONG, "not running", "start the node");
        findings_of_node(second, "b");
        findings_note_times(second, first, 2000);
        const msec want[] = {2000, 1000, 2000};
        for (size_t i = 0; i < COUNT(want); i++) {
                assert_int_equal(findings_at(second, i)->since, want[i]);
                assert_int_equal(findings_at(second, i)->looked_at, 2000);
        }
}

static void layers(void **state)
{
        AUTO(findings) f = findings_create();
        AUTO(findings) other = findings_create();

        (void)state;
        findings_add(f, CHECK_GATEWAY, FINDING_OK, NULL, NULL);
        findings_add(f, CHECK_LIMITS, FINDING_WRONG, "lost", "fix it");
        findings_add(f, CHECK_HANDLERS, FINDING_OK, NULL, NULL);
        findings_copy(other, f, LAYER_BROKER | LAYER_WORK);
        assert_int_equal(findings_count(other), 2);
        findings_drop(f, LAYER_BROKER);
        assert_int_equal(findings_count(f), 2);
        assert_int_equal(findings_in(f, FINDING_WRONG), 0);
        assert_string_equal(findings_at(other, 0)->remedy, "fix it");
}

static struct findings *some(void)
{
        struct findings *f = findings_create();

        findings_add(f, CHECK_HANDLERS, FINDING_WRONG, "a type of globex", "start a consumer");
        findings_add(f, CHECK_LIMITS, FINDING_WRONG, "tenant acme: lost", "run: slots acme");
        findings_about(f, "acme");
        findings_add(f, CHECK_LETTERS, FINDING_WRONG, "tenant globex: 3 letters", "replay them");
        findings_about(f, "globex");
        findings_add(f, CHECK_BROKER, FINDING_WRONG, "away", "start the broker");
        findings_note_times(f, NULL, 1700000000000);
        return f;
}

static void read_back(void **state)
{
        AUTO(findings) f = some();
        AUTO(findings) back = findings_create();
        AUTO_BUFFER json = {0};
        struct scan_fault fault;
        struct err e = {0};

        (void)state;
        json_begin(&json);
        findings_write_checks(f, &json);
        json_end(&json);
        assert_int_equal(scan_check(buffer_bytes(&json), SCAN_DEPTH_WRAPPED, &fault), 0);
        assert_int_equal(findings_read(back, scan_root(buffer_bytes(&json)), &e), 0);
        assert_int_equal(findings_count(back), findings_count(f));
        for (size_t i = 0; i < findings_count(f); i++) {
                const struct finding *a = findings_at(f, i), *b = findings_at(back, i);
                assert_int_equal(a->check, b->check);
                assert_int_equal(a->state, b->state);
                assert_string_equal(a->name, b->name);
                assert_string_equal(a->problem, b->problem);
                assert_string_equal(a->remedy, b->remedy);
                assert_string_equal(a->tenant, b->tenant);
                assert_int_equal(a->since, b->since);
        }
        assert_int_equal(findings_read(back, scan_root(bytes_of_text("{}")), &e), -1);
}

static void a_tenant_sees_what_is_about_itself(void **state)
{
        AUTO(findings) f = some();
        AUTO_BUFFER all = {0}, seen = {0};

        (void)state;
        findings_write(f, NULL, &all);
        assert_non_null(strstr(all.data, "globex"));
        /* What takes the whole down comes first. */
        assert_true(strstr(all.data, "\"away\"") < strstr(all.data, "a type of globex"));
        findings_write(f, "acme", &seen);
        assert_null(strstr(seen.data, "globex"));
        assert_null(strstr(seen.data, "\"letters\""));
        assert_non_null(strstr(seen.data, "\"verdict\":\"down\""));
        assert_non_null(strstr(seen.data, "tenant acme: lost"));
        assert_non_null(strstr(seen.data, "run: slots acme"));
        assert_non_null(strstr(seen.data, "ask the operator"));
}

/* The verdict a tenant is given has its reasons: the trouble of another tenant is not told. */
static void a_verdict_has_its_reasons(void **state)
{
        AUTO(findings) f = findings_create();
        AUTO_BUFFER all = {0}, seen = {0};

        (void)state;
        findings_add(f, CHECK_GATEWAY, FINDING_OK, NULL, NULL);
        findings_add(f, CHECK_LETTERS, FINDING_WRONG, "tenant globex: 3 letters", "replay them");
        findings_about(f, "globex");
        findings_write(f, NULL, &all);
        assert_non_null(strstr(all.data, "\"verdict\":\"degraded\",\"reasons\":[{"));
        findings_write(f, "acme", &seen);
        assert_non_null(strstr(seen.data, "\"verdict\":\"ok\",\"reasons\":[]"));
}

static void whether_jobs_are_run(void **state)
{
        static const struct {
                const char *what;
                struct work_facts facts;
                enum verdict want;
                unsigned unknown;
        } table[] = {
                {"all is well", {.as_of = 1, .lag = 100, .live = 1}, VERDICT_OK, 0},
                {"behind", {.as_of = 1, .lag = 5001}, VERDICT_DEGRADED, 3},
                {"no worker", {.as_of = 1, .lag = 5000}, VERDICT_DOWN, 0},
                {"a type without a worker",
                 {.as_of = 1, .unhandled = "a, b", .live = 1},
                 VERDICT_DEGRADED,
                 0},
                {"one is lost",
                 {.as_of = 1, .live = 1, .lost = 1, .lost_names = "x"},
                 VERDICT_DEGRADED,
                 0},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO(findings) f = findings_create();
                work_checks(&table[i].facts, f);
                if (findings_verdict(f) != table[i].want ||
                    findings_in(f, FINDING_UNKNOWN) != table[i].unknown)
                        fail_msg("%s: %d", table[i].what, findings_verdict(f));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_check_has_a_name_of_its_own),
                cmocka_unit_test(the_verdict),
                cmocka_unit_test(since_when),
                cmocka_unit_test(layers),
                cmocka_unit_test(read_back),
                cmocka_unit_test(a_tenant_sees_what_is_about_itself),
                cmocka_unit_test(a_verdict_has_its_reasons),
                cmocka_unit_test(whether_jobs_are_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
