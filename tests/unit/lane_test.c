/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_test.c: names of lanes, priorities, reasons and error kinds; headers of a message.
 */
#include <limits.h>
#include <string.h>

#include "common/model/lane.h"
#include "common/model/message.h"
#include "common/model/reason.h"
#include "tests/unit/unit.h"

static void lanes_are_read_back(void **state)
{
        (void)state;
        for (unsigned i = 0; i < LANE_COUNT; i++) {
                enum lane lane = LANE_LOW;
                assert_true(lane_parse(bytes_of_text(lane_name((enum lane)i)), &lane));
                assert_int_equal(lane, i);
        }
        for (unsigned i = 0; i < PRIORITY_COUNT; i++) {
                enum priority priority = PRIORITY_LOW;
                const char *name = priority_name((enum priority)i);
                assert_true(priority_parse(bytes_of_text(name), &priority));
                assert_int_equal(priority, i);
                assert_string_equal(name, lane_name((enum lane)i));
        }
}

static void other_words_are_no_lane(void **state)
{
        static const char *const words[] = {"", "Low", "lows", "lo", "urgent", "long ", NULL};
        enum priority priority;
        enum lane lane;

        (void)state;
        for (size_t i = 0; words[i] != NULL; i++)
                assert_false(lane_parse(bytes_of_text(words[i]), &lane));
        assert_false(priority_parse(bytes_of_text("long"), &priority));
        assert_false(lane_parse((struct bytes){NULL, 0}, &lane));
}

static void reasons_are_read_back(void **state)
{
        enum error_kind kind = ERROR_KIND_NONE;
        enum reason reason = REASON_NONE;

        (void)state;
        for (unsigned i = REASON_PERMANENT; i <= REASON_EXPIRED; i++) {
                assert_true(reason_parse(bytes_of_text(reason_word((enum reason)i)), &reason));
                assert_int_equal(reason, i);
        }
        for (unsigned i = ERROR_KIND_ERROR; i <= ERROR_KIND_HTTP; i++) {
                assert_true(error_kind_parse(bytes_of_text(error_kind_word((enum error_kind)i)),
                                             &kind));
                assert_int_equal(kind, i);
        }
        assert_false(reason_parse(bytes_of_text(""), &reason));
        assert_false(reason_parse(bytes_of_text("none"), &reason));
        assert_false(error_kind_parse(bytes_of_text(""), &kind));
}

static void headers_are_found_by_their_kind(void **state)
{
        struct message m = {0};

        (void)state;
        message_add_int(&m, "x-run", 7);
        message_add_text(&m, "x-key", bytes_of_text("k"));
        message_add_int(&m, "x-run", 8);
        m.headers[m.header_count++] =
                (struct header){.name = bytes_of_text("x-odd"), .kind = HEADER_OTHER};
        assert_int_equal(message_header_int(&m, "x-run", 1), 7);
        assert_int_equal(message_header_int(&m, "x-ru", 1), 1);
        assert_int_equal(message_header_int(&m, "x-key", 1), 1);
        assert_int_equal(message_header_int(&m, "x-odd", 1), 1);
        assert_true(bytes_equal_text(message_header_text(&m, "x-key"), "k"));
        assert_null(message_header_text(&m, "x-run").data);
        assert_null(message_header(&m, "none"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lanes_are_read_back),
                cmocka_unit_test(other_words_are_no_lane),
                cmocka_unit_test(reasons_are_read_back),
                cmocka_unit_test(headers_are_found_by_their_kind),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
