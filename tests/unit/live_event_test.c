/* SPDX-License-Identifier: Apache-2.0
 *
 * live_event_test.c: what the live feed tells of each event, and that a client which keeps the
 * greatest by `order` shows what the fold shows.
 */
#include "gateway/live/live_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/model/fold.h"
#include "gateway/live/live_types.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"

static struct event make(enum event_kind kind)
{
        struct event e = {.kind = kind, .id = ID, .tenant = "acme", .run = 1, .attempt = 1};

        e.at = 1000;
        e.digest = (uint64_t)1 << 63 | 2047;
        e.hint.priority = e.hint.max_retries = -1;
        if (kind == EVENT_SUBMITTED || kind == EVENT_DUE || kind == EVENT_FAILED) {
                e.has_job = true;
                snprintf(e.job.type, sizeof(e.job.type), "mail");
                e.job.priority = PRIORITY_HIGH;
        }
        return e;
}

static const char *json_of(const struct event *e, bool masked, struct buffer *out)
{
        struct live_tags tags;
        struct scan_fault fault;

        assert_true(live_tags_of(e, &tags));
        buffer_clear(out);
        live_event_write(e, &tags, 5000, masked, out);
        assert_int_equal(scan_check(buffer_bytes(out), SCAN_DEPTH_MAX, &fault), 0);
        return out->data;
}

static void each_kind(void **state)
{
        static const struct {
                enum event_kind kind;
                int64_t attempts; /* made before, of a job message */
                bool scheduled, doubt, tells;
                enum live_kind want;
                bool shown;
                enum status status;
        } rows[] = {
                {EVENT_SUBMITTED, 0, false, false, true, LIVE_SUBMITTED, true, STATUS_PENDING},
                {EVENT_SUBMITTED, 0, true, false, true, LIVE_SUBMITTED, true, STATUS_SCHEDULED},
                {EVENT_SUBMITTED, 2, true, false, true, LIVE_RETRY, true, STATUS_SCHEDULED},
                {EVENT_SUBMITTED, 0, false, true, false, LIVE_SUBMITTED, false, STATUS_PENDING},
                {EVENT_DUE, 0, false, false, true, LIVE_SUBMITTED, true, STATUS_PENDING},
                {EVENT_DUE, 1, false, false, true, LIVE_RETRY, true, STATUS_PENDING},
                {EVENT_STARTED, 0, false, false, true, LIVE_STARTED, true, STATUS_RUNNING},
                {EVENT_RESUMED, 0, false, false, true, LIVE_STARTED, true, STATUS_RUNNING},
                {EVENT_PROGRESS, 0, false, false, true, LIVE_PROGRESS, true, STATUS_RUNNING},
                {EVENT_RELEASED, 0, false, false, true, LIVE_RETRY, true, STATUS_PENDING},
                {EVENT_FAILED, 1, true, false, true, LIVE_FAILED, true, STATUS_FAILED},
                {EVENT_DEAD, 0, false, false, true, LIVE_DLQ, true, STATUS_DEAD},
                {EVENT_CANCELLED, 0, false, false, true, LIVE_CANCELLED, true, STATUS_CANCELLED},
                {EVENT_COMPLETED, 0, false, false, true, LIVE_COMPLETED, true, STATUS_COMPLETED},
                {EVENT_REJECTED, 0, false, false, true, LIVE_FORGOTTEN, false, STATUS_PENDING},
                {EVENT_FORGOTTEN, 0, false, false, true, LIVE_FORGOTTEN, false, STATUS_PENDING},
                {EVENT_CANCEL_REQUESTED, 0, false, false, false, LIVE_FORGOTTEN, false, 0},
                {EVENT_MOVED, 0, false, false, false, LIVE_FORGOTTEN, false, 0},
                {EVENT_WORKER, 0, false, false, false, LIVE_FORGOTTEN, false, 0},
                {EVENT_SEEN, 0, false, false, false, LIVE_FORGOTTEN, false, 0},
                {EVENT_ACT, 0, false, false, false, LIVE_FORGOTTEN, false, 0},
                {EVENT_ACTED, 0, false, false, false, LIVE_FORGOTTEN, false, 0},
        };
        bool seen[EVENT_KIND_COUNT] = {false};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct event e = make(rows[i].kind);
                struct live_tags tags;
                e.job.attempt = rows[i].attempts;
                e.job.doubt = rows[i].doubt;
                e.scheduled = rows[i].scheduled;
                seen[e.kind] = true;
                assert_int_equal(live_tags_of(&e, &tags), rows[i].tells);
                if (!rows[i].tells)
                        continue;
                assert_int_equal(tags.kind, rows[i].want);
                assert_int_equal(tags.shown, rows[i].shown);
                if (tags.shown)
                        assert_int_equal(tags.status, rows[i].status);
        }
        for (int k = 0; k < EVENT_KIND_COUNT; k++)
                assert_true(seen[k]);
        for (unsigned k = 0; k < LIVE_KIND_COUNT; k++) {
                enum live_kind parsed;
                assert_true(live_kind_parse(bytes_of_text(live_kind_name(k)), &parsed));
                assert_int_equal(parsed, k);
        }
}

