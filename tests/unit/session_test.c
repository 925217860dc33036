/* SPDX-License-Identifier: Apache-2.0
 *
 * session_test.c: sessions that are forged, cut, of another key, or over.
 */
#include "gateway/session.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

#define NOW ((msec)1764000000123)

static struct key_record key_named(const char *id)
{
        struct key_record k = {.tenant = "acme", .scopes = SCOPE_READ};
        snprintf(k.id, sizeof(k.id), "%s", id);
        for (size_t i = 0; i < sizeof(k.sha256); i++)
                k.sha256[i] = (unsigned char)i;
        return k;
}

static bool is_valid(const char *text, const struct key_record *k, const char *token, msec now)
{
        struct session_secret secret;
        struct session s;
        session_secret_make(token, &secret);
        return session_parse(text, &s) && session_is_valid(text, &s, k, &secret, now);
}

static void begin(const struct key_record *k, char text[SESSION_SIZE])
{
        struct session_secret secret;
        struct session s;
        session_secret_make("internal-secret", &secret);
        session_init(&s, k, NOW);
        session_write(&s, k, &secret, text);
}

/* Every gateway of a version must read what another wrote: the form stays. */
static void the_form_is_fixed(void **state)
{
        const struct key_record k = key_named("k1x2y3z4");
        char text[SESSION_SIZE];
        (void)state;
        begin(&k, text);
        assert_string_equal(text, "1.k1x2y3z4.69248100.692529c0."
                                  "w5gkFaxrJEgzRXGkbRynLoiZDj-PkZzRqOVZJifuGqU");
        assert_null(strpbrk(text, "+/=;, \""));
}

static void a_session_is_valid_until_it_ends(void **state)
{
        const struct key_record k = key_named("k1x2y3z4");
        const msec ends = NOW - NOW % MSEC_SECOND + SESSION_TIME;
        char text[SESSION_SIZE];
        (void)state;
        begin(&k, text);
        assert_true(is_valid(text, &k, "internal-secret", NOW));
        assert_true(is_valid(text, &k, "internal-secret", ends - 1));
        assert_false(is_valid(text, &k, "internal-secret", ends));
}

static void it_does_not_outlive_its_key(void **state)
{
        struct key_record k = key_named("k1x2y3z4");
        struct session s;
        (void)state;
        k.expires = NOW + MSEC_MINUTE;
        session_init(&s, &k, NOW);
        assert_int_equal(s.ends, k.expires - k.expires % MSEC_SECOND);
        k.expires = NOW + 2 * SESSION_TIME;
        session_init(&s, &k, NOW);
        assert_int_equal(s.ends, s.begun + SESSION_TIME);
}

static void another_key_or_token_is_refused(void **state)
{
        struct key_record k = key_named("k1x2y3z4");
        const struct key_record other = key_named("other123");
        char text[SESSION_SIZE];
        (void)state;
        begin(&k, text);
        assert_false(is_valid(text, &other, "internal-secret", NOW));
        assert_false(is_valid(text, &k, "internal-secreT", NOW));
        k.sha256[31] ^= 1; /* a key of the same id, made again */
        assert_false(is_valid(text, &k, "internal-secret", NOW));
}

/* Each character is changed, and each beginning is tried. */
static void forged_and_cut_ones_are_refused(void **state)
{
        const struct key_record k = key_named("k1x2y3z4");
        char text[SESSION_SIZE];
        (void)state;
        begin(&k, text);
        for (size_t i = 0; text[i] != '\0'; i++) {
                char forged[SESSION_SIZE];
                memcpy(forged, text, sizeof(forged));
                forged[i] = text[i] == '1' ? '2' : '1';
                assert_false(is_valid(forged, &k, "internal-secret", NOW));
                memcpy(forged, text, sizeof(forged));
                forged[i] = '\0';
                assert_false(is_valid(forged, &k, "internal-secret", NOW));
        }
}

static void other_forms_are_refused(void **state)
{
        static const char *const refused[] = {
                "",
                "1",
                "1.",
                "2.k1x2y3z4.69248100.692529c0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "1.k1x2y3z.69248100.692529c0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "1.k1x2y3z45.69248100.692529c0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "1.k1x2y3z4..692529c0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "1.k1x2y3z4.-9240000.692529c0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "1.k1x2y3z4.69248100.ffffffffffffffff.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "1.k1x2y3z4.69248100.692529c0.AAAA",
                "1.k1x2y3z4.69248100.692529c0",
        };
        char longer[4 * SESSION_SIZE];
        struct session s;
        (void)state;
        for (size_t i = 0; i < COUNT(refused); i++)
                assert_false(session_parse(refused[i], &s));
        memset(longer, '1', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        assert_false(session_parse(longer, &s));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_form_is_fixed),
                cmocka_unit_test(a_session_is_valid_until_it_ends),
                cmocka_unit_test(it_does_not_outlive_its_key),
                cmocka_unit_test(another_key_or_token_is_refused),
                cmocka_unit_test(forged_and_cut_ones_are_refused),
                cmocka_unit_test(other_forms_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
