/* SPDX-License-Identifier: Apache-2.0
 *
 * json_split.c: finds where elements begin and end.
 */
#include "common/base/json_split.h"

#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

enum state {
        ARRAY_BEGIN, /* before '[' */
        ARRAY_FIRST, /* behind '[' */
        ARRAY_NEXT,  /* behind a comma */
        ARRAY_AFTER, /* behind an element */
        ARRAY_OVER,  /* behind ']' */
        BETWEEN_LINES,
        IN_VALUE,  /* of an array: an object, an array or a string */
        IN_SCALAR, /* of an array: anything else */
        IN_LINE,
        IS_BROKEN,
};

void json_split_init(struct json_split *s, enum split_form form, size_t element_max)
{
        *s = (struct json_split){
                .form = form,
                .element_max = element_max,
                .state = form == SPLIT_LINES ? BETWEEN_LINES : ARRAY_BEGIN,
                .line = 1,
                .column = 1,
        };
}

void json_split_fini(struct json_split *s)
{
        buffer_fini(&s->kept);
}

static bool is_in_element(const struct json_split *s)
{
        return s->state == IN_VALUE || s->state == IN_SCALAR || s->state == IN_LINE;
}

static bool is_space(char c)
{
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void advance(struct json_split *s, struct bytes used)
{
        const char *at = used.data, *end = used.data + used.length, *feed;

        for (; (feed = memchr(at, '\n', (size_t)(end - at))) != NULL; at = feed + 1) {
                s->line++;
                s->column = 1;
        }
        for (; at < end; at++)
                s->column += ((unsigned char)*at & 0xC0) != 0x80;
        s->offset += used.length;
}

static void refuse(struct json_split *s, const char *detail)
{
        struct scan_fault *f = &s->fault;

        *f = (struct scan_fault){.offset = s->offset, .line = s->line, .column = s->column};
        if (is_in_element(s))
                snprintf(f->pointer, sizeof(f->pointer), "/%zu", s->element.index);
        snprintf(f->detail, sizeof(f->detail), "%s", detail);
        s->state = IS_BROKEN;
}

static void begin_element(struct json_split *s, enum state state)
{
        s->state = state;
        s->element = (struct split_element){
                .index = s->count++, .offset = s->offset, .line = s->line, .column = s->column};
        s->in_string = s->escaped = s->too_large = false;
        s->depth = 0;
        buffer_clear(&s->kept);
}

static void begin_in_array(struct json_split *s, char c)
{
        bool shows_its_end = c == '{' || c == '[' || c == '"';

        begin_element(s, shows_its_end ? IN_VALUE : IN_SCALAR);
}

/* A byte between two elements that is not white space. True: it is used; else an element begins
 * with it, or the text is broken. */
static bool take(struct json_split *s, char c)
{
        switch ((enum state)s->state) {
        case ARRAY_BEGIN:
                if (c == '[')
                        s->state = ARRAY_FIRST;
                else
                        refuse(s, c == UTF8_BOM[0] ? "the text " UTF8_BOM_REFUSAL
                                                   : "'[' should be here");
                return c == '[';
        case ARRAY_FIRST:
        case ARRAY_NEXT:
                if (c == ']' && s->state == ARRAY_FIRST) {
                        s->state = ARRAY_OVER;
                        return true;
                }
                if (c == ',' || c == ']')
                        refuse(s, "an element should be here");
                else
                        begin_in_array(s, c);
                return false;
        case ARRAY_AFTER:
                if (c == ',' || c == ']') {
                        s->state = c == ',' ? ARRAY_NEXT : ARRAY_OVER;
                        return true;
                }
                refuse(s, "',' or ']' should be here");
                return false;
        case ARRAY_OVER:
                refuse(s, "the text should end here");
                return false;
        case BETWEEN_LINES:
                begin_element(s, IN_LINE);
                return false;
        case IN_VALUE:
        case IN_SCALAR:
        case IN_LINE:
        case IS_BROKEN:
                return false;
        }
        return false;
}

/* Returns how many bytes are before the next element, or before the fault. */
static size_t skip_between(struct json_split *s, struct bytes piece)
{
        size_t at = 0;

        for (; at < piece.length; at++) {
                if (!is_space(piece.data[at]) && !take(s, piece.data[at]))
                        break;
                advance(s, bytes_of(piece.data + at, 1));
        }
        return at;
}

static const char *skip_string(struct json_split *s, const char *at, const char *end)
{
        for (; at < end; at++) {
                while (!s->escaped && end - at > 8 && utf8_eight_are_plain(at))
                        at += 8;
                if (s->escaped) {
                        s->escaped = false;
                } else if (*at == '\\') {
                        s->escaped = true;
                } else if (*at == '"') {
                        s->in_string = false;
                        return at + 1;
                }
        }
        return at;
}

static void step_outside_string(struct json_split *s, char c)
{
        if (c == '"')
                s->in_string = true;
        else if (c == '{' || c == '[')
                s->depth++;
        else if (c == '}' || c == ']')
                s->depth--;
}

static size_t value_length(struct json_split *s, struct bytes piece, bool *ended)
{
        const char *at = piece.data, *end = piece.data + piece.length;

        while (at < end && !*ended) {
                if (s->in_string)
                        at = skip_string(s, at, end);
                else
                        step_outside_string(s, *at++);
                *ended = s->depth == 0 && !s->in_string;
        }
        return (size_t)(at - piece.data);
}

static size_t scalar_length(struct bytes piece, bool *ended)
{
        size_t at = 0;

        while (at < piece.length && !is_space(piece.data[at]) &&
               (piece.data[at] == '\0' || strchr(",]\"{[", piece.data[at]) == NULL))
                at++;
        *ended = at < piece.length;
        return at;
}

static size_t line_length(struct bytes piece, bool *ended)
{
        const char *feed = memchr(piece.data, '\n', piece.length);

        *ended = feed != NULL;
        return feed != NULL ? (size_t)(feed - piece.data) : piece.length;
}

static size_t element_length(struct json_split *s, struct bytes piece, bool *ended)
{
        if (s->state == IN_LINE)
                return line_length(piece, ended);
        return s->state == IN_VALUE ? value_length(s, piece, ended) : scalar_length(piece, ended);
}

/* One byte more than allowed: it can be the CR of a line. */
static void keep(struct json_split *s, struct bytes more)
{
        if (s->too_large || more.length > s->element_max + 1 - s->kept.length) {
                s->too_large = true;
                buffer_clear(&s->kept);
                return;
        }
        buffer_add(&s->kept, more.data, more.length);
}

static enum split_step give(struct json_split *s)
{
        size_t length = s->kept.length;

        s->state = s->form == SPLIT_LINES ? BETWEEN_LINES : ARRAY_AFTER;
        while (length > 0 && is_space(s->kept.data[length - 1]))
                length--;
        if (s->too_large || length > s->element_max)
                return SPLIT_TOO_LARGE;
        s->element.text = bytes_of(s->kept.data, length);
        return SPLIT_ELEMENT;
}

enum split_step json_split_feed(struct json_split *s, struct bytes piece, size_t *used)
{
        bool ended = false;

        *used = is_in_element(s) ? 0 : skip_between(s, piece);
        if (s->state == IS_BROKEN)
                return SPLIT_BROKEN;
        if (*used == piece.length)
                return SPLIT_NEED;
        piece = bytes_of(piece.data + *used, piece.length - *used);
        const struct bytes part = bytes_of(piece.data, element_length(s, piece, &ended));
        keep(s, part);
        advance(s, part);
        *used += part.length;
        return ended ? give(s) : SPLIT_NEED;
}

enum split_step json_split_end(struct json_split *s)
{
        switch ((enum state)s->state) {
        case ARRAY_OVER:
        case BETWEEN_LINES:
                return SPLIT_DONE;
        case IN_LINE:
                return give(s);
        case ARRAY_BEGIN:
                refuse(s, "the text ends where '[' should be");
                break;
        case ARRAY_FIRST:
        case ARRAY_NEXT:
                refuse(s, "the text ends where an element should be");
                break;
        case IN_VALUE:
                refuse(s, "the text ends within an element");
                break;
        case IN_SCALAR:
        case ARRAY_AFTER:
                refuse(s, "the text ends where ',' or ']' should be");
                break;
        case IS_BROKEN:
                break;
        }
        return SPLIT_BROKEN;
}

void split_element_locate(const struct split_element *element, struct scan_fault *fault)
{
        AUTO_BUFFER pointer = {0};

        buffer_printf(&pointer, "/%zu%s", element->index, fault->pointer);
        scan_pointer_cut(buffer_bytes(&pointer), fault->pointer);
        fault->offset += element->offset;
        if (fault->line == 1)
                fault->column += element->column - 1;
        fault->line += element->line - 1;
}
