/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_line_test.c: the lines of administrative acts, as the projection reads them.
 */
#include <string.h>

#include "common/model/event.h"
#include "gateway/audit.h"
#include "gateway/audit_line.h"
#include "tests/unit/unit.h"

#define ID "01980000-0000-7000-8000-000000000001"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static struct mask_words words;

static int set_words(void **state)
{
        struct err e = {0};

        (void)state;
        return mask_words_parse(bytes_of_text("password,token"), &words, &e);
}

static struct audit_act change_of_tenant(void)
{
        return (struct audit_act){.id = ID,
                                  .at = 1732250000123,
                                  .by = "key k1x2y3z4",
                                  .key_tenant = "",
                                  .what = "tenant.change",
                                  .target = "tenant/acme",
                                  .tenant = "acme",
                                  .origin = "10.0.0.7",
                                  .gateway = "gateway@host-a",
                                  .traceparent = TRACE};
}

static const struct audit_act ended = {.id = ID, .tenant = ""};

static void has_all_members(void **state)
{
        struct audit_act act = change_of_tenant();
        AUTO_BUFFER out = {0};

        (void)state;
        act.body = bytes_of_text("{\"max_running\":50}");
        audit_line_begin(&act, &words, &out);
        assert_string_equal(out.data, "{\"event\":\"act\",\"act\":\"" ID
                                      "\",\"at\":1732250000123,\"by\":\"key k1x2y3z4\","
                                      "\"what\":\"tenant.change\",\"target\":\"tenant/acme\","
                                      "\"tenant\":\"acme\",\"origin\":\"10.0.0.7\","
                                      "\"gateway\":\"gateway@host-a\","
                                      "\"trace\":\"0af7651916cd43dd8448eb211c80319c\","
                                      "\"detail\":{\"max_running\":50}}\n");
        buffer_clear(&out);
        audit_line_end(&ended, 1732250000130, 200, NULL, &out);
        assert_string_equal(out.data, "{\"event\":\"acted\",\"act\":\"" ID
                                      "\",\"at\":1732250000130,\"status\":200}\n");
        buffer_clear(&out);
        struct audit_outcome o = {.made = "key/k1x2y3z4", .tenant = "acme"};
        audit_line_end(&ended, 1732250000130, 201, &o, &out);
        assert_string_equal(out.data, "{\"event\":\"acted\",\"act\":\"" ID
                                      "\",\"at\":1732250000130,\"status\":201,"
                                      "\"made\":\"key/k1x2y3z4\",\"tenant\":\"acme\"}\n");
        buffer_clear(&out);
        audit_line_end(&act, 1732250000130, 201, &o, &out); /* it has a tenant already */
        assert_null(strstr(out.data, "tenant"));
}

static const struct {
        const char *what, *answer, *made, *tenant;
} answers[] = {
        {"key.create", "{\"id\":\"k1x2y3z4\",\"tenant\":\"acme\",\"key\":\"wk_secret\"}",
         "key/k1x2y3z4", "acme"},
        {"key.rotate", "{\"id\":\"k1x2y3z4\",\"tenant\":null}", "key/k1x2y3z4", ""},
        {"key.revoke", "", "", ""},
        {"jobs.cancel", "{\"preview\":{\"token\":\"" ID "\"},\"as_of\":\"x\"}", "operation/" ID,
         ""},
        {"jobs.run_now", "{\"operation\":{\"id\":\"" ID "\"}}", "", ""}, /* it is the target */
        {"letter.requeue", "{\"id\":\"" ID "\",\"tenant\":\"acme\",\"run\":2}", "", "acme"},
        {"letter.requeue", "{\"tenant\":\"No Tenant\"}", "", ""},
        {"tenant.create", "{\"tenant\":{\"name\":\"acme\"}}", "", ""},
        {"key.create", "{\"status\":409}", "", ""},
        {"key.create", "nonsense", "", ""},
        {"key.create", "[1]", "", ""},
};

static void what_an_answer_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
                struct audit_outcome o;
                audit_outcome_read(answers[i].what, bytes_of_text(answers[i].answer), &o);
                assert_string_equal(o.made, answers[i].made);
                assert_string_equal(o.tenant, answers[i].tenant);
        }
}

static const struct {
        const char *query, *body;
        bool names_only;
        const char *want; /* NULL: no detail */
} details[] = {
        {"", "", false, NULL},
        {"", "{}", false, "{}"},
        {"", "{\n\"a\":\r\n9007199254740993\n}", false, "{ \"a\":  9007199254740993 }"},
        {"", "{\"a\":{\"dbPassword\":\"x\"}}", false, "{\"a\":{\"dbPassword\":\"***\"}}"},
        {"type=a&status=dead", "", false, "{\"query\":\"type=a&status=dead\"}"},
        {"q=%22", "{\"token\":1,\"b\":2}", false,
         "{\"query\":\"q=%22\",\"body\":{\"token\":\"***\",\"b\":2}}"},
        {"", "{\"payload\":{\"x\":\"y\"},\"priority\":\"high\"}", true,
         "{\"members\":[\"payload\",\"priority\"]}"},
        {"", "{\"p\\u0061y\\n\":1}", true, "{\"members\":[\"pay\\n\"]}"},
        {"", "[1]", false, "{\"left_out\":3}"},
        {"", "{\"a\":", false, "{\"left_out\":5}"},
        {"", "{\"token\":\"x", false, "{\"left_out\":11}"},
};

