/* SPDX-License-Identifier: Apache-2.0
 *
 * status_order_test.c: a start or an end may be read before the submission, or without one. The
 * statistics, the list, the retention and the duplicate check are right in each order.
 */
#include "tests/unit/status_rig.h"

#include "status-store/list.h"
#include "status-store/lookup.h"
#include "status-store/retention.h"

#define ID "0190e5a2-7b1a-7000-8000-000000000001"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

enum { STEPS_MAX = 6 };

/* What a history is about: one job, submitted `at`, run by consumers that say what they start. */
struct plan {
        msec at;
        msec delay;  /* 0: at once */
        bool silent; /* the consumers are of an earlier version, which says nothing of jobs */
        const char *events; /* see tell() */
};

static struct job job_of(const struct plan *p)
{
        struct job j = rig_job(ID, p->at);
        snprintf(j.type, sizeof(j.type), "mail");
        snprintf(j.traceparent, sizeof(j.traceparent), TRACE);
        j.priority = PRIORITY_HIGH;
        j.lane = LANE_HIGH;
        j.max_retries = 7;
        j.run_at = p->delay > 0 ? p->at + p->delay : 0;
        return j;
}

static void fold_line(struct rig *r, const struct event *e)
{
        AUTO_BUFFER line = {0};
        event_write(e, &line);
        struct message m = {.exchange = bytes_of_text("events"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .user_id = bytes_of_text("warren-consumer"),
                            .body = buffer_bytes(&line)};
        projection_fold(r->projection, &m, r->offset++);
}

static void tell_course(struct rig *r, const struct plan *p, enum event_kind kind, int64_t attempt,
                        msec at)
{
        const struct job j = job_of(p);
        struct event e = {.kind = kind,
                          .run = 1,
                          .attempt = attempt,
                          .at = at,
                          .after = at - 1,
                          .ms = 5,
                          .content = event_content(&j),
                          .worker = bytes_of_text("host/1")};
        memcpy(e.id, j.id, sizeof(e.id));
        memcpy(e.tenant, j.tenant, sizeof(e.tenant));
        e.hint.priority = e.hint.max_retries = -1;
        if (!p->silent && (kind == EVENT_STARTED || kind == EVENT_COMPLETED))
                memcpy(e.hint.type, j.type, sizeof(e.hint.type));
        if (kind == EVENT_STARTED) {
                e.hint.priority = j.priority;
                e.hint.max_retries = j.max_retries;
                e.hint.submitted_at = j.submitted_at;
                e.hint.run_at = attempt == 1 ? j.run_at : at - 1;
                memcpy(e.hint.traceparent, j.traceparent, sizeof(e.hint.traceparent));
        }
        fold_line(r, &e);
}

static void encode(struct rig *r, struct job *j, enum job_station station, msec at)
{
        struct job_message m;
        job_encode(j, station, at, &m);
        rig_fold(r, &m);
}

static void come_due(struct rig *r, struct job *j, msec queued_at, msec due_at)
{
        struct job_message m;
        job_encode(j, STATION_LANE_MOVE, queued_at, &m);
        message_add_int(&m.message, "x-due-at", due_at);
        rig_fold(r, &m);
}

/* Folds one event, minutes after the one before: s submitted, d in doubt, D due, b started, c
 * completed, f failed, E due again, B started again, C completed then, X buried then, R released,
 * k cancelled. */
static void tell(struct rig *r, const struct plan *p, char letter)
{
        struct job j = job_of(p);
        msec due = p->at + p->delay;
        switch (letter) {
        case 's':
        case 'd':
                j.doubt = letter == 'd';
                encode(r, &j, STATION_SUBMISSION, p->at);
                break;
        case 'D':
                come_due(r, &j, p->at, due);
                break;
        case 'b':
                tell_course(r, p, EVENT_STARTED, 1, due + MSEC_MINUTE);
                break;
        case 'c':
                tell_course(r, p, EVENT_COMPLETED, 1, due + 2 * MSEC_MINUTE);
                break;
        case 'R':
                tell_course(r, p, EVENT_RELEASED, 1, due + 2 * MSEC_MINUTE);
                break;
        case 'k':
                tell_course(r, p, EVENT_CANCELLED, 1, due + 2 * MSEC_MINUTE);
                break;
        case 'f':
                j.attempt = 1;
                j.run_at = due + 3 * MSEC_MINUTE;
                encode(r, &j, STATION_RETRY, due + 2 * MSEC_MINUTE);
                break;
        case 'E':
                j.attempt = 1;
                j.run_at = due + 3 * MSEC_MINUTE;
                come_due(r, &j, due + 2 * MSEC_MINUTE, j.run_at);
                break;
        case 'B':
                tell_course(r, p, EVENT_STARTED, 2, due + 4 * MSEC_MINUTE);
                break;
        case 'C':
                tell_course(r, p, EVENT_COMPLETED, 2, due + 5 * MSEC_MINUTE);
                break;
        case 'X':
                j.attempt = 2;
                j.reason = REASON_EXHAUSTED;
                uuid7(j.burial);
                encode(r, &j, STATION_BURIAL, due + 5 * MSEC_MINUTE);
                break;
        default:
                fail();
        }
}

/* The rows of a query, as text. The caller frees it. */
static char *rows_of(struct rig *r, const char *sql)
{
        struct err e = {0};
        AUTO_BUFFER out = {0};
        AUTO_STATEMENT *s = db_prepare(database_handle(store_database(r->store)), sql, &e);
        if (s == NULL)
                fail_msg("%s", e.text);
        while (db_step(s, &e) == 1) {
                for (int i = 0; i < sqlite3_column_count(s); i++) {
                        const unsigned char *text = sqlite3_column_text(s, i);
                        buffer_printf(&out, "%s ", text == NULL ? "-" : (const char *)text);
                }
                buffer_add_char(&out, '\n');
        }
        return buffer_take(&out);
}

/* `counts` must equal what the rows say. */
static void check_counts(struct rig *r)
{
        AUTO_FREE char *wrong = rows_of(
                r, "SELECT * FROM (SELECT tenant, ifnull(type, 0) AS type, state, count(*) AS n"
                   " FROM jobs GROUP BY 1, 2, 3) rows FULL JOIN (SELECT * FROM counts WHERE n <> 0)"
                   " c USING(tenant, type, state) WHERE rows.n IS NOT c.n");
        assert_string_equal(wrong, "");
}

/* Everything that is counted, minute by minute. */
static char *statistics(struct rig *r)
{
        return rows_of(r, "SELECT 'total', submitted, completed, failed, retried, dead, '', '', ''"
                          " FROM counters UNION ALL"
                          " SELECT minute, submitted, completed, failed, retried, dead,"
                          " hex(latency), hex(wait), hex(duration) FROM minutes"
                          " UNION ALL SELECT 'jobs', state, name, n, '', '', '', '', '' FROM counts"
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
                                                    " type), state, n FROM counts WHERE n > 0");
                assert_string_equal(got, rows[i].want);
                rig_close(&rig);
        }
}

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
                assert_int_equal(lookup_write_job(reader, &job, &out, &e), 0);
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
                .tenant = "*", .status = -1, .type = type, .priority = priority, .limit = 10};
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
                cmocka_unit_test(the_statistics_are_the_same_in_any_order),
                cmocka_unit_test(a_late_submission_does_not_change_the_statistics),
                cmocka_unit_test(what_was_never_told_counts_by_its_start),
                cmocka_unit_test(a_type_is_counted_once_it_is_known),
                cmocka_unit_test(a_delivery_is_judged_without_the_submission),
                cmocka_unit_test(a_row_without_a_message_shows_what_its_start_said),
                cmocka_unit_test(a_list_finds_it_by_what_its_start_said),
                cmocka_unit_test(those_who_wait_hear_of_it),
                cmocka_unit_test(what_stays_in_doubt_leaves_by_age),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
