/* SPDX-License-Identifier: Apache-2.0
 *
 * session_fuzz.c: the value of a session's cookie, which anybody may send. No text but the one that
 * a gateway wrote is valid.
 */
#include <assert.h>
#include <string.h>

#include "gateway/session.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct key_record k = {.id = "k1x2y3z4", .sha256 = {1, 2, 3}};
        struct session_secret secret;
        struct session s;
        char text[2 * SESSION_SIZE];
        char own[SESSION_SIZE];

        if (bytes_to_text(bytes_of(data, size), text, sizeof(text)) != 0 ||
            !session_parse(text, &s))
                return 0;
        session_secret_make("internal-secret", &secret);
        session_write(&s, &k, &secret, own);
        assert(session_is_valid(text, &s, &k, &secret, 0) ==
               (strcmp(text, own) == 0 && s.ends > 0));
        return 0;
}
