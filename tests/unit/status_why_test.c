/* SPDX-License-Identifier: Apache-2.0
 *
 * status_why_test.c: the answer to why a job waits, from a projection, records of workers, and
 * records of control.
 */
#include "tests/unit/status_rig.h"

#include <jansson.h>

#include "status-store/jobs/lookup.h"
#include "status-store/why/why_json.h"

#define ID(n) "00000000-0000-4000-8000-0000000000" n

/* What `control` and the broker hold. */
static struct {
        struct tenant_record tenant;
        struct type_record type;
        enum pause pause;
        int64_t tokens; /* in every queue; -1: not counted */
} outside;

bool __wrap_control_tenant(struct control *c, const char *name, struct tenant_record *out);
bool __wrap_control_tenant(struct control *c, const char *name, struct tenant_record *out)
{
        (void)c;
        *out = outside.tenant;
        return strcmp(name, "acme") == 0;
}

bool __wrap_control_type(struct control *c, const char *name, struct type_record *out);
bool __wrap_control_type(struct control *c, const char *name, struct type_record *out)
{
        (void)c;
        (void)name;
        *out = outside.type;
        return true;
}

enum pause __wrap_control_pause(struct control *c, const char *tenant, const char *type,
                                struct pause_record *out);
enum pause __wrap_control_pause(struct control *c, const char *tenant, const char *type,
                                struct pause_record *out)
{
        (void)c;
        (void)tenant;
        (void)type;
        if (out != NULL)
                *out = (struct pause_record){.paused_at = 5000, .by = "key k1x2"};
        return outside.pause;
}

void __wrap_token_counts_read(struct token_counts *t, struct token_count *counts, size_t n,
                              msec deadline);
void __wrap_token_counts_read(struct token_counts *t, struct token_count *counts, size_t n,
                              msec deadline)
{
        (void)t;
        (void)deadline;
        for (size_t i = 0; i < n; i++)
                counts[i].ready = counts[i].queue[0] != '\0' ? outside.tokens : -1;
}

static void no_limits(void)
{
        outside.tenant = (struct tenant_record){.name = "acme", .max_running = RECORD_UNLIMITED};
        outside.type = (struct type_record){
                .name = "noop", .max_running = RECORD_UNLIMITED, .rate_count = RECORD_UNLIMITED};
        outside.pause = PAUSE_NONE;
        outside.tokens = -1;
}

static void submit(struct rig *r, const char *id, const char *tenant, msec at)
{
        struct job j = rig_job(id, at);

        snprintf(j.tenant, sizeof(j.tenant), "%s", tenant);
        rig_submit(r, &j);
}

static void start(struct rig *r, const char *id, const char *tenant, msec at)
{
        struct job j = rig_job(id, at);

        snprintf(j.tenant, sizeof(j.tenant), "%s", tenant);
        rig_tell(r, &j, EVENT_STARTED, 1, at);
}