static void the_members(void **state)
{
        AUTO_BUFFER out = {0};
        struct event e = make(EVENT_SUBMITTED);

        (void)state;
        e.job.run_at = 61000;
        e.scheduled = true;
        assert_string_equal(json_of(&e, false, &out),
                            "{\"kind\":\"job_submitted\",\"id\":\"" ID "\",\"tenant\":\"acme\","
                            "\"type\":\"mail\",\"status\":\"scheduled\","
                            "\"at\":\"1970-01-01T00:00:01.000Z\",\"run\":1,\"attempt\":1,"
                            "\"priority\":\"high\",\"run_at\":\"1970-01-01T00:01:01.000Z\","
                            "\"order\":[1,0,1,0,0,1,1000,4503599627370496]}");
        e = make(EVENT_COMPLETED);
        e.at = 0;
        e.ms = 7;
        e.copy = 3;
        e.worker = bytes_of_text("host/1");
        e.result = bytes_of_text("\"secret\"");
        assert_string_equal(json_of(&e, false, &out),
                            "{\"kind\":\"job_completed\",\"id\":\"" ID "\",\"tenant\":\"acme\","
                            "\"type\":null,\"status\":\"completed\","
                            "\"at\":\"1970-01-01T00:00:05.000Z\",\"run\":1,\"attempt\":1,"
                            "\"copy\":3,\"worker\":\"host/1\",\"ms\":7,"
                            "\"order\":[1,2,1,10,3,10,0,4503599627370496]}");
        e = make(EVENT_FORGOTTEN);
        e.attempt = 0;
        e.by = bytes_of_text("key k1x2y3z4");
        assert_string_equal(json_of(&e, false, &out),
                            "{\"kind\":\"job_forgotten\",\"id\":\"" ID "\",\"tenant\":\"acme\","
                            "\"type\":null,\"status\":null,"
                            "\"at\":\"1970-01-01T00:00:01.000Z\",\"run\":1,"
                            "\"by\":\"key k1x2y3z4\","
                            "\"order\":[1,3,0,11,0,11,1000,4503599627370496]}");
}

static void errors_are_cut_and_masked(void **state)
{
        AUTO_BUFFER out = {0}, text = {0};
        struct event e = make(EVENT_FAILED);

        (void)state;
        buffer_add_char(&text, 'x');
        for (int i = 0; i < 1000; i++)
                buffer_add_text(&text, "é");
        e.job.error = buffer_bytes(&text);
        e.job.error_kind = ERROR_KIND_TIMEOUT;
        assert_non_null(strstr(json_of(&e, true, &out), "\"error_kind\":\"timeout\""));
        assert_int_equal(strcspn(strstr(out.data, "\"error\":\"") + 9, "\""), 1023);
        e = make(EVENT_DEAD);
        e.has_job = true;
        e.reason = REASON_MALFORMED;
        e.job.error = bytes_of_text("near \"s3cret\"");
        assert_non_null(strstr(json_of(&e, true, &out), "\"error\":null,\"masked\":1"));
        assert_null(strstr(out.data, "s3cret"));
        assert_non_null(strstr(json_of(&e, false, &out), "s3cret"));
        e.reason = REASON_DELIVERY_LIMIT;
        assert_non_null(strstr(json_of(&e, true, &out), "s3cret"));
        e.job.error = bytes_of_text("the body is not one JSON value: s3cret");
        assert_null(strstr(json_of(&e, true, &out), "s3cret"));
}

/* xorshift64* (Vigna): a seed always gives the same history. */
static unsigned below(uint64_t *state, unsigned bound)
{
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return (unsigned)((*state * 0x2545F4914F6CDD1Du) >> 32) % bound;
}

/* Few values of each field, so that keys are equal in all up to the digest. */
static struct event draw(uint64_t *seed)
{
        struct event e = make((enum event_kind)below(seed, EVENT_WORKER));

