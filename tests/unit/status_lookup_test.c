/* SPDX-License-Identifier: Apache-2.0
 *
 * status_lookup_test.c: jobs found by what names them; the events and the payload of one job.
 */
#include "tests/unit/status_rig.h"

#include "status-store/jobs/lookup.h"
#include "status-store/jobs/lookup_find.h"
#include "status-store/projection/history.h"
#include "status-store/projection/retention.h"

#define AT ((msec)1700000000 * MSEC_SECOND)

static const char first_id[] = "018bcfe5-6800-7000-8000-00000000000a";
static const char second_id[] = "018bcfe5-6801-7000-8000-00000000000b";
static const char third_id[] = "018bd000-0000-7000-8000-00000000000c"; /* of another tenant */

static const char trace[] = "4bf92f3577b34da6a3ce929d0e0e4736";

/* What the clock says, and how far it goes on whenever it is asked. */
static msec now, step;

msec __wrap_clock_mono(void);
msec __wrap_clock_mono(void)
{
        return now += step;
}

struct fixture {
        struct rig rig;
        struct readers *readers;
};

static void submit(struct rig *r, const char *id, const char *tenant, const char *key)
{
        struct job j = rig_job(id, AT);
        snprintf(j.tenant, sizeof(j.tenant), "%s", tenant);
        snprintf(j.key, sizeof(j.key), "%s", key);
        snprintf(j.traceparent, sizeof(j.traceparent), "00-%s-00f067aa0ba902b7-01", trace);
        j.payload = bytes_of_text("{\"n\": 1.0}");
        rig_submit(r, &j);
}

static void open_fixture(struct fixture *f)
{
        struct err e = {0};
        rig_open(&f->rig);
        submit(&f->rig, first_id, "acme", "order-1");
        submit(&f->rig, second_id, "acme", "abcdef");
        submit(&f->rig, third_id, "other", "order-1");
        rig_commit(&f->rig);
        f->readers = readers_create(f->rig.place.path, 1, &e);
        assert_non_null(f->readers);
}

static void close_fixture(struct fixture *f)
{
        readers_destroy(&f->readers);
        rig_close(&f->rig);
}

/* The ids of the matches in their order, each by its last digit, and by what it was found. */
static void check_found(struct fixture *f, const char *tenant, const char *text, const char *want)
{
        struct err e = {0};
        struct find_text what;
        AUTO_BUFFER out = {0};
        AUTO_BUFFER got = {0};
        AUTO_READER *r = readers_take(f->readers, &e);
        assert_true(find_text_read(text, &what));
        int found = lookup_find_id(r, tenant, &what, &out, &e);
        if (found == 0)
                found = lookup_find_scan(r, tenant, &what, &out, &e);
        assert_true(found >= 0);
        assert_non_null(strstr(out.data, "\"complete\":true"));
        const char *at = out.data;
        while ((at = strstr(at, "\"by\":\"")) != NULL) {
                at += strlen("\"by\":\"");
                const char *id = strstr(at, "\"id\":\"") + strlen("\"id\":\"");
                buffer_printf(&got, "%.*s %c,", (int)strcspn(at, "\""), at, id[UUID_SIZE - 2]);
        }
        if (strcmp(got.data != NULL ? got.data : "", want) != 0)
                fail_msg("%s: %s, not %s", text, got.data, want);
}

