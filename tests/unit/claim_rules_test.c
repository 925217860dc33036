/* SPDX-License-Identifier: Apache-2.0
 *
 * claim_rules_test.c: what a claim of an idempotency key is answered with, and what of it is
 * stored.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "status-store/registry/claim_rules.h"

#define NOW ((msec)1800000000000)

static const struct claim_limits limits = {.keep = MSEC_DAY, .lease = 30 * MSEC_SECOND};

/* clang-format off */
static const struct row {
        const char *label;
        /* The stored claim. Its job has the id of the first holder, '1'. */
        bool missing, settled;
        int age;  /* ms */
        int left; /* ms of the lease; below 0: it is over */
        int taken;
        char holder;
        char asker;
        bool other_hash, look, known;
        int64_t room;
        struct claim_decision want;
} rows[] = {
        {"new", .missing = true, .asker = '1', .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_INSERT}},
        {"new, looked at", .missing = true, .asker = '1', .look = true, .room = 1,
         .want = {.state = CLAIM_NONE}},
        {"new, no room", .missing = true, .asker = '1', .room = 0,
         .want = {.state = CLAIM_FULL, .retry = CLAIM_FULL_RETRY}},
        {"new, below no room", .missing = true, .asker = '1', .room = -5,
         .want = {.state = CLAIM_FULL, .retry = CLAIM_FULL_RETRY}},
        {"new, no room, looked at", .missing = true, .asker = '1', .look = true, .room = 0,
         .want = {.state = CLAIM_NONE}},
        {"new, only if known", .missing = true, .asker = '1', .known = true, .room = 1,
         .want = {.state = CLAIM_NONE}},
        {"over, only if known", .age = 40000, .left = -1, .holder = '1', .asker = '2',
         .known = true, .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_LEASE, .taken = 1}},
        {"over, looked at, only if known", .age = 40000, .left = -1, .holder = '1', .asker = '2',
         .look = true, .known = true, .room = 1,
         .want = {.state = CLAIM_NONE}},
        {"held, only if known", .age = 9999, .left = 20001, .holder = '1', .asker = '2',
         .known = true, .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = MSEC_SECOND}},
        {"settled, only if known", .age = 100, .settled = true, .holder = '1', .asker = '2',
         .known = true, .room = 1,
         .want = {.state = CLAIM_SETTLED}},
        {"old, only if known", .age = MSEC_DAY, .settled = true, .holder = '1', .asker = '2',
         .known = true, .room = 1,
         .want = {.state = CLAIM_NONE}},
        {"over, looked at", .age = 40000, .left = -1, .holder = '1', .asker = '2', .look = true,
         .room = 1,
         .want = {.state = CLAIM_NONE}},
        {"another hash, held", .age = 100, .left = 29900, .holder = '1', .asker = '2',
         .other_hash = true, .room = 1,
         .want = {.state = CLAIM_REUSED}},
        {"another hash, over", .age = 40000, .left = -1, .holder = '1', .asker = '2',
         .other_hash = true, .room = 1,
         .want = {.state = CLAIM_REUSED}},
        {"another hash, over, looked at", .age = 40000, .left = -1, .holder = '1', .asker = '2',
         .other_hash = true, .look = true, .room = 1,
         .want = {.state = CLAIM_REUSED}},
        {"another hash, settled", .age = 100, .settled = true, .holder = '1', .asker = '2',
         .other_hash = true, .room = 1,
         .want = {.state = CLAIM_REUSED}},
        {"another hash, own", .age = 100, .left = 29900, .holder = '1', .asker = '1',
         .other_hash = true, .room = 1,
         .want = {.state = CLAIM_REUSED}},
        {"settled", .age = 100, .settled = true, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_SETTLED}},
        {"settled, looked at", .age = 100, .settled = true, .holder = '1', .asker = '2',
         .look = true, .room = 1,
         .want = {.state = CLAIM_SETTLED}},
        {"settled, own", .age = 100, .settled = true, .holder = '1', .asker = '1', .room = 1,
         .want = {.state = CLAIM_SETTLED}},
        {"settled, no room", .age = 100, .settled = true, .holder = '1', .asker = '2', .room = 0,
         .want = {.state = CLAIM_SETTLED}},
        {"repeated", .age = 100, .left = 29900, .holder = '1', .asker = '1', .room = 0,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_LEASE}},
        {"repeated, taken over", .age = 40000, .left = 29900, .taken = 1, .holder = '2',
         .asker = '2', .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_LEASE, .taken = 1}},
        {"repeated, taken over and back", .age = 40000, .left = 29900, .taken = 2, .holder = '1',
         .asker = '1', .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_LEASE, .taken = 2}},
        {"repeated, over", .age = 40000, .left = -1, .holder = '1', .asker = '1', .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_LEASE, .taken = 1}},
        {"own, looked at", .age = 100, .left = 29900, .holder = '1', .asker = '1', .look = true,
         .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = MSEC_SECOND}},
        {"held, young", .age = 9999, .left = 20001, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = MSEC_SECOND}},
        {"held, looked at", .age = 9999, .left = 20001, .holder = '1', .asker = '2', .look = true,
         .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = MSEC_SECOND}},
        {"held, not young", .age = 10000, .left = 20000, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = 20000}},
        {"held, last millisecond", .age = 29999, .left = 1, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = 1}},
        {"over", .age = 40000, .left = -1, .holder = '1', .asker = '2', .room = 0,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_LEASE, .taken = 1}},
        {"over, the first holder again", .age = 99000, .left = -1, .taken = 1, .holder = '2',
         .asker = '1', .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_LEASE, .taken = 2}},
        {"not old yet", .age = MSEC_DAY - 1, .settled = true, .holder = '1', .asker = '2',
         .room = 1,
         .want = {.state = CLAIM_SETTLED}},
        {"old", .age = MSEC_DAY, .settled = true, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_INSERT, .forget = true}},
        {"old, no room but its own", .age = MSEC_DAY, .settled = true, .holder = '1',
         .asker = '2', .room = 0,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_INSERT, .forget = true}},
        {"old, below no room", .age = MSEC_DAY, .settled = true, .holder = '1', .asker = '2',
         .room = -1,
         .want = {.state = CLAIM_FULL, .forget = true, .retry = CLAIM_FULL_RETRY}},
        {"old, another hash", .age = MSEC_DAY, .settled = true, .holder = '1', .asker = '2',
         .other_hash = true, .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_INSERT, .forget = true}},
        {"old, looked at", .age = MSEC_DAY, .settled = true, .holder = '1', .asker = '2',
         .look = true, .room = 1,
         .want = {.state = CLAIM_NONE}},
        {"old, over", .age = MSEC_DAY, .left = -1, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_INSERT, .forget = true}},
        {"old, held", .age = MSEC_DAY, .left = 25000, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = MSEC_SECOND}},
        {"just leased", .age = 0, .left = 30000, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = MSEC_SECOND}},
        {"leased by a clock that was ahead", .age = -MSEC_HOUR, .left = MSEC_HOUR + 30000,
         .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_GRANTED, .change = CLAIM_LEASE, .taken = 1}},
        {"leased before the clock was set back a little", .age = 0, .left = 90000, .holder = '1',
         .asker = '2', .room = 1,
         .want = {.state = CLAIM_IN_FLIGHT, .retry = MSEC_SECOND}},
        {"leased by a clock that was ahead, looked at", .age = 0, .left = 90001, .holder = '1',
         .asker = '2', .look = true, .room = 1,
         .want = {.state = CLAIM_NONE}},
        {"of the future", .age = -5000, .settled = true, .holder = '1', .asker = '2', .room = 1,
         .want = {.state = CLAIM_SETTLED}},
};
/* clang-format on */

