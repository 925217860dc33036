/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan_fuzz.c: the scanner must agree with jansson on what is JSON, except for the limits that
 * only one of them has. Whatever it accepts can be walked to the end, and each piece is accepted
 * again by itself.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include <jansson.h>

#include "common/base/json_scan.h"

/* jansson refuses numbers it cannot hold and keys with NUL; the scanner limits depth. jansson 2.14
 * overlooks a NUL byte after a number (its stream_unget). */
static void compare(struct bytes text, bool accepted, const struct scan_fault *fault)
{
        json_error_t error;
        json_t *other = json_loadb(text.data, text.length,
                                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL |
                                           JSON_DECODE_INT_AS_REAL,
                                   &error);
        enum json_error_code code = json_error_code(&error);

        if (accepted && other == NULL)
                assert(code == json_error_numeric_overflow || code == json_error_null_byte_in_key);
        if (!accepted && other != NULL)
                assert(bytes_equal(bytes_of(fault->detail, 9), bytes_of_text("more than")) ||
                       memchr(text.data, '\0', text.length) != NULL);
        json_decref(other);
}

static void check_fault(struct bytes text, const struct scan_fault *f)
{
        assert(f->offset <= text.length);
        assert(f->line >= 1 && f->column >= 1 && f->detail[0] != '\0');
        assert(bytes_are_utf8(bytes_of_text(f->detail)));
        assert(bytes_are_utf8(bytes_of_text(f->pointer)));
}

static void read_value(struct scan_value v)
{
        struct scan_fault fault;
        AUTO_BUFFER out = {0};
        int64_t integer;

        int again = scan_check(v.raw, SCAN_DEPTH_MAX, &fault);
        assert(again == 0);
        (void)again;
        if (v.kind == SCAN_STRING) {
                scan_string(v, &out);
                assert(bytes_are_utf8(buffer_bytes(&out)));
        } else if (v.kind == SCAN_NUMBER) {
                scan_real(v);
                (void)!scan_int(v, &integer);
        }
}

/* Depth is at most SCAN_DEPTH_MAX, so a stack of that many cursors is enough. */
static void walk(struct scan_value root)
{
        struct scan_cursor stack[SCAN_DEPTH_MAX + 1];
        struct scan_item item;
        size_t depth = 0;

        read_value(root);
        stack[depth++] = scan_items(root);
        while (depth > 0) {
                if (!scan_next(&stack[depth - 1], &item)) {
                        assert(stack[depth - 1].at == stack[depth - 1].end);
                        depth--;
                        continue;
                }
                if (item.value.kind == SCAN_ARRAY || item.value.kind == SCAN_OBJECT) {
                        assert(depth <= SCAN_DEPTH_MAX);
                        stack[depth++] = scan_items(item.value);
                } else {
                        read_value(item.value);
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct bytes text = bytes_of(data, length);
        struct scan_fault fault = {.detail = ""};
        bool accepted = scan_check(text, SCAN_DEPTH_MAX, &fault) == 0;

        compare(text, accepted, &fault);
        if (accepted)
                walk(scan_root(text));
        else
                check_fault(text, &fault);
        return 0;
}