static void jobs_are_found(void **state)
{
        static const struct {
                const char *tenant, *text, *want;
        } rows[] = {
                {"acme", "018bcfe5-6800-7000-8000-00000000000a", "id a,"},
                {"acme", "018BCFE5-6800-7000-8000-00000000000A", "id a,"},
                {"acme",
                 "018bcfe5680070008000"
                 "00000000000a",
                 "id a,"},
                {"acme", "018bcfe5-6801", "prefix b,"},
                {"acme", "018bcfe56801", "prefix b,"},
                {"acme", "018bcfe", "prefix b,prefix a,"}, /* an odd digit */
                {"*", "018bcfe5-680", "prefix b,prefix a,"},
                {"*", "018bd0", "prefix c,"},
                {"acme", "018bd0", ""},
                {"acme", "018bd000-0000-7000-8000-00000000000c", ""},
                {"*", "018bd000-0000-7000-8000-00000000000c", "id c,"},
                {"acme", trace, "trace b,trace a,"},
                {"*", trace, "trace c,trace b,trace a,"},
                {"acme", "00-4bf92f3577b34da6a3ce929d0e0e4736-ffffffffffffffff-01",
                 "trace b,trace a,"},
                {"acme", "order-1", "key a,"},
                {"other", "order-1", "key c,"},
                {"acme", "abcdef", "key b,"}, /* no id begins so */
                {"acme", "order", ""},
                {"nobody", "order-1", ""},
                {"acme", "018bcfe5-68-01", ""}, /* a dash in a wrong place */
        };
        struct fixture f;
        (void)state;
        open_fixture(&f);
        for (size_t i = 0; i < COUNT(rows); i++)
                check_found(&f, rows[i].tenant, rows[i].text, rows[i].want);
        close_fixture(&f);
}

/* A thousand rows that are none of acme's, to be read before those that are. */
static void add_others(struct fixture *f)
{
        static const char *const inserts[] = {
                "INSERT INTO finds(seq, trace, key) SELECT 1000 + i, 7, 7",
                "INSERT INTO jobs(seq, id, tenant, state, shelf, created, born, told)"
                " SELECT 1000 + i, CAST(x'018bcfe568ff70008000' || printf('%06d', i) AS BLOB),"
                " 0, 0, 0, 0, 0, 0"};
        for (size_t i = 0; i < COUNT(inserts); i++) {
                AUTO_FREE char *sql = xasprintf("WITH n(i) AS (VALUES(0) UNION ALL SELECT i + 1"
                                                " FROM n WHERE i < 999) %s FROM n RETURNING 1",
                                                inserts[i]);
                rig_number(&f->rig, sql);
        }
}

/* What was found by then is told, and that there may be more. */
static void a_scan_ends_in_time(void **state)
{
        static const struct {
                const char *text;
                msec step;
                bool want_complete;
                const char *want;
        } rows[] = {
                {"order-1", 0, true, "key"},       {"order-1", 1000, false, NULL},
                {"order-1", 250, true, "key"},     {"018bcfe568", 0, true, "prefix"},
                {"018bcfe568", 1000, false, NULL}, {"018bcfe568", 200, true, "prefix"},
        };
        struct fixture f;
        (void)state;
        open_fixture(&f);
        add_others(&f);
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct err e = {0};
                struct find_text what;
                AUTO_BUFFER out = {0};
                AUTO_READER *r = readers_take(f.readers, &e);
                assert_true(find_text_read(rows[i].text, &what));
                step = rows[i].step;
                assert_int_equal(lookup_find_scan(r, "acme", &what, &out, &e), 0);
                step = 0;
                const char *by = strstr(out.data, "\"by\":\"");
                bool complete = strstr(out.data, "\"complete\":true") != NULL;
                if (complete != rows[i].want_complete || (by == NULL) != (rows[i].want == NULL))
                        fail_msg("%zu: %s", i, out.data);
                if (by != NULL)
                        assert_memory_equal(by + 6, rows[i].want, strlen(rows[i].want));
        }
        close_fixture(&f);
}

static void texts_have_bounds(void **state)
{
        char text[FIND_TEXT_MAX + 2];
        struct find_text what;
        (void)state;
        memset(text, 'a', sizeof(text));
        text[FIND_TEXT_MAX + 1] = '\0';
        assert_false(find_text_read(text, &what));
        assert_false(find_text_read("", &what));
        text[FIND_TEXT_MAX] = '\0';
        assert_true(find_text_read(text, &what));
        assert_false(what.is_id || what.is_prefix || what.is_trace);
        assert_true(find_text_read("abcde", &what));
        assert_false(what.is_prefix);
}

