/* SPDX-License-Identifier: Apache-2.0
 *
 * letters_mask_test.c: what a letter shows to whom, and what a search finds, when members are
 * masked.
 */
#include "tests/unit/archive_rig.h"

#define WORDS "password,token"

static struct mask_words words;

static int set_words(void **state)
{
        struct err e = {0};

        (void)state;
        return mask_words_parse(bytes_of_text(WORDS), &words, &e);
}

static json_t *shown(struct place *p, const struct letter *l, const struct mask_words *mask,
                     struct buffer *text)
{
        const struct letter_asked asked = {.id = l->id, .tenant = "acme", .mask = mask};
        struct err e = {0};

        buffer_clear(text);
        assert_int_equal(letters_get(p->archive, &asked, text, &e), 0);
        return json_loadb(text->data, text->length, 0, NULL);
}

static void a_letter_is_masked(void **state)
{
        struct place *p = *state;
        AUTO_BUFFER text = {0};
        struct letter l;

        bury(p->archive, ID, "acme.high", "t",
             "{\"n\": 1.10, \"dbPassword\": \"hidden1\", \"a\": [{\"token\": {\"b\": "
             "\"hidden2\"}}]}",
             &l);
        json_t *json = shown(p, &l, &words, &text);
        assert_null(strstr(text.data, "hidden"));
        assert_non_null(strstr(text.data, "{\"n\": 1.10, \"dbPassword\": \"***\""));
        assert_int_equal(json_integer_value(json_object_get(json, "masked")), 2);
        json_decref(json);
        json = shown(p, &l, NULL, &text);
        assert_non_null(strstr(text.data, "hidden1"));
        assert_null(json_object_get(json, "masked"));
        json_decref(json);
}

static void headers_are_masked(void **state)
{
        static struct message m;
        static char burial[UUID_SIZE];
        struct place *p = *state;
        AUTO_BUFFER wire = {0}, text = {0};
        struct err e = {0};
        struct letter l;
        size_t kept;

        uuid7(burial);
        wire_with_header(&wire, "X-Auth-Token", 'l', 7777777);
        m = (struct message){.exchange = bytes_of_text("dead"),
                             .routing_key = bytes_of_text("acme.high"),
                             .user_id = bytes_of_text("warren-consumer"),
                             .message_id = bytes_of_text(ID),
                             .type = bytes_of_text("t"),
                             .timestamp = -1,
                             .body = bytes_of_text("{}"),
                             .properties = buffer_bytes(&wire)};
        message_add_text(&m, "x-reason", bytes_of_text("exhausted"));
        message_add_text(&m, "x-burial", bytes_of_text(burial));
        letter_of_message(&m, FROM_DEAD, NOW, &l);
        assert_int_equal(archive_put(p->archive, &l, 1, &kept, &e), 0);
        json_t *json = shown(p, &l, &words, &text);
        assert_null(strstr(text.data, "7777777"));
        assert_string_equal(json_string_value(json_object_get(json_object_get(json, "headers"),
                                                              "X-Auth-Token")),
                            "***");
        json_decref(json);
        json = shown(p, &l, NULL, &text);
        assert_non_null(strstr(text.data, "7777777"));
        json_decref(json);
}

static void what_is_no_json_is_not_shown(void **state)
{
        struct place *p = *state;
        AUTO_BUFFER text = {0};
        struct letter l;

        bury(p->archive, ID, "acme.high", "t", "{\"token\": \"hidden", &l);
        json_t *json = shown(p, &l, &words, &text);
        assert_true(json_is_null(json_object_get(json, "payload")));
        assert_null(json_object_get(json, "payload_base64"));
        assert_int_equal(json_integer_value(json_object_get(json, "masked")), 1);
        json_decref(json);
        json = shown(p, &l, NULL, &text);
        assert_non_null(json_object_get(json, "payload_base64"));
        json_decref(json);
}

static size_t found(struct place *p, const char *q, const char *mask)
{
        json_t *page =
                list(p->archive,
                     &(struct letter_filter){
                             .tenant = "acme", .state = "dead", .q = q, .mask = mask, .limit = 10});
        size_t count = json_array_size(json_object_get(page, "letters"));

        json_decref(page);
        return count;
}

static void a_search_finds_only_what_is_shown(void **state)
{
        static const struct {
                const char *q;
                size_t masked, plain;
        } rows[] = {
                {"hidden", 0, 1}, {"seen", 1, 1},   {"broken", 0, 1},  {"dbPassword", 1, 1},
                {"hid", 0, 1},    {"boom 7", 2, 2}, {"nothing", 0, 0}, {"\"n\": 1.10", 1, 1},
        };
        struct place *p = *state;
        struct letter l;

        bury(p->archive, ID, "acme.high", "t",
             "{\"n\": 1.10, \"dbPassword\": \"hidden\", \"a\": \"seen\"}", &l);
        bury(p->archive, ID, "acme.high", "t", "{\"a\": \"broken", &l);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                assert_int_equal(found(p, rows[i].q, WORDS), rows[i].masked);
                assert_int_equal(found(p, rows[i].q, NULL), rows[i].plain);
        }
}

