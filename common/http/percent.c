/* SPDX-License-Identifier: Apache-2.0
 *
 * percent.c: percent-encodes and decodes.
 */
#include "common/http/percent.h"

#include <ctype.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/hex.h"
#include "common/http/client.h"

int percent_decode(char *text, enum percent_where where, struct err *e)
{
        char *to = text;

        for (const char *at = text; *at != '\0'; at++) {
                if (*at == '+' && where == PERCENT_QUERY) {
                        *to++ = ' ';
                        continue;
                }
                if (*at != '%') {
                        *to++ = *at;
                        continue;
                }
                int high = hex_value(at[1]);
                int low = high < 0 ? -1 : hex_value(at[2]);
                if (low < 0)
                        return err_set(e, ERR_INVALID, "has a bad percent escape");
                if (high == 0 && low == 0)
                        return err_set(e, ERR_INVALID, "has an escaped NUL");
                *to++ = (char)(high * 16 + low);
                at += 2;
        }
        *to = '\0';
        if (!bytes_are_utf8(bytes_of(text, (size_t)(to - text))))
                return err_set(e, ERR_INVALID, "is not UTF-8 after percent-decoding");
        return 0;
}

void url_encode(struct buffer *out, const char *text)
{
        static const char digits[] = "0123456789ABCDEF";

        for (const char *c = text; *c != '\0'; c++) {
                unsigned char byte = (unsigned char)*c;
                if (isalnum(byte) || strchr("-._~", byte) != NULL) {
                        buffer_add_char(out, *c);
                        continue;
                }
                buffer_add_char(out, '%');
                buffer_add_char(out, digits[byte >> 4]);
                buffer_add_char(out, digits[byte & 15]);
        }
}
