/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_checks_test.c: what is said of pauses: which there are, which are old, which hold many
 * jobs, and which are over with jobs left.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/doctor/queue_checks.h"

#define NOW ((msec)1700000000 * MSEC_SECOND)
#define WEEK ((msec)7 * MSEC_DAY)

msec __wrap_clock_wall(void);
msec __wrap_clock_wall(void)
{
        return NOW;
}

/* The broker has no consumers. */
int __wrap_broker_api_ask(const struct doctor_broker *b, const char *path, struct http_reply *reply,
                          struct scan_value *answer, struct err *e);
int __wrap_broker_api_ask(const struct doctor_broker *b, const char *path, struct http_reply *reply,
                          struct scan_value *answer, struct err *e)
{
        (void)b;
        (void)path;
        (void)reply;
        (void)e;
        *answer = scan_root(bytes_of_text("[]"));
        return 0;
}

struct seen_pause {
        const char *type, *tenant; /* "": of all */
        msec age;                  /* -1: not known */
        int64_t jobs;
};

/* The queues that the monitor and the status-store read have no consumer: they are not there. */
static struct findings *look_at(const struct seen_pause *pauses, size_t count, bool paused)
{
        static const struct doctor_broker broker = {.vhost = "warren"};
        struct findings *found = findings_create();
        AUTO(queue_checks) checks = queue_checks_create();
        AUTO_FACTS facts = {0};
        AUTO_QUEUES queues = {0};
        struct err e = {0};

        for (size_t i = 0; i < count && pauses[i].type != NULL; i++) {
                const struct seen_pause *p = &pauses[i];
                struct doctor_pause pause = {.paused = paused,
                                             .since = p->age >= 0 ? NOW - p->age : 0};
                struct listed_queue *queue = xcalloc(1, sizeof(*queue));
                char name[PARKED_QUEUE_SIZE];
                pause_key(p->tenant, p->type, pause.key);
                assert_true(parked_of_key(pause.key, name));
                queue->name = xasprintf("%s", name);
                queue->messages = p->jobs;
                HASH_ADD_KEYPTR(hh, queues.queues, queue->name, strlen(queue->name), queue);
                doctor_facts_add_pause(&facts, &pause);
        }
        const struct doctor_look look = {.facts = &facts, .queues = &queues};
        assert_int_equal(queue_checks_look(checks, &broker, &look, &e), 0);
        queue_checks_report(checks, false, found);
        return found;
}

static const struct finding *finding_of(const struct findings *f, enum check check)
{
        for (size_t i = 0; i < findings_count(f); i++)
                if (findings_at(f, i)->check == check)
                        return findings_at(f, i);
        return NULL;
}

static void what_is_said_of_pauses(void **state)
{
        static const struct {
                struct seen_pause pauses[3];
                enum finding_state want;
                const char *want_text;
                bool want_remedy;
        } cases[] = {
                {{{"export", "", 1000, 0}}, FINDING_OK, "paused: export", false},
                {{{"export", "", 1000, 5}, {"export", "acme", 1000, 999999}},
                 FINDING_OK,
                 "paused: export, export of acme",
                 false},
                {{{"export", "acme", WEEK, 5}}, FINDING_OK, "paused: export of acme", false},
                {{{"export", "acme", WEEK + 1, 5}},
                 FINDING_OK,
                 "paused: export of acme; for more than 7 days: parked-tenant.acme.export holds 5"
                 " jobs",
                 true},
                {{{"export", "", WEEK + 1, 0}}, FINDING_OK, "paused: export", false}, /* no jobs */
                {{{"export", "", -1, 5}}, FINDING_OK, "paused: export", false},
                {{{"a", "", WEEK + 1, 7}, {"export", "acme", 1000, 1000000}, {"b", "", 1000, 9}},
                 FINDING_WRONG,
                 "the pause of export of acme holds 1000000 jobs, which do not count in"
                 " max_pending",
                 true},
                {{{"a", "", 1000, 1000000}, {"b", "", 1000, 1000001}},
                 FINDING_WRONG,
                 "the pause of b holds 1000001 jobs, which do not count in max_pending",
                 true},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO(findings) f = look_at(cases[i].pauses, COUNT(cases[i].pauses), true);
                const struct finding *got = finding_of(f, CHECK_PAUSES);
                assert_non_null(got);
                assert_int_equal(got->state, cases[i].want);
                assert_string_equal(got->problem, cases[i].want_text);
                assert_int_equal(got->remedy != NULL, cases[i].want_remedy);
                assert_int_equal(finding_of(f, CHECK_PARKED)->state, FINDING_OK);
        }
}

static void what_is_left_of_a_pause_that_is_over(void **state)
{
        static const struct seen_pause pauses[] = {{"export", "", WEEK + 1, 2000000},
                                                   {"mail", "", 1000, 0}};

        (void)state;
        AUTO(findings) f = look_at(pauses, COUNT(pauses), false);
        const struct finding *parked = finding_of(f, CHECK_PARKED);
        assert_int_equal(parked->state, FINDING_WRONG);
        assert_string_equal(parked->problem,
                            "jobs are parked and their pause is over: parked.export");
        assert_int_equal(finding_of(f, CHECK_PAUSES)->state, FINDING_OK);
}

static void without_pauses_nothing_is_said(void **state)
{
        (void)state;
        AUTO(findings) f = look_at(NULL, 0, true);
        assert_null(finding_of(f, CHECK_PAUSES));
        assert_null(finding_of(f, CHECK_PARKED));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_said_of_pauses),
                cmocka_unit_test(what_is_left_of_a_pause_that_is_over),
                cmocka_unit_test(without_pauses_nothing_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