/* A worker of type noop; running: the elements of that member. */
static void tell_worker(struct rig *r, const char *name, msec at, const char *state,
                        const char *running)
{
        AUTO_BUFFER line = {0};

        buffer_printf(&line,
                      "{\"event\":\"worker\",\"worker\":\"%s\",\"at\":%lld,\"state\":\"%s\","
                      "\"concurrency\":2,\"types\":[\"noop\"],\"all_types\":true,"
                      "\"limits\":{\"noop\":1},\"running\":[%s]}\n",
                      name, (long long)at, state, running);
        struct message m = {.exchange = bytes_of_text("events"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .user_id = bytes_of_text("warren-consumer"),
                            .body = buffer_bytes(&line)};
        projection_fold(r->projection, &m, r->offset++);
        rig_commit(r);
}

/* Jobs 01 and 02 of acme wait, 03 of acme and 04 of other run. */
static void fill(struct rig *r, msec now)
{
        no_limits();
        rig_open(r);
        submit(r, ID("01"), "acme", now - 4000);
        submit(r, ID("02"), "acme", now - 3000);
        submit(r, ID("03"), "acme", now - 2000);
        submit(r, ID("04"), "other", now - 2000);
        start(r, ID("03"), "acme", now - 1000);
        start(r, ID("04"), "other", now - 500);
        rig_commit(r);
}

static json_t *why(struct rig *r, const char *id, bool all, msec lag)
{
        struct err e = {0};
        json_error_t fault;
        AUTO_BUFFER out = {0};
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        struct reader *reader = readers_take(readers, &e);
        AUTO_STORED_JOB job = {0};

        assert_int_equal(lookup_job(reader, "*", id, &job, &e), 1);
        struct why_case c = {.job = &job, .type = job_row_type(&job.row)};
        struct why_sources from = {.as_of = clock_wall() - lag, .lag = lag};
        readers_give(&reader); /* nobody keeps one while the broker is asked */
        why_facts_count(&from, &c);
        from.reader = reader = readers_take(readers, &e);
        buffer_add_char(&out, '{');
        if (why_facts_read(&from, &c, &e) != 0 || why_json_write(reader, &c, all, &out, &e) != 0)
                fail_msg("%s", e.text);
        readers_give(&reader);
        buffer_add_char(&out, '}');
        json_t *answer = json_loadb(out.data, out.length, JSON_REJECT_DUPLICATES, &fault);
        if (answer == NULL)
                fail_msg("%s: %s", fault.text, out.data);
        return answer;
}

static const char *word(const json_t *answer, const char *name)
{
        return json_string_value(json_object_get(answer, name));
}

static json_int_t number(const json_t *answer, const char *name)
{
        const json_t *evidence = json_object_get(answer, "evidence");

        assert_non_null(json_object_get(evidence, name));
        return json_integer_value(json_object_get(evidence, name));
}

static void assert_code(const json_t *answer, const char *code, const char *text)
{
        const char *got = word(answer, "code");

        if (got == NULL || strcmp(got, code) != 0)
                fail_msg("%s, not %s", got, code);
        assert_string_equal(word(answer, "text"), text);
}

static void test_behind_and_no_worker(void **state)
{
        (void)state;
        struct rig r;
        msec now = clock_wall();

        fill(&r, now);
        json_auto_t *none = why(&r, ID("02"), false, 0);
        assert_code(none, "no_worker", "no live worker handles type noop");
        assert_true(json_is_null(json_object_get(json_object_get(none, "evidence"), "last")));
        tell_worker(&r, "host-a/1", now - 20000, "up", "");
        json_auto_t *lost = why(&r, ID("02"), false, 0);
        const json_t *last = json_object_get(json_object_get(lost, "evidence"), "last");
        assert_string_equal(word(last, "worker"), "host-a/1");
        tell_worker(&r, "host-b/2", now, "up", "");
        json_auto_t *behind = why(&r, ID("02"), false, 0);
        assert_code(behind, "behind", "a job of its tenant is ahead of it");
        assert_int_equal(number(behind, "ahead"), 1);
        assert_int_equal(number(behind, "workers"), 1);
        json_auto_t *first = why(&r, ID("01"), false, 0);
        assert_code(first, "unknown", "nothing is known that keeps it from its start");
        rig_close(&r);
}

/* Older jobs that no worker takes are sent on: nobody waits behind them. */
static void test_not_behind_what_nobody_handles(void **state)
{
        (void)state;
        struct rig r;
        msec now = clock_wall();
        struct job odd = rig_job(ID("09"), now - 9000);

        fill(&r, now);
        snprintf(odd.type, sizeof(odd.type), "odd");
        rig_submit(&r, &odd);
        tell_worker(&r, "host-b/2", now, "up", "");
        json_auto_t *first = why(&r, ID("01"), false, 0);
        assert_code(first, "unknown", "nothing is known that keeps it from its start");
        rig_close(&r);
}

static void test_not_waiting_and_lagging(void **state)
{
        (void)state;
        struct rig r;

        fill(&r, clock_wall());
        json_auto_t *runs = why(&r, ID("03"), false, 0);
        assert_true(json_is_null(json_object_get(runs, "code")));
        assert_string_equal(word(runs, "text"), "it runs");
        json_auto_t *old = why(&r, ID("02"), false, 6000);
        assert_code(old, "unknown", "what is known of the jobs is too old to say");
        assert_int_equal(number(old, "lag_ms"), 6000);
        rig_close(&r);
}

static void test_who_cancelled(void **state)
{
        (void)state;
        struct rig r;
        msec now = clock_wall();
        struct event e = {.kind = EVENT_CANCELLED,
                          .id = ID("01"),
                          .tenant = "acme",
                          .run = 1,
                          .attempt = 1,
                          .at = now,
                          .by = bytes_of_text("key k1x2")};
        AUTO_BUFFER line = {0};

        fill(&r, now);
        event_write(&e, &line);
        struct message m = {.exchange = bytes_of_text("events"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .user_id = bytes_of_text("warren-consumer"),
                            .body = buffer_bytes(&line)};
        projection_fold(r.projection, &m, r.offset++);
        rig_commit(&r);
        json_auto_t *answer = why(&r, ID("01"), false, 0);
        static const char want[] = "it has ended: cancelled by key k1x2, asked for at ";
        assert_int_equal(strncmp(word(answer, "text"), want, strlen(want)), 0);
        rig_close(&r);
}

static void test_no_slot(void **state)
{
        (void)state;
        struct rig r;
        msec now = clock_wall();

        fill(&r, now);
        tell_worker(&r, "host-b/2", now, "up", "");
        outside.tenant.max_running = 2;
        outside.tenant.slots_version = 3;
        outside.tokens = 0;
        json_auto_t *answer = why(&r, ID("01"), false, 0);
        assert_code(answer, "no_slot", "all 2 slots of tenant acme are in use");
        const json_t *holders = json_object_get(json_object_get(answer, "evidence"), "holders");
        assert_int_equal(json_array_size(holders), 1);
        assert_string_equal(word(json_array_get(holders, 0), "id"), ID("03"));
        assert_string_equal(word(json_array_get(holders, 0), "worker"), "host/1");
        assert_int_equal(number(answer, "free"), 0);
        assert_int_equal(number(answer, "version"), 3);
        rig_close(&r);
}

/* A tenant's key sees no job of another tenant. */
static void test_type_limit_of_all(void **state)
{
        (void)state;
        struct rig r;
        msec now = clock_wall();

        fill(&r, now);
        tell_worker(&r, "host-b/2", now, "up", "");
        outside.type.max_running = 2;
        outside.type.slots_version = 1;
        json_auto_t *mine = why(&r, ID("01"), false, 0);
        assert_code(mine, "type_limit", "all 2 slots of type noop are in use");
        assert_int_equal(number(mine, "others_jobs"), 1);
        assert_int_equal(number(mine, "holders_left_out"), 0);
        AUTO_FREE char *text = json_dumps(mine, JSON_COMPACT);
        assert_null(strstr(text, ID("04")));
        json_auto_t *all = why(&r, ID("01"), true, 0);
        const json_t *holders = json_object_get(json_object_get(all, "evidence"), "holders");
        assert_int_equal(json_array_size(holders), 2);
        rig_close(&r);
}

static void test_type_limit_of_consumers(void **state)
{
        (void)state;
        struct rig r;
        msec now = clock_wall();

        fill(&r, now);
        tell_worker(&r, "host-b/2", now, "up", "{\"id\":\"" ID("03") "\",\"type\":\"noop\"}");
        json_auto_t *answer = why(&r, ID("01"), false, 0);
        assert_code(answer, "type_limit", "every worker runs as many jobs of type noop as it may");
        const json_t *workers = json_object_get(json_object_get(answer, "evidence"), "workers");
        assert_int_equal(json_array_size(workers), 1);
        assert_string_equal(word(json_array_get(workers, 0), "worker"), "host-b/2");
        rig_close(&r);
}

static void test_rate(void **state)
{
        (void)state;
        struct rig r;
        msec now = clock_wall();

        fill(&r, now);
        tell_worker(&r, "host-b/2", now, "up", "");
        outside.type.rate_count = 2;
        outside.type.rate_per = 60000;
        outside.type.rate_version = 1;
        outside.tokens = 0;
        json_auto_t *answer = why(&r, ID("02"), false, 0);
        assert_code(answer, "rate", "type noop may start 2 jobs in 1m, and these have started");
        assert_int_equal(number(answer, "ahead_of_type"), 1);
        msec next = 0;
        struct err e = {0};
        assert_int_equal(time_parse(word(answer, "next"), &next, &e), 0);
        assert_true(next >= now + 60000 && next < now + 70000);
        rig_close(&r);
}

static void test_paused(void **state)
{
        (void)state;
        struct rig r;

        fill(&r, clock_wall());
        outside.pause = PAUSE_TENANT_TYPE;
        json_auto_t *type = why(&r, ID("01"), false, 0);
        assert_code(type, "type_paused", "jobs of type noop are paused for tenant acme");
        assert_string_equal(word(type, "since"), "1970-01-01T00:00:05.000Z");
        outside.tenant.paused = true;
        json_auto_t *tenant = why(&r, ID("01"), false, 0);
        assert_code(tenant, "tenant_paused", "tenant acme is paused");
        const json_t *also = json_object_get(tenant, "also");
        assert_string_equal(json_string_value(json_array_get(also, 0)), "type_paused");
        assert_string_equal(json_string_value(json_array_get(also, 1)), "no_worker");
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_behind_and_no_worker),
                cmocka_unit_test(test_not_behind_what_nobody_handles),
                cmocka_unit_test(test_not_waiting_and_lagging),
                cmocka_unit_test(test_who_cancelled),
                cmocka_unit_test(test_no_slot),
                cmocka_unit_test(test_type_limit_of_all),
                cmocka_unit_test(test_type_limit_of_consumers),
                cmocka_unit_test(test_rate),
                cmocka_unit_test(test_paused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
