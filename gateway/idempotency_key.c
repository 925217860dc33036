/* SPDX-License-Identifier: Apache-2.0
 *
 * idempotency_key.c: the two forms of the header Idempotency-Key.
 */
#include "gateway/idempotency_key.h"

#include <string.h>

#include "common/model/claim.h"

/* text begins behind the first quote. Returns the key's length; JOB_KEY_SIZE: too long. -1: no
 * string of RFC 8941, or there is more behind it. */
static int unquote(struct bytes text, char out[JOB_KEY_SIZE])
{
        int length = 0;

        for (size_t i = 0; i < text.length; i++) {
                char c = text.data[i];
                if (c == '"')
                        return i + 1 == text.length ? length : -1;
                if (c == '\\') {
                        if (++i == text.length)
                                return -1;
                        c = text.data[i];
                        if (c != '"' && c != '\\')
                                return -1;
                }
                if (length < JOB_KEY_SIZE)
                        out[length++] = c;
        }
        return -1;
}

/* Without spaces and tabs around it. */
static struct bytes trimmed(const char *header)
{
        static const char blanks[] = " \t";
        struct bytes text;

        header += strspn(header, blanks);
        text = bytes_of_text(header);
        while (text.length > 0 && strchr(blanks, text.data[text.length - 1]) != NULL)
                text.length--;
        return text;
}

int idempotency_key_parse(const char *header, char out[JOB_KEY_SIZE], struct err *e)
{
        struct bytes text = trimmed(header);
        char unquoted[JOB_KEY_SIZE];
        bool quoted = text.length > 0 && text.data[0] == '"';

        if (quoted) {
                int length = unquote(bytes_of(text.data + 1, text.length - 1), unquoted);
                if (length < 0)
                        return err_set(e, ERR_INVALID,
                                       "the header Idempotency-Key begins with a quote and is not "
                                       "one quoted string");
                text = bytes_of(unquoted, (size_t)length);
        } else if (memchr(text.data, ' ', text.length) != NULL) {
                return err_set(e, ERR_INVALID,
                               "the header Idempotency-Key has a space: quote the key");
        }
        if (!claim_key_is_valid(text))
                return err_set(e, ERR_INVALID,
                               "the header Idempotency-Key must be " IDEMPOTENCY_KEY_FORM);
        memcpy(out, text.data, text.length);
        out[text.length] = '\0';
        return 0;
}
