/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_tail_words_test.c: `warren tail` knows every kind, reason and close code of the gateway.
 */
#include <stdio.h>
#include <string.h>

#include "common/http/websocket_frames.h"
#include "gateway/live/live_client.h"
#include "tests/unit/unit.h"
#include "ui/cli/command.h"
#include "ui/cli/tail_view.h"

static const char *words_of(const char *command, const char *option)
{
        const struct option *at = command_first(command)->options;

        while (at->name != NULL && strcmp(at->name, option) != 0)
                at++;
        return at->words;
}

static void test_kinds(void **state)
{
        const char *words = words_of("tail", "kind");
        int count = 1;

        (void)state;
        for (unsigned k = 0; k < LIVE_KIND_COUNT; k++) {
                const char *name = live_kind_name(k);
                assert_memory_equal(name, "job_", 4);
                assert_non_null(strstr(words, name + 4));
        }
        for (const char *at = strchr(words, ' '); at != NULL; at = strchr(at + 1, ' '))
                count++;
        assert_int_equal(count, LIVE_KIND_COUNT);
}

/* A word that is not known is shown as it is. */
static void test_gaps(void **state)
{
        static const struct tail_look look = {0};

        (void)state;
        for (unsigned gap = 0; gap < LIVE_GAP_COUNT; gap++) {
                struct scan_fault fault;
                char json[64], unknown[64];
                AUTO_BUFFER out = {0};

                snprintf(json, sizeof(json), "{\"why\":\"%s\"}", live_gap_word(gap));
                snprintf(unknown, sizeof(unknown), ": %s", live_gap_word(gap));
                assert_int_equal(scan_check(bytes_of_text(json), 2, &fault), 0);
                tail_add_gap(&look, scan_root(bytes_of_text(json)), &out);
                assert_non_null(strstr(out.data, ": "));
                assert_null(strstr(out.data, unknown));
        }
}

static void test_close_codes(void **state)
{
        static const struct {
                unsigned code;
                const char *reason;
                enum err_code want;
                const char *want_text;
        } table[] = {
                {LIVE_CLOSE_KEY, "", ERR_FORBIDDEN, "the feed ended: its key is no longer valid"},
                {LIVE_CLOSE_SLOW, "", ERR_UNAVAILABLE, "events were not taken fast enough"},
                {CLOSE_GOING_AWAY, "x", ERR_UNAVAILABLE, "the gateway stops"},
                {LIVE_CLOSE_MESSAGES, "", ERR_UNAVAILABLE, "the gateway closed the feed with 4029"},
                {4999, "why", ERR_UNAVAILABLE, "the gateway closed the feed with 4999: why"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                tail_judge_close(table[i].code, bytes_of_text(table[i].reason), &e);
                assert_int_equal(e.code, table[i].want);
                assert_string_equal(e.text, table[i].want_text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_gaps),
                cmocka_unit_test(test_close_codes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
