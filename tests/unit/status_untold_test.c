/* SPDX-License-Identifier: Apache-2.0
 *
 * status_untold_test.c: a job whose submission has not been read, or is in doubt: what is answered,
 * listed and deleted.
 */
#include "tests/unit/order_rig.h"

#include "status-store/jobs/list.h"
#include "status-store/jobs/lookup.h"
#include "status-store/projection/retention.h"

/* What the store answers, as text that the caller frees. */
static char *answer(struct rig *r, int64_t attempt, msec as_of)
{
        struct err e = {0};
        struct stored_job job = {0};
        struct delivery_asked d = {
                .tenant = "acme", .id = ID, .run = 1, .attempt = attempt, .copy = 0};
        AUTO_BUFFER out = {0};
        rig_commit(r);
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        assert_int_equal(lookup_write_delivery(reader, &d, as_of, &out, &e), 0);
        if (lookup_job(reader, "acme", ID, &job, &e) == 1 && job.row.shown) {
                assert_int_equal(lookup_write_job(reader, &job, NULL, &out, &e), 0);
                assert_int_equal(lookup_write_attempts(reader, &job, &out, &e), 0);
        }
        stored_job_fini(&job);
        return buffer_take(&out);
}

/* The duplicate check, when the job's message is not known yet, or is in doubt. */
static void a_delivery_is_judged_without_the_submission(void **state)
{
        static const struct {
                const char *events;
                int64_t attempt;
                const char *want;
        } rows[] = {
                {"", 1, "unknown"},       {"d", 1, "open"},       {"b", 1, "running"},
                {"bR", 1, "open"},        {"bc", 1, "closed"},    {"c", 1, "closed"},
                {"k", 1, "closed"},       {"b", 2, "open"},       {"bf", 1, "retrying"},
                {"bfE", 1, "superseded"}, {"bfE", 2, "open"},     {"bfEB", 1, "superseded"},
                {"bfEB", 2, "running"},   {"B", 1, "superseded"}, {"bfEBX", 2, "buried"},
                {"bfEBC", 1, "closed"},   {"bfEBC", 2, "closed"},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                /* The submission is not known; known as in doubt; then read last. */
                for (int turn = 0; turn < 3; turn++) {
                        struct plan p = {.at = clock_wall() - MSEC_HOUR};
                        struct rig rig;
                        char want[48];
                        bool first = rows[i].events[0] == '\0' || rows[i].events[0] == 'd';
                        if (turn > 0 && first)
                                continue;
                        rig_open(&rig);
                        if (turn == 1)
                                tell(&rig, &p, 'd');
                        for (const char *at = rows[i].events; *at != '\0'; at++)
                                tell(&rig, &p, *at);
                        if (turn == 2)
                                tell(&rig, &p, 's');
                        AUTO_FREE char *got = answer(&rig, rows[i].attempt, p.at + 2 * MSEC_MINUTE);
                        snprintf(want, sizeof(want), "{\"state\":\"%s\"", rows[i].want);
                        if (strncmp(got, want, strlen(want)) != 0)
                                fail_msg("%s, attempt %d, turn %d: %s", rows[i].events,
                                         (int)rows[i].attempt, turn, got);
                        rig_close(&rig);
                }
        }
}

static void a_row_without_a_message_shows_what_its_start_said(void **state)
{
        static const struct {
                const char *events;
                bool silent;
                const char *want[8];
        } rows[] = {
                {"b",
                 false,
                 {"\"type\":\"mail\"", "\"priority\":\"high\"", "\"max_retries\":7",
                  "\"payload\":null", "\"status\":\"running\"", "\"duplicates\":0",
                  "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"",
                  "\"created_at\":\"2024-11-22T04:33:20.000Z\",\"run_at\":\"2024-11-22T04:33:20."
                  "090Z"}},
                {"bc",
                 false,
                 {"\"type\":\"mail\"", "\"priority\":\"high\"", "\"max_retries\":7",
                  "\"payload\":null", "\"status\":\"completed\"", "\"duration_ms\":5"}},
                {"c",
                 false,
                 {"\"type\":\"mail\"", "\"priority\":null", "\"max_retries\":null",
                  "\"payload\":null", "\"trace_id\":null", "\"run_at\":null"}},
                {"b",
                 true,
                 {"\"type\":null", "\"priority\":null", "\"max_retries\":null", "\"payload\":null",
                  "\"trace_id\":null", "\"run_at\":null"}},
                {"bs", false, {"\"payload\":{}", "\"priority\":\"high\"", "\"duplicates\":0"}},
                {"Dbs", false, {"\"payload\":{}", "\"duplicates\":0"}},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct plan p = {.at = 1732250000000, .delay = 90, .silent = rows[i].silent};
                struct rig rig;
                rig_open(&rig);
                for (const char *at = rows[i].events; *at != '\0'; at++)
                        tell(&rig, &p, *at);
                AUTO_FREE char *got = answer(&rig, 1, p.at);
                for (size_t n = 0; n < COUNT(rows[i].want) && rows[i].want[n] != NULL; n++)
                        if (strstr(got, rows[i].want[n]) == NULL)
                                fail_msg("%s: no %s in %s", rows[i].events, rows[i].want[n], got);
                rig_close(&rig);
        }
}