static void detail_is_the_body_masked(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
                struct audit_act act = change_of_tenant();
                AUTO_BUFFER out = {0}, want = {0};
                act.query = bytes_of_text(details[i].query);
                act.body = bytes_of_text(details[i].body);
                act.names_only = details[i].names_only;
                audit_line_begin(&act, &words, &out);
                const char *detail = strstr(out.data, ",\"detail\":");
                if (details[i].want == NULL) {
                        assert_null(detail);
                        continue;
                }
                buffer_printf(&want, ",\"detail\":%s}\n", details[i].want);
                assert_non_null(detail);
                assert_string_equal(detail, want.data);
        }
}

/* The longest detail stays, one byte more is left out, whatever the other texts are. */
static void lines_are_bounded(void **state)
{
        char text[5000];

        (void)state;
        memset(text, 1, sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        for (int more = 0; more < 2; more++) {
                struct audit_act act = {.id = ID,
                                        .by = text,
                                        .key_tenant = text,
                                        .what = text,
                                        .target = text,
                                        .tenant = text,
                                        .origin = text,
                                        .gateway = text,
                                        .traceparent = text};
                AUTO_BUFFER body = {0};
                AUTO_BUFFER out = {0}, scratch = {0};
                struct event event;
                buffer_add_text(&body, "{\"a\":\"");
                while (body.length < AUDIT_DETAIL_MAX + (size_t)more - 2)
                        buffer_add_char(&body, 'x');
                buffer_add_text(&body, "\"}");
                act.body = buffer_bytes(&body);
                audit_line_begin(&act, &words, &out);
                assert_int_in_range(out.length, 1000, AUDIT_LINE_MAX);
                assert_int_equal(strstr(out.data, "\"left_out\":1025") != NULL, more == 1);
                assert_int_equal(event_parse(bytes_of(out.data, out.length - 1), &scratch, &event),
                                 EVENT_IS);
        }
}

static void the_projection_reads_them(void **state)
{
        struct audit_act act = change_of_tenant();
        AUTO_BUFFER out = {0}, scratch = {0};
        struct event event;

        (void)state;
        audit_line_begin(&act, &words, &out);
        assert_int_equal(event_parse(bytes_of(out.data, out.length - 1), &scratch, &event),
                         EVENT_IS);
        assert_int_equal(event.kind, EVENT_ACT);
        assert_string_equal(event.id, ID);
        buffer_clear(&out);
        audit_line_end(&ended, 1732250000130, 503, NULL, &out);
        assert_int_equal(event_parse(bytes_of(out.data, out.length - 1), &scratch, &event),
                         EVENT_IS);
        assert_int_equal(event.kind, EVENT_ACTED);
}

static const struct {
        const char *pattern, *value, *want;
} targets[] = {
        {"/api/v1/tenants/{t}", "acme", "tenant/acme"},
        {"/api/v1/tenants/{t}/pause", "acme", "tenant/acme"},
        {"/api/v1/tenants/{t}/keys/{key}", "k1x2y3z4", "key/k1x2y3z4"},
        {"/api/v1/types/{type}", "send.mail", "type/send.mail"},
        {"/api/v1/jobs/{id}/cancel", "0190", "job/0190"},
        {"/api/v1/dlq/{id}/requeue", "0190", "letter/0190"},
        {"/api/v1/operations/{id}/abort", "0190", "operation/0190"},
        {"/api/v1/jobs/{id}", "0198ABCD-0000-7000-8000-00000000000F",
         "job/0198abcd-0000-7000-8000-00000000000f"},
        {"/api/v1/types/{type}", "0198ABCD-0000-7000-8000-00000000000F",
         "type/0198ABCD-0000-7000-8000-00000000000F"},
        {"/api/v1/jobs/{id}", NULL, ""},
        {"/api/v1/jobs/cancel", NULL, "jobs"},
        {"/api/v1/session", NULL, "session"},
};

static void targets_come_from_the_path(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
                char target[AUDIT_TARGET_SIZE];
                audit_target(targets[i].pattern, targets[i].value, target);
                assert_string_equal(target, targets[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_an_answer_says),
                cmocka_unit_test(has_all_members),
                cmocka_unit_test(detail_is_the_body_masked),
                cmocka_unit_test(lines_are_bounded),
                cmocka_unit_test(the_projection_reads_them),
                cmocka_unit_test(targets_come_from_the_path),
        };

        return cmocka_run_group_tests(tests, set_words, NULL);
}