        e.run = 1 + below(seed, 2);
        e.attempt = below(seed, 3);
        e.copy = below(seed, 2);
        e.at = 1000 + below(seed, 2);
        e.after = 999 + below(seed, 2);
        e.running = below(seed, 2) == 0;
        e.digest = (uint64_t)below(seed, 1u << 31) << 32;
        e.job.moved = below(seed, MOVED_GIVEN_BACK + 1);
        e.scheduled = e.has_job && below(seed, 2) == 0;
        return e;
}

static int compare_numbers(const int64_t *a, const int64_t *b)
{
        for (int i = 0; i < FOLD_KEY_NUMBERS; i++)
                if (a[i] != b[i])
                        return a[i] < b[i] ? -1 : 1;
        return 0;
}

static void the_order_is_the_folds(void **state)
{
        uint64_t seed = 1;

        (void)state;
        for (int i = 0; i < 200000; i++) {
                struct event one = draw(&seed), other = draw(&seed);
                struct fold_key a = fold_key_of(&one), b = fold_key_of(&other);
                int64_t x[FOLD_KEY_NUMBERS], y[FOLD_KEY_NUMBERS];
                fold_key_numbers(&a, x);
                fold_key_numbers(&b, y);
                assert_int_equal(compare_numbers(x, y), fold_key_compare(&a, &b));
                for (int k = 0; k < FOLD_KEY_NUMBERS; k++)
                        assert_true(x[k] >= 0 && x[k] < (int64_t)1 << 53);
        }
}

/* What a client shows that keeps the greatest. */
struct seen {
        bool any;
        int64_t order[FOLD_KEY_NUMBERS];
        struct live_tags tags;
};

static void see(struct seen *s, const struct event *e)
{
        const struct fold_key key = fold_key_of(e);
        int64_t order[FOLD_KEY_NUMBERS];
        struct live_tags tags;

        if (!live_tags_of(e, &tags))
                return;
        fold_key_numbers(&key, order);
        if (s->any && compare_numbers(order, s->order) <= 0)
                return;
        s->any = true;
        s->tags = tags;
        memcpy(s->order, order, sizeof(order));
}

static void a_client_shows_what_the_fold_shows(void **state)
{
        const struct arrival place = {.offset = 7, .clock = 5000};
        uint64_t seed = 7;

        (void)state;
        for (int i = 0; i < 20000; i++) {
                struct job_row row = {0};
                struct seen s = {0};
                for (unsigned count = 1 + below(&seed, 12); count > 0; count--) {
                        struct event e = draw(&seed);
                        if (e.kind == EVENT_CANCEL_REQUESTED)
                                continue; /* of a job that runs: its end follows */
                        job_row_fold(&row, &e, &place);
                        see(&s, &e);
                }
                assert_int_equal(row.shown, s.any && s.tags.shown);
                if (row.shown)
                        assert_int_equal(row.status, s.tags.status);
                job_row_fini(&row);
        }
}

static void types_are_remembered(void **state)
{
        struct live_types *types = live_types_create();
        struct live_tags tags = {.id = ID, .tenant = "acme", .type = "mail"};
        unsigned known = 0;

        (void)state;
        live_types_complete(types, &tags);
        tags.type[0] = '\0';
        live_types_complete(types, &tags);
        assert_string_equal(tags.type, "mail");
        struct live_tags other = {.id = ID, .tenant = "other"};
        live_types_complete(types, &other);
        assert_string_equal(other.type, "");
        for (int i = 0; i < 300000; i++) {
                struct live_tags more = {.tenant = "acme", .type = "print"};
                snprintf(more.id, sizeof(more.id), "01902f5e-7b1a-7000-8000-%012d", i + 2);
                live_types_complete(types, &more);
        }
        for (int i = 200000; i < 300000; i++) {
                struct live_tags more = {.tenant = "acme"};
                snprintf(more.id, sizeof(more.id), "01902f5e-7b1a-7000-8000-%012d", i + 2);
                live_types_complete(types, &more);
                known += more.type[0] != '\0';
        }
        assert_true(known > 80000);
        live_types_destroy(&types);
        live_types_destroy(&types);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_kind),
                cmocka_unit_test(the_members),
                cmocka_unit_test(errors_are_cut_and_masked),
                cmocka_unit_test(the_order_is_the_folds),
                cmocka_unit_test(a_client_shows_what_the_fold_shows),
                cmocka_unit_test(types_are_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