/* How many jobs a list with that filter has. */
static int listed(struct rig *r, const char *type, int priority)
{
        struct err e = {0};
        AUTO_BUFFER out = {0};
        struct list_query q = {
                .filter = {.tenant = "*"}, .after = cursor_start(false), .limit = 10};
        if (priority >= 0)
                q.filter.priorities = 1u << priority;
        if (type != NULL) {
                q.filter.type_count = 1;
                snprintf(q.filter.types[0], JOB_TYPE_SIZE, "%s", type);
        }
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        assert_int_equal(list_write(reader, &q, &out, &e), 0);
        int count = 0;
        for (const char *at = out.data; (at = strstr(at, "\"status\":")) != NULL; at++)
                count++;
        return count;
}

static void a_list_finds_it_by_what_its_start_said(void **state)
{
        static const struct {
                const char *events;
                bool silent;
                int any, mail, high, low;
        } rows[] = {
                {"d", false, 0, 0, 0, 0},   {"b", false, 1, 1, 1, 0}, {"c", false, 1, 1, 0, 0},
                {"b", true, 1, 0, 0, 0},    {"bs", true, 1, 1, 1, 0}, {"db", true, 1, 1, 1, 0},
                {"bcs", false, 1, 1, 1, 0},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct plan p = {.at = clock_wall() - MSEC_HOUR, .silent = rows[i].silent};
                struct rig rig;
                rig_open(&rig);
                for (const char *at = rows[i].events; *at != '\0'; at++)
                        tell(&rig, &p, *at);
                rig_commit(&rig);
                print_message("%s\n", rows[i].events);
                assert_int_equal(listed(&rig, NULL, -1), rows[i].any);
                assert_int_equal(listed(&rig, "mail", -1), rows[i].mail);
                assert_int_equal(listed(&rig, NULL, PRIORITY_HIGH), rows[i].high);
                assert_int_equal(listed(&rig, NULL, PRIORITY_LOW), rows[i].low);
                rig_close(&rig);
        }
}

static void note_change(void *owner, const char *tenant, const char *id)
{
        assert_string_equal(tenant, "acme");
        assert_string_equal(id, ID);
        (*(int *)owner)++;
}

/* A request that waits for the job hears of each of these. */
static void those_who_wait_hear_of_it(void **state)
{
        static const struct projection_events on = {.changed = note_change};
        struct plan p = {.at = clock_wall() - MSEC_HOUR};
        struct rig rig;
        int heard = 0;
        (void)state;
        rig_open(&rig);
        projection_on_commit(rig.projection, &on, &heard);
        for (const char *at = "dbcs"; *at != '\0'; at++) {
                tell(&rig, &p, *at);
                rig_commit(&rig);
        }
        assert_int_equal(heard, 4);
        rig_close(&rig);
}

/* A submission in doubt that never runs leaves with its payload, as old as a dead job may be. */
static void what_stays_in_doubt_leaves_by_age(void **state)
{
        static const struct retention_settings keep = {.keep_ended = MSEC_DAY,
                                                       .keep_dead = 3 * MSEC_DAY};
        static const struct {
                msec age;
                int left;
        } rows[] = {{2 * MSEC_DAY, 1}, {4 * MSEC_DAY, 0}};
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct err e = {0};
                struct plan p = {.at = clock_wall() - rows[i].age};
                struct rig rig;
                int more = 1;
                rig_open(&rig);
                tell(&rig, &p, 'd');
                rig_commit(&rig);
                assert_int_equal(rig_number(&rig, "SELECT state FROM jobs"), STATE_HIDDEN);
                AUTO(retention) retention = retention_create(rig.store, &keep);
                while (more == 1)
                        more = retention_step(retention, clock_wall(), &e);
                assert_int_equal(more, 0);
                assert_int_equal(rig_number(&rig, "SELECT count(*) FROM jobs"), rows[i].left);
                assert_int_equal(rig_number(&rig, "SELECT count(*) FROM bodies"), rows[i].left);
                check_counts(&rig);
                retention_destroy(&retention);
                rig_close(&rig);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_delivery_is_judged_without_the_submission),
                cmocka_unit_test(a_row_without_a_message_shows_what_its_start_said),
                cmocka_unit_test(a_list_finds_it_by_what_its_start_said),
                cmocka_unit_test(those_who_wait_hear_of_it),
                cmocka_unit_test(what_stays_in_doubt_leaves_by_age),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
