/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c: aligning cells, and replacing control characters in foreign text.
 */
#include "ui/cli/table.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/utf8.h"

static const char *const colour_codes[] = {
        [COLOUR_NONE] = "",        [COLOUR_GREEN] = "\x1b[32m", [COLOUR_YELLOW] = "\x1b[33m",
        [COLOUR_RED] = "\x1b[31m", [COLOUR_BLUE] = "\x1b[34m",  [COLOUR_GREY] = "\x1b[90m",
};

static const char replacement[] = "\xEF\xBF\xBD";
static const char ellipsis[] = "\xE2\x80\xA6";
enum { GAP = 2, LAST_MIN = 10 };

struct cell {
        struct buffer text; /* as shown */
        unsigned width;
        enum colour colour;
};

struct table {
        size_t columns;
        struct cell *cells; /* rows × columns; row 0: the titles */
        size_t rows, size;
        size_t filled; /* cells of the last row */
};

static uint32_t code_at(const char *at, unsigned length)
{
        static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
        uint32_t code = (unsigned char)at[0] & first_bits[length];

        for (unsigned i = 1; i < length; i++)
                code = code << 6 | ((unsigned char)at[i] & 0x3F);
        return code;
}

/* C0, DEL, C1, line separators, and what changes the direction of text. */
static bool is_control(uint32_t code)
{
        return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x200E || code == 0x200F ||
               (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

static void show(struct buffer *out, struct bytes text, bool keep_lines)
{
        for (size_t at = 0; at < text.length;) {
                const char *c = text.data + at;
                unsigned length = utf8_length(c, text.length - at);

                if (*c == '\n' && keep_lines)
                        buffer_add_char(out, '\n');
                else if (*c == '\n' || *c == '\t' || *c == '\r')
                        buffer_add_char(out, ' ');
                else if (length == 0 || is_control(code_at(c, length)))
                        buffer_add_text(out, replacement);
                else
                        buffer_add(out, c, length);
                at += length == 0 ? 1 : length;
        }
}

void show_text(struct buffer *out, struct bytes text)
{
        show(out, text, false);
}

void show_block(struct buffer *out, struct bytes text)
{
        show(out, text, true);
}

/* In JSON only strings have controls, and C0 are escaped there already. */
void show_json(struct buffer *out, struct bytes json)
{
        for (size_t at = 0; at < json.length;) {
                const char *c = json.data + at;
                unsigned length = utf8_length(c, json.length - at);
                uint32_t code = length > 0 ? code_at(c, length) : 0;

                if (code >= 0x20 && is_control(code))
                        buffer_printf(out, "\\u%04x", (unsigned)code);
                else
                        buffer_add(out, c, length == 0 ? 1 : length);
                at += length == 0 ? 1 : length;
        }
}

void show_coloured(struct buffer *out, const char *text, enum colour colour, bool colours)
{
        bool painted = colours && colour != COLOUR_NONE;

        if (painted)
                buffer_add_text(out, colour_codes[colour]);
        show_text(out, bytes_of_text(text));
        if (painted)
                buffer_add_text(out, "\x1b[0m");
}

/* 2 for East Asian and emoji blocks, 0 for combining marks, else 1. */
static unsigned code_width(uint32_t code)
{
        if ((code >= 0x300 && code <= 0x36F) || code == 0x200B || code == 0x200D ||
            (code >= 0xFE00 && code <= 0xFE0F))
                return 0;
        bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                    (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                    (code >= 0x1F300 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD);
        return wide ? 2 : 1;
}

/* How many bytes of shown text fit into `room` columns. *width: the columns that they take. */
static size_t fit(struct bytes shown, unsigned room, unsigned *width)
{
        size_t at = 0;

        *width = 0;
        while (at < shown.length) {
                unsigned length = utf8_length(shown.data + at, shown.length - at);
                assert(length > 0);
                unsigned more = code_width(code_at(shown.data + at, length));
                if (*width + more > room)
                        break;
                *width += more;
                at += length;
        }
        return at;
}

unsigned show_width(struct bytes shown)
{
        unsigned width;

        fit(shown, UINT_MAX, &width);
        return width;
}

void show_cut(struct buffer *shown, unsigned room)
{
        unsigned width;

        if (room == 0 || show_width(buffer_bytes(shown)) <= room)
                return;
        shown->length = fit(buffer_bytes(shown), room - 1, &width);
        buffer_add_text(shown, ellipsis);
}

struct table *table_create(const char *const *titles)
{
        struct table *t = xcalloc(1, sizeof(*t));

        while (titles[t->columns] != NULL)
                t->columns++;
        table_row(t);
        for (size_t i = 0; i < t->columns; i++)
                table_cell(t, bytes_of_text(titles[i]), COLOUR_GREY);
        return t;
}

void table_destroy(struct table **t)
{
        struct table *old = TAKE(*t);

        if (old == NULL)
                return;
        for (size_t i = 0; i < old->rows * old->columns; i++)
                buffer_fini(&old->cells[i].text);
        free(old->cells);
        free(old);
}

void table_row(struct table *t)
{
        if (t->rows == t->size) {
                t->size = t->size == 0 ? 16 : 2 * t->size;
                t->cells = xrealloc(t->cells, t->size * t->columns * sizeof(*t->cells));
        }
        for (size_t i = 0; i < t->columns; i++)
                t->cells[t->rows * t->columns + i] = (struct cell){0};
        t->rows++;
        t->filled = 0;
}

void table_cell(struct table *t, struct bytes text, enum colour colour)
{
        assert(t->filled < t->columns);
        struct cell *c = &t->cells[(t->rows - 1) * t->columns + t->filled++];

        show_text(&c->text, text);
        c->width = show_width(buffer_bytes(&c->text));
        c->colour = colour;
}

void table_cell_text(struct table *t, const char *text)
{
        table_cell(t, bytes_of_text(text), COLOUR_NONE);
}

size_t table_rows(const struct table *t)
{
        return t->rows - 1;
}

static unsigned column_width(const struct table *t, size_t column)
{
        unsigned widest = 0;

        for (size_t row = 0; row < t->rows; row++) {
                unsigned width = t->cells[row * t->columns + column].width;
                widest = width > widest ? width : widest;
        }
        return widest;
}

static void render_cell(const struct cell *c, unsigned room, bool colours, struct buffer *out)
{
        bool painted = colours && c->colour != COLOUR_NONE && c->text.length > 0;
        unsigned width;

        if (painted)
                buffer_add_text(out, colour_codes[c->colour]);
        if (c->width > room) {
                buffer_add(out, c->text.data, fit(buffer_bytes(&c->text), room - 1, &width));
                buffer_add_text(out, ellipsis);
        } else {
                buffer_add(out, c->text.data, c->text.length);
        }
        if (painted)
                buffer_add_text(out, "\x1b[0m");
}

static void render_row(const struct table *t, size_t row, const unsigned *widths, bool colours,
                       struct buffer *out)
{
        const struct cell *cells = &t->cells[row * t->columns];

        for (size_t i = 0; i < t->columns; i++) {
                render_cell(&cells[i], widths[i], colours, out);
                if (i + 1 < t->columns)
                        buffer_printf(out, "%*s", (int)(widths[i] - cells[i].width + GAP), "");
        }
        while (out->length > 0 && out->data[out->length - 1] == ' ')
                out->length--;
        buffer_add_char(out, '\n');
}

void table_render(const struct table *t, unsigned width, bool colours, struct buffer *out)
{
        AUTO_FREE unsigned *widths = xcalloc(t->columns, sizeof(*widths));
        unsigned before = 0;

        for (size_t i = 0; i < t->columns; i++)
                widths[i] = column_width(t, i);
        for (size_t i = 0; i + 1 < t->columns; i++)
                before += widths[i] + GAP;
        unsigned *last = &widths[t->columns - 1];
        if (before + *last > width && width >= before + LAST_MIN)
                *last = width - before;
        for (size_t row = 0; row < t->rows; row++)
                render_row(t, row, widths, colours, out);
}
