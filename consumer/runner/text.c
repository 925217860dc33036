/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c: repairing, cutting and quoting text from handlers.
 */
#include "consumer/runner/text.h"

#include <stdint.h>
#include <string.h>

#include "common/base/json_scan.h"
#include "common/base/utf8.h"

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

void text_repair(struct bytes text, size_t max, struct buffer *out)
{
        size_t room = max;

        for (size_t at = 0; at < text.length;) {
                unsigned length = utf8_length(text.data + at, text.length - at);
                bool good = length > 0 && text.data[at] != '\0';
                size_t adds = good ? length : sizeof(replacement) - 1;
                if (adds > room)
                        return;
                buffer_add(out, good ? text.data + at : replacement, adds);
                room -= adds;
                at += good ? length : 1;
        }
}

void text_repair_tail(struct bytes text, size_t max, struct buffer *out)
{
        AUTO_BUFFER whole = {0};

        text_repair(text, SIZE_MAX, &whole);
        size_t skip = whole.length > max ? whole.length - max : 0;
        while (skip < whole.length && utf8_continues_((unsigned char)whole.data[skip]))
                skip++;
        buffer_add(out, whole.data + skip, whole.length - skip);
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

struct bytes text_trim(struct bytes text)
{
        while (text.length > 0 && is_blank(text.data[0]))
                text = bytes_of(text.data + 1, text.length - 1);
        while (text.length > 0 && is_blank(text.data[text.length - 1]))
                text.length--;
        return text;
}

/* Adds a quoted string of at most max bytes; escapes make it longer than its text. */
static void add_cut_string(struct bytes text, size_t total, size_t max, struct buffer *out)
{
        AUTO_BUFFER cut = {0};
        size_t keep = text.length < max ? text.length : max;

        for (;;) {
                buffer_clear(&cut);
                text_repair(bytes_of(text.data, keep), max, &cut);
                if (keep < total)
                        buffer_printf(&cut, " … [cut, %zu bytes in all]", total);

                AUTO_BUFFER quoted = {0};
                buffer_add_json_string(&quoted, buffer_bytes(&cut));
                if (quoted.length <= max) {
                        buffer_add(out, quoted.data, quoted.length);
                        return;
                }
                size_t over = quoted.length - max;
                keep -= over / 6 + 1 < keep ? over / 6 + 1 : keep;
        }
}

bool text_to_result(struct bytes output, size_t total, size_t max, struct buffer *out)
{
        struct bytes text = text_trim(output);
        struct scan_fault fault;

        if (text.length == 0)
                return false;
        if (output.length == total) /* white space at the end does not count */
                total = text.length;
        if (text.length == total && total <= max && scan_check(text, SCAN_DEPTH_MAX, &fault) == 0)
                buffer_add(out, text.data, text.length);
        else
                add_cut_string(text, total, max, out);
        return true;
}