static void each_claim_is_decided(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                const struct row *d = &rows[i];
                struct claim_request ask = {.look = d->look, .known = d->known};
                struct claim_row row = {.at = NOW - d->age,
                                        .lease = d->settled ? 0 : NOW + d->left,
                                        .taken = d->taken};
                memset(ask.holder, d->asker, sizeof(ask.holder));
                memset(ask.hash, d->other_hash ? 'x' : 'h', sizeof(ask.hash));
                memset(row.holder, d->holder, sizeof(row.holder));
                memset(row.id, '1', sizeof(row.id));
                memset(row.hash, 'h', sizeof(row.hash));
                struct claim_decision got =
                        claim_decide(&ask, d->missing ? NULL : &row, d->room, &limits, NOW);
                bool same = got.state == d->want.state && got.change == d->want.change &&
                            got.forget == d->want.forget && got.taken == d->want.taken &&
                            got.retry == d->want.retry;
                if (!same)
                        fail_msg("%s: %s, change %d, forget %d, taken %d, retry %lld", d->label,
                                 claim_state_word(got.state), (int)got.change, got.forget,
                                 got.taken, (long long)got.retry);
        }
}

static void words_and_keys_are_checked(void **state)
{
        char longest[JOB_KEY_SIZE + 1] = "";
        enum claim_end end = CLAIM_SETTLE;
        enum claim_state parsed = CLAIM_GRANTED;
        (void)state;
        memset(longest, 'k', JOB_KEY_SIZE);
        assert_true(claim_key_is_valid(bytes_of(longest, JOB_KEY_SIZE - 1)));
        assert_false(claim_key_is_valid(bytes_of(longest, JOB_KEY_SIZE)));
        assert_false(claim_key_is_valid(bytes_of("", 0)));
        assert_true(claim_key_is_valid(bytes_of_text(" a \"~\\")));
        assert_false(claim_key_is_valid(bytes_of_text("a\x7f")));
        assert_false(claim_key_is_valid(bytes_of_text("a\x1f")));
        assert_false(claim_key_is_valid(bytes_of_text("\xc3\xa9")));
        for (unsigned i = 0; i <= CLAIM_ABANDON; i++) {
                assert_true(claim_end_parse(bytes_of_text(claim_end_word(i)), &end));
                assert_int_equal(end, i);
        }
        for (unsigned i = 0; i <= CLAIM_INVALID; i++) {
                assert_true(claim_state_parse(bytes_of_text(claim_state_word(i)), &parsed));
                assert_int_equal(parsed, i);
        }
        assert_false(claim_end_parse(bytes_of_text("settle"), &end));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_claim_is_decided),
                cmocka_unit_test(words_and_keys_are_checked),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