/* Letters that no program took: the broker buried them, so only the dlx-monitor looked inside. */
static const char expired[] = "\x20\0\0\0\0\x25\7x-deathA\0\0\0\x18"
                              "F\0\0\0\x13\6reasonS\0\0\0\7expired";
static const char plain[] = "\0\0";

static const struct {
        const char *reason;
        struct bytes properties;
        bool from_dead;
} unread[] = {
        {"expired", {expired, sizeof(expired) - 1}, true},
        {"delivery_limit", {plain, sizeof(plain) - 1}, true},
        {"unroutable", {plain, sizeof(plain) - 1}, false},
};

static void bury_unread(struct place *p, bool from_dead, struct bytes properties, const char *body,
                        struct letter *l)
{
        static struct message m;
        struct err e = {0};
        size_t kept;

        m = (struct message){.exchange = bytes_of_text(from_dead ? "dead" : "jobs.acme"),
                             .routing_key = bytes_of_text(from_dead ? "acme.medium" : "medium"),
                             .user_id = bytes_of_text("acme"),
                             .message_id = bytes_of_text(ID),
                             .type = bytes_of_text("t"),
                             .content_type = bytes_of_text("application/json"),
                             .delivery_mode = 2,
                             .timestamp = -1,
                             .body = bytes_of_text(body),
                             .properties = properties};
        letter_of_message(&m, from_dead ? FROM_DEAD : FROM_UNROUTABLE, NOW, l);
        assert_int_equal(archive_put(p->archive, l, 1, &kept, &e), 0);
        assert_int_equal(kept, 1);
}

static void the_error_of_an_unread_letter_is_hidden(void **state)
{
        struct place *p = *state;
        AUTO_BUFFER text = {0};
        struct err e = {0};
        struct letter l;

        for (size_t i = 0; i < sizeof(unread) / sizeof(unread[0]); i++) {
                bury_unread(p, unread[i].from_dead, unread[i].properties, "{\"token\": \"hidden",
                            &l);
                assert_string_equal(reason_word(l.reason), unread[i].reason);
                json_t *json = shown(p, &l, &words, &text);
                assert_null(strstr(text.data, "hidden"));
                assert_true(json_is_null(json_object_get(json, "error")));
                assert_int_equal(json_integer_value(json_object_get(json, "masked")), 2);
                json_decref(json);
                json = shown(p, &l, NULL, &text);
                assert_non_null(strstr(text.data, "near \\\"{\\\\\\\"token"));
                json_decref(json);
        }
        assert_int_equal(found(p, "hidden", WORDS), 0);
        assert_int_equal(found(p, "hidden", NULL), 3);
        buffer_clear(&text);
        struct letter_filter f = {.q = "hidden", .mask = WORDS, .limit = 10};
        assert_int_equal(letters_groups(p->archive, &f, &text, &e), 0);
        assert_string_equal(text.data, "{\"groups\":[]}");
        f.q = NULL;
        buffer_clear(&text);
        assert_int_equal(letters_groups(p->archive, &f, &text, &e), 0);
        assert_null(strstr(text.data, "hidden"));
}

/* An error that quotes no body stays. */
static void the_error_of_a_letter_without_a_queue_stays(void **state)
{
        struct place *p = *state;
        AUTO_BUFFER text = {0};
        struct letter l;

        bury_unread(p, false, bytes_of(plain, sizeof(plain) - 1), "{}", &l);
        json_t *json = shown(p, &l, &words, &text);
        assert_true(json_is_string(json_object_get(json, "error")));
        json_decref(json);
}

/* A page that is full says where the next one goes on, and that it has not looked at all. */
static void a_search_says_how_far_it_looked(void **state)
{
        struct letter_filter f = {.tenant = "acme", .q = "seen", .limit = 2};
        struct place *p = *state;
        char cursor[UUID_SIZE];
        struct letter l;

        for (int i = 0; i < 3; i++)
                bury(p->archive, ID, "acme.high", "t", "{\"a\": \"seen\"}", &l);
        json_t *page = list(p->archive, &f), *search = json_object_get(page, "search");
        assert_int_equal(json_array_size(json_object_get(page, "letters")), 2);
        assert_int_equal(json_integer_value(json_object_get(search, "letters")), 2);
        assert_true(json_is_false(json_object_get(search, "complete")));
        assert_true(json_is_string(json_object_get(search, "until")));
        snprintf(cursor, sizeof(cursor), "%s",
                 json_string_value(json_object_get(page, "next_cursor")));
        json_decref(page);
        f.cursor = cursor;
        page = list(p->archive, &f);
        search = json_object_get(page, "search");
        assert_int_equal(json_array_size(json_object_get(page, "letters")), 1);
        assert_true(json_is_true(json_object_get(search, "complete")));
        assert_true(json_is_null(json_object_get(page, "next_cursor")));
        json_decref(page);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_letter_is_masked),
                TEST(headers_are_masked),
                TEST(what_is_no_json_is_not_shown),
                TEST(a_search_finds_only_what_is_shown),
                TEST(the_error_of_an_unread_letter_is_hidden),
                TEST(the_error_of_a_letter_without_a_queue_stays),
                TEST(a_search_says_how_far_it_looked),
        };

        return cmocka_run_group_tests(tests, set_words, NULL);
}
