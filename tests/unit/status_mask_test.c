/* SPDX-License-Identifier: Apache-2.0
 *
 * status_mask_test.c: what a job shows, and what a search finds, when members are masked.
 */
#include "tests/unit/status_rig.h"

#include "status-store/jobs/list.h"
#include "status-store/jobs/lookup.h"

#define ID "019ab697-e800-7000-8000-000000000001"
#define AT ((msec)1764000000000)

static struct mask_words words;

static int set_words(void **state)
{
        struct err e = {0};

        (void)state;
        return mask_words_parse(bytes_of_text("password,token"), &words, &e);
}

/* A job that completed with a result. */
static void complete(struct rig *r)
{
        struct job j = rig_job(ID, AT);
        struct event e = {.kind = EVENT_COMPLETED,
                          .run = 1,
                          .attempt = 1,
                          .at = AT + 5,
                          .ms = 5,
                          .result = bytes_of_text("{\"access_token\":\"hidden2\",\"b\":2.50}")};
        AUTO_BUFFER line = {0};

        j.payload = bytes_of_text("{\"a\": \"seen\", \"dbPassword\": \"hidden1\"}");
        rig_submit(r, &j);
        rig_tell(r, &j, EVENT_STARTED, 1, AT + 1);
        memcpy(e.id, j.id, sizeof(e.id));
        memcpy(e.tenant, j.tenant, sizeof(e.tenant));
        event_write(&e, &line);
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .user_id = bytes_of_text("warren-consumer"),
                                  .body = buffer_bytes(&line)};
        projection_fold(r->projection, &m, r->offset++);
        rig_commit(r);
}

static void write_job(struct rig *r, const struct mask_words *mask, struct buffer *out)
{
        struct err e = {0};
        struct stored_job job = {0};
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);

        buffer_clear(out);
        assert_int_equal(lookup_job(reader, "acme", ID, &job, &e), 1);
        assert_int_equal(lookup_write_job(reader, &job, mask, out, &e), 0);
        stored_job_fini(&job);
}

static void payload_and_result_are_masked(void **state)
{
        static const struct mask_words none;
        AUTO_BUFFER out = {0};
        struct rig r;

        (void)state;
        rig_open(&r);
        complete(&r);
        write_job(&r, &words, &out);
        assert_null(strstr(out.data, "hidden"));
        assert_non_null(strstr(out.data, "{\"a\": \"seen\", \"dbPassword\": \"***\"}"));
        assert_non_null(strstr(out.data, "{\"access_token\":\"***\",\"b\":2.50}"));
        assert_non_null(strstr(out.data, "\"masked\":2"));
        write_job(&r, NULL, &out);
        assert_non_null(strstr(out.data, "hidden1"));
        assert_non_null(strstr(out.data, "hidden2"));
        assert_null(strstr(out.data, "\"masked\""));
        write_job(&r, &none, &out);
        assert_non_null(strstr(out.data, "hidden1"));
        rig_close(&r);
}

/* A burial of bytes that are no JSON. */
static void what_is_no_json_is_not_shown(void **state)
{
        struct job j = rig_job(ID, AT);
        struct job_message encoded;
        AUTO_BUFFER out = {0};
        struct rig r;

        (void)state;
        rig_open(&r);
        j.payload = bytes_of_text("{\"token\": \"hidden");
        j.attempt = 1;
        j.reason = REASON_MALFORMED;
        job_encode(&j, STATION_BURIAL, AT, &encoded);
        rig_fold(&r, &encoded);
        rig_commit(&r);
        write_job(&r, NULL, &out);
        assert_non_null(strstr(out.data, "payload_base64"));
        write_job(&r, &words, &out);
        assert_non_null(strstr(out.data, "\"payload\":null"));
        assert_null(strstr(out.data, "payload_base64"));
        assert_non_null(strstr(out.data, "\"masked\":1"));
        rig_close(&r);
}

static bool finds(struct rig *r, const char *text, const struct mask_words *mask)
{
        struct list_query q = {.filter = {.tenant = "acme", .text = text},
                               .view.mask = mask,
                               .after = cursor_start(false),
                               .limit = 10};
        struct err e = {0};
        AUTO_BUFFER out = {0};
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);

        assert_int_equal(list_write(reader, &q, &out, &e), 0);
        return strstr(out.data, ID) != NULL;
}

static void a_search_finds_only_what_is_shown(void **state)
{
        static const char *const secret[] = {"hidden1", "hid", "dbPassword\": \"h"};
        static const char *const open[] = {"seen", "dbPassword", "{\"a\""};
        struct rig r;

        (void)state;
        rig_open(&r);
        complete(&r);
        for (size_t i = 0; i < COUNT(secret); i++) {
                assert_false(finds(&r, secret[i], &words));
                assert_true(finds(&r, secret[i], NULL));
        }
        for (size_t i = 0; i < COUNT(open); i++)
                assert_true(finds(&r, open[i], &words));
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(payload_and_result_are_masked),
                cmocka_unit_test(what_is_no_json_is_not_shown),
                cmocka_unit_test(a_search_finds_only_what_is_shown),
        };

        return cmocka_run_group_tests(tests, set_words, NULL);
}
