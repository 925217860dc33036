/* SPDX-License-Identifier: Apache-2.0
 *
 * status_order_test.c: a start or an end may be read before the submission, or without one. The
 * statistics are the same in each order.
 */
#include "tests/unit/order_rig.h"

enum { STEPS_MAX = 6 };

/* Everything that is counted, minute by minute. */
static char *statistics(struct rig *r)
{
        return rows_of(r, "SELECT 'total', submitted, completed, failed, retried, dead, '', '', ''"
                          " FROM counters UNION ALL"
                          " SELECT minute, submitted, completed, failed, retried, dead,"
                          " hex(latency), hex(wait), hex(duration) FROM minutes"
                          " UNION ALL SELECT 'jobs', shelf, name, n, '', '', '', '', '' FROM counts"
                          " LEFT JOIN names ON ref = type WHERE n <> 0 ORDER BY 1");
}

/* Folds the events in that order; bit i of `commits`: a commit follows event i. */
static char *fold_in_order(const struct plan *p, const char *order, unsigned commits)
{
        struct rig rig;
        rig_open(&rig);
        for (unsigned i = 0; order[i] != '\0'; i++) {
                tell(&rig, p, order[i]);
                if ((commits >> i & 1) == 0)
                        continue;
                rig_commit(&rig);
                check_counts(&rig);
        }
        rig_commit(&rig);
        check_counts(&rig);
        char *got = statistics(&rig);
        rig_close(&rig);
        return got;
}

static void assert_order(const struct plan *p, const char *order, const char *want)
{
        /* Short histories: each pattern of commits. The last commit is made anyway. */
        const unsigned all = (1U << (strlen(order) - 1)) - 1;
        const unsigned step = strlen(order) > 3 ? all / 3 : 1;
        for (unsigned commits = 0; commits <= all; commits += step) {
                AUTO_FREE char *got = fold_in_order(p, order, commits);
                if (strcmp(got, want) != 0)
                        fail_msg("%s, commits %x, told as %s:\n%s\nwant\n%s", p->events, commits,
                                 order, got, want);
        }
}

/* Calls assert_order for each permutation. */
static void assert_each_order(const struct plan *p, char order[STEPS_MAX + 1], size_t fixed,
                              const char *want)
{
        size_t count = strlen(order);
        if (fixed == count)
                assert_order(p, order, want);
        for (size_t i = fixed; i < count; i++) {
                char first = order[fixed];
                order[fixed] = order[i];
                order[i] = first;
                assert_each_order(p, order, fixed + 1, want);
                order[i] = order[fixed];
                order[fixed] = first;
        }
}

/* The submission at each place among the other events, whose order is theirs. */
static void assert_late(const struct plan *p, const char *want)
{
        for (size_t place = 1; place < strlen(p->events); place++) {
                char order[STEPS_MAX + 1] = "";
                memcpy(order, p->events + 1, place);
                order[place] = p->events[0];
                memcpy(order + place + 1, p->events + 1 + place, strlen(p->events) - 1 - place);
                assert_order(p, order, want);
        }
}

static void the_statistics_are_the_same_in_any_order(void **state)
{
        static const struct plan plans[] = {
                {.events = "sb"},
                {.events = "sbc"},
                {.events = "sbc", .delay = 50},
                {.events = "db"},
                {.events = "dbc"},
                {.events = "dsbc"},
                {.events = "sbc", .silent = true},
                {.events = "dbc", .silent = true},
                {.events = "sc"},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(plans); i++) {
                struct plan p = plans[i];
                char order[STEPS_MAX + 1] = "";
                p.at = clock_wall() - MSEC_HOUR;
                AUTO_FREE char *want = fold_in_order(&p, p.events, 0);
                assert_non_null(strstr(want, "total 1 "));
                snprintf(order, sizeof(order), "%s", p.events);
                assert_each_order(&p, order, 0, want);
        }
}

static void a_late_submission_does_not_change_the_statistics(void **state)
{
        static const struct plan plans[] = {
                {.events = "sbfEBC"},
                {.events = "sbfEBC", .silent = true},
                {.events = "sbfEBX"},
                {.events = "dbfEBC"},
                {.events = "sDbc", .delay = 7 * MSEC_MINUTE},
                {.events = "sDbc", .delay = 7 * MSEC_MINUTE, .silent = true},
                {.events = "dDbc", .delay = 7 * MSEC_MINUTE},
                {.events = "sDbfEB", .delay = 7 * MSEC_MINUTE},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(plans); i++) {
                struct plan p = plans[i];
                p.at = clock_wall() - MSEC_HOUR;
                AUTO_FREE char *want = fold_in_order(&p, p.events, 0);
                assert_non_null(strstr(want, "total 1 "));
                assert_late(&p, want);
        }
}

/* A submission in doubt that never runs counts nowhere; one that was never told counts, when its
 * start says that it was submitted. */
static void what_was_never_told_counts_by_its_start(void **state)
{
        struct plan p = {.at = clock_wall() - MSEC_HOUR};
        (void)state;
        AUTO_FREE char *doubted = fold_in_order(&p, "d", 0);
        assert_null(strstr(doubted, "total 1 "));
        AUTO_FREE char *told = fold_in_order(&p, "sbc", 0);
        AUTO_FREE char *untold = fold_in_order(&p, "bc", 0);
        assert_string_equal(untold, told);
        p.silent = true;
        AUTO_FREE char *silent = fold_in_order(&p, "bc", 0);
        assert_non_null(strstr(silent, "total 0 1 "));
}

/* Which state a type's jobs are counted in, after each event. */
static void a_type_is_counted_once_it_is_known(void **state)
{
        static const struct {
                const char *events;
                bool silent;
                const char *want;
        } rows[] = {
                {"b", true, "- 2 1 \n"},     {"b", false, "mail 2 1 \n"},
                {"bs", true, "mail 2 1 \n"}, {"c", false, "mail 4 1 \n"},
                {"cb", true, "- 4 1 \n"},    {"cbs", true, "mail 4 1 \n"},
                {"d", true, "mail 7 1 \n"},  {"db", true, "mail 2 1 \n"},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct plan p = {.at = clock_wall() - MSEC_HOUR, .silent = rows[i].silent};
                struct rig rig;
                rig_open(&rig);
                for (const char *at = rows[i].events; *at != '\0'; at++) {
                        tell(&rig, &p, *at);
                        rig_commit(&rig);
                        check_counts(&rig);
                }
                AUTO_FREE char *got = rows_of(&rig, "SELECT (SELECT name FROM names WHERE ref ="
                                                    " type), shelf / 8, n FROM counts"
                                                    " WHERE n > 0 AND tenant > 0");
                assert_string_equal(got, rows[i].want);
                rig_close(&rig);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_statistics_are_the_same_in_any_order),
                cmocka_unit_test(a_late_submission_does_not_change_the_statistics),
                cmocka_unit_test(what_was_never_told_counts_by_its_start),
                cmocka_unit_test(a_type_is_counted_once_it_is_known),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
