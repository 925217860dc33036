/* SPDX-License-Identifier: Apache-2.0
 *
 * json_split_fuzz.c: the same elements come out wherever a text is cut into pieces. Those of an
 * array that scan_check accepts are the ones that scan_next finds. Every text that scan_check
 * accepts comes out as it went in when it is an element. Positions are those of scan_locate.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "common/base/json_split.h"

enum { ELEMENT_MAX = 4096 };

/* What a split gave, in a form that can be compared. */
static void note(const struct json_split *s, enum split_step step, struct buffer *out)
{
        const struct split_element *x = &s->element;

        buffer_printf(out, "%d %zu %zu %u:%u ", (int)step, x->index, x->offset, x->line, x->column);
        if (step == SPLIT_ELEMENT)
                buffer_add(out, x->text.data, x->text.length);
        if (step == SPLIT_BROKEN)
                buffer_printf(out, "%zu %u:%u %s %s", s->fault.offset, s->fault.line,
                              s->fault.column, s->fault.pointer, s->fault.detail);
}

static void check_place(struct bytes text, const struct split_element *x)
{
        unsigned line, column;

        assert(x->offset < text.length);
        scan_locate(text, text.data + x->offset, &line, &column);
        assert(line == x->line && column == x->column);
}

static void check_element(struct bytes text, const struct json_split *s, enum split_step step)
{
        check_place(text, &s->element);
        if (step == SPLIT_ELEMENT) {
                const struct bytes place = {text.data + s->element.offset, s->element.text.length};
                assert(place.length > 0 && place.length <= ELEMENT_MAX);
                assert(bytes_equal(place, s->element.text));
        }
}

static bool is_element(enum split_step step)
{
        return step == SPLIT_ELEMENT || step == SPLIT_TOO_LARGE;
}

static void split(enum split_form form, struct bytes text, size_t piece_max, struct buffer *out)
{
        struct json_split s;
        enum split_step step = SPLIT_NEED;
        size_t at = 0, used = 0;

        json_split_init(&s, form, ELEMENT_MAX);
        while (at < text.length && step != SPLIT_BROKEN) {
                size_t left = text.length - at;
                struct bytes piece = {text.data + at, left < piece_max ? left : piece_max};
                step = json_split_feed(&s, piece, &used);
                assert(used <= piece.length && (step != SPLIT_NEED || used == piece.length));
                at += used;
                if (is_element(step))
                        check_element(text, &s, step);
                if (step != SPLIT_NEED)
                        note(&s, step, out);
        }
        while (step != SPLIT_BROKEN && step != SPLIT_DONE) {
                step = json_split_end(&s);
                note(&s, step, out);
        }
        assert(s.fault.offset <= text.length);
        json_split_fini(&s);
}

static void compare_pieces(enum split_form form, struct bytes text)
{
        static const size_t sizes[] = {1, 7, 64};
        AUTO_BUFFER whole = {0};

        split(form, text, text.length, &whole);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                AUTO_BUFFER pieces = {0};
                split(form, text, sizes[i], &pieces);
                assert(bytes_equal(buffer_bytes(&whole), buffer_bytes(&pieces)));
        }
}

static void compare_scan(struct bytes text)
{
        struct scan_cursor c = scan_items(scan_root(text));
        struct scan_item item;
        struct json_split s;
        size_t at = 0, used = 0;

        json_split_init(&s, SPLIT_ARRAY, text.length);
        while (scan_next(&c, &item)) {
                enum split_step step =
                        json_split_feed(&s, bytes_of(text.data + at, text.length - at), &used);
                assert(step == SPLIT_ELEMENT && bytes_equal(s.element.text, item.value.raw));
                (void)step;
                at += used;
        }
        enum split_step last =
                json_split_feed(&s, bytes_of(text.data + at, text.length - at), &used);
        assert(last == SPLIT_NEED);
        last = json_split_end(&s);
        assert(last == SPLIT_DONE);
        (void)last;
        json_split_fini(&s);
}

static void compare_wrapped(struct bytes text)
{
        AUTO_BUFFER array = {0};
        struct scan_fault fault;

        buffer_add_char(&array, '[');
        for (int i = 0; i < 3; i++) {
                buffer_add(&array, text.data, text.length);
                buffer_add_char(&array, i < 2 ? ',' : ']');
        }
        /* Refused when the text has the greatest depth already. */
        if (scan_check(buffer_bytes(&array), SCAN_DEPTH_MAX, &fault) == 0)
                compare_scan(buffer_bytes(&array));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct bytes text = bytes_of(data, length);
        struct scan_fault fault;

        compare_pieces(SPLIT_ARRAY, text);
        compare_pieces(SPLIT_LINES, text);
        if (scan_check(text, SCAN_DEPTH_MAX, &fault) == 0) {
                compare_wrapped(text);
                if (scan_root(text).kind == SCAN_ARRAY)
                        compare_scan(text);
        }
        return 0;
}