static void digests_leave_with_their_jobs(void **state)
{
        static const struct retention_settings keep = {.keep_ended = MSEC_DAY,
                                                       .keep_dead = MSEC_DAY};
        struct fixture f;
        struct err e = {0};
        int more = 1;
        (void)state;
        open_fixture(&f);
        struct job j = rig_job(first_id, AT);
        rig_tell(&f.rig, &j, EVENT_COMPLETED, 1, AT + 5);
        rig_commit(&f.rig);
        assert_int_equal(rig_number(&f.rig, "SELECT count(*) FROM finds"), 3);
        AUTO(retention) retention = retention_create(f.rig.store, &keep);
        while (more == 1)
                more = retention_step(retention, AT + 3 * (msec)MSEC_DAY, &e);
        assert_int_equal(rig_number(&f.rig, "SELECT count(*) FROM finds"), 2);
        retention_destroy(&retention);
        close_fixture(&f);
}

/* What a reader is told of the job. */
static int read_job(struct fixture *f, const char *id, struct buffer *events, struct buffer *body)
{
        struct err e = {0};
        AUTO_STORED_JOB job = {0};
        AUTO_READER *r = readers_take(f->readers, &e);
        assert_int_equal(lookup_job(r, "acme", id, &job, &e), 1);
        assert_int_equal(lookup_write_events(r, &job, events, &e), 0);
        return lookup_read_payload(r, &job, body, &e);
}

static void events_are_kept_in_their_order(void **state)
{
        struct fixture f;
        AUTO_BUFFER events = {0};
        AUTO_BUFFER body = {0};
        (void)state;
        open_fixture(&f);
        struct job j = rig_job(first_id, AT);
        rig_tell(&f.rig, &j, EVENT_COMPLETED, 1, AT + 20);
        rig_commit(&f.rig);
        rig_tell(&f.rig, &j, EVENT_STARTED, 1, AT + 10);
        rig_commit(&f.rig);
        assert_int_equal(read_job(&f, first_id, &events, &body), 1);
        assert_true(bytes_equal_text(buffer_bytes(&body), "{\"n\": 1.0}"));
        const char *submitted = strstr(events.data, "\"event\":\"submitted\"");
        const char *started = strstr(events.data, "\"event\":\"started\"");
        const char *completed = strstr(events.data, "\"event\":\"completed\"");
        assert_true(submitted != NULL && submitted < started && started < completed);
        assert_non_null(strstr(events.data, "\"worker\":\"host/1\""));
        assert_non_null(strstr(events.data, "\"complete\":true"));
        close_fixture(&f);
}

/* Only its start is known. */
static void a_payload_may_be_unknown(void **state)
{
        struct fixture f;
        AUTO_BUFFER events = {0};
        AUTO_BUFFER body = {0};
        static const char id[] = "018bcfe5-6802-7000-8000-00000000000d";
        (void)state;
        open_fixture(&f);
        struct job j = rig_job(id, AT);
        rig_tell(&f.rig, &j, EVENT_STARTED, 1, AT + 10);
        rig_commit(&f.rig);
        assert_int_equal(read_job(&f, id, &events, &body), 0);
        close_fixture(&f);
}

static void rows_of_earlier_versions_have_a_gap(void **state)
{
        struct fixture f;
        AUTO_BUFFER events = {0};
        AUTO_BUFFER body = {0};
        (void)state;
        open_fixture(&f);
        assert_int_equal(rig_number(&f.rig, "UPDATE jobs SET history = NULL RETURNING 1"), 1);
        struct job j = rig_job(second_id, AT);
        rig_tell(&f.rig, &j, EVENT_STARTED, 1, AT + 10);
        rig_commit(&f.rig);
        assert_int_equal(read_job(&f, second_id, &events, &body), 1);
        assert_non_null(strstr(events.data, "\"event\":\"started\""));
        assert_non_null(strstr(events.data, "\"complete\":false"));
        close_fixture(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(jobs_are_found),
                cmocka_unit_test(a_scan_ends_in_time),
                cmocka_unit_test(texts_have_bounds),
                cmocka_unit_test(digests_leave_with_their_jobs),
                cmocka_unit_test(events_are_kept_in_their_order),
                cmocka_unit_test(a_payload_may_be_unknown),
                cmocka_unit_test(rows_of_earlier_versions_have_a_gap),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
