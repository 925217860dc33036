/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan.c: checking JSON in one pass. json_walk.c reads the accepted text.
 */
#include "common/base/json_scan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/memory.h"
#include "common/base/utf8.h"

enum {
        KEYS_INLINE = 48,
        /* An object with more members is checked for duplicates at its end, by sorting: unlike a
         * hash table, hostile keys cannot make that slow. */
        KEYS_LINEAR = 16,
};

struct level {
        bool is_object;
        bool has_key;     /* object: a key has been read */
        size_t keys_base; /* object: its first key in the scanner's keys */
        size_t last_key;  /* object: the key whose value is being read */
        size_t index;     /* array: of the element being read */
};

struct scanner {
        const char *begin, *at, *end;
        unsigned depth, max_depth;
        struct scan_fault *fault;
        struct json_text *keys; /* of the open objects, outermost first */
        size_t key_count, key_size;
        struct json_text keys_inline[KEYS_INLINE];
        struct level levels[SCAN_DEPTH_WRAPPED];
};

void scan_pointer_step(struct bytes raw_key, struct buffer *out)
{
        AUTO_BUFFER plain = {0};

        json_text_resolve(json_text_of(raw_key), &plain);
        buffer_add_char(out, '/');
        for (size_t i = 0; i < plain.length; i++) {
                char c = plain.data[i];
                if (c == '~')
                        buffer_add_text(out, "~0");
                else if (c == '/')
                        buffer_add_text(out, "~1");
                else
                        buffer_add_char(out, c == '\0' ? ' ' : c); /* a C string */
        }
}

void scan_pointer_cut(struct bytes pointer, char out[SCAN_POINTER_SIZE])
{
        static const char ellipsis[] = "\xE2\x80\xA6";
        const char *end = pointer.data + pointer.length;

        if (pointer.length < SCAN_POINTER_SIZE) {
                memcpy(out, pointer.data, pointer.length);
                out[pointer.length] = '\0';
                return;
        }
        const char *tail = end - (SCAN_POINTER_SIZE - sizeof(ellipsis));
        while (((unsigned char)*tail & 0xC0) == 0x80)
                tail++;
        memcpy(out, ellipsis, sizeof(ellipsis) - 1);
        memcpy(out + sizeof(ellipsis) - 1, tail, (size_t)(end - tail));
        out[sizeof(ellipsis) - 1 + (size_t)(end - tail)] = '\0';
}

static void write_pointer(const struct scanner *s, char out[SCAN_POINTER_SIZE])
{
        AUTO_BUFFER whole = {0};

        for (unsigned i = 0; i < s->depth; i++) {
                const struct level *l = &s->levels[i];
                const struct json_text *key = &s->keys[l->last_key];
                if (!l->is_object)
                        buffer_printf(&whole, "/%zu", l->index);
                else if (l->has_key)
                        scan_pointer_step(bytes_of(key->data, key->length), &whole);
        }
        scan_pointer_cut(buffer_bytes(&whole), out);
}

/* Returns -1. */
static int refuse(const struct scanner *s, const char *at, const char *detail)
{
        struct scan_fault *f = s->fault;

        f->offset = (size_t)(at - s->begin);
        scan_locate(bytes_of(s->begin, (size_t)(s->end - s->begin)), at, &f->line, &f->column);
        write_pointer(s, f->pointer);
        snprintf(f->detail, sizeof(f->detail), "%s", detail);
        return -1;
}

/* Refuses a byte that is not allowed here, or the end of the text. */
static int refuse_here(const struct scanner *s, const char *expected)
{
        char detail[sizeof(s->fault->detail)];

        if (s->at == s->end)
                snprintf(detail, sizeof(detail), "the text ends where %s should be", expected);
        else if (*s->at > ' ' && *s->at < 0x7f)
                snprintf(detail, sizeof(detail), "'%c' where %s should be", *s->at, expected);
        else
                snprintf(detail, sizeof(detail), "byte 0x%02x where %s should be",
                         (unsigned char)*s->at, expected);
        return refuse(s, s->at, detail);
}

static inline void skip_space(struct scanner *s)
{
        while (s->at < s->end &&
               (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
                s->at++;
}

static inline bool is_plain(char c)
{
        return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static bool hex4_at(const char *at, const char *end, unsigned *out)
{
        *out = 0;
        for (int i = 0; i < 4; i++) {
                int digit = at + i < end ? hex_value(at[i]) : -1;
                if (digit < 0)
                        return false;
                *out = *out << 4 | (unsigned)digit;
        }
        return true;
}

/* At a backslash. Surrogates are accepted only in pairs. */
static int check_escape(struct scanner *s)
{
        const char *start = s->at;
        unsigned code, low;

        if (s->end - start < 2)
                return refuse(s, start, "the text ends within an escape");
        if (start[1] != 'u') {
                if (strchr("\"\\/bfnrt", start[1]) == NULL || start[1] == '\0')
                        return refuse(s, start, "unknown escape");
                s->at += 2;
                return 0;
        }
        if (!hex4_at(start + 2, s->end, &code))
                return refuse(s, start, "\\u without four hexadecimal digits");
        s->at += 6;
        if (code < 0xD800 || code > 0xDFFF)
                return 0;
        bool pair = code <= 0xDBFF && s->end - s->at >= 2 && s->at[0] == '\\' && s->at[1] == 'u' &&
                    hex4_at(s->at + 2, s->end, &low) && low >= 0xDC00 && low <= 0xDFFF;
        if (!pair)
                return refuse(s, start, "half of a surrogate pair");
        s->at += 6;
        return 0;
}

/* At what utf8_eight_are_plain stopped for, unless it is the closing quote. */
static int check_special(struct scanner *s, bool *escaped)
{
        unsigned char c = (unsigned char)*s->at;

        if (c == '\\') {
                *escaped = true;
                return check_escape(s);
        }
        if (c < 0x20)
                return refuse(s, s->at, "a control character within a string");
        unsigned length = utf8_length(s->at, (size_t)(s->end - s->at));
        if (length == 0)
                return refuse(s, s->at, "not UTF-8");
        s->at += length;
        return 0;
}

/* At the opening quote. */
static int check_string(struct scanner *s, struct json_text *out)
{
        const char *open = s->at++;

        out->escaped = false;
        for (;;) {
                while (s->end - s->at >= 8 && utf8_eight_are_plain(s->at))
                        s->at += 8;
                while (s->at < s->end && is_plain(*s->at))
                        s->at++;
                if (s->at == s->end)
                        return refuse(s, open, "a string that does not end");
                if (*s->at == '"')
                        break;
                if (check_special(s, &out->escaped) < 0)
                        return -1;
        }
        out->data = open + 1;
        out->length = (size_t)(s->at - out->data);
        s->at++;
        return 0;
}

static const char *skip_digits(const char *at, const char *end)
{
        while (at < end && *at >= '0' && *at <= '9')
                at++;
        return at;
}

static int refuse_number(struct scanner *s, const char *at)
{
        s->at = at;
        return refuse_here(s, "a digit");
}

static int check_number(struct scanner *s)
{
        const char *at = s->at + (*s->at == '-');
        const char *digits = at;

        at = skip_digits(at, s->end);
        if (at == digits)
                return refuse_number(s, at);
        if (*digits == '0' && at - digits > 1)
                return refuse(s, digits, "a number with a leading zero");
        if (at < s->end && *at == '.') {
                digits = ++at;
                at = skip_digits(at, s->end);
                if (at == digits)
                        return refuse_number(s, at);
        }
        if (at < s->end && (*at == 'e' || *at == 'E')) {
                at++;
                if (at < s->end && (*at == '+' || *at == '-'))
                        at++;
                digits = at;
                at = skip_digits(at, s->end);
                if (at == digits)
                        return refuse_number(s, at);
        }
        s->at = at;
        return 0;
}

static int check_word(struct scanner *s, const char *word)
{
        size_t length = strlen(word);

        if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
                return refuse_here(s, "a value");
        s->at += length;
        return 0;
}

static int check_scalar(struct scanner *s)
{
        struct json_text unused;

        switch (*s->at) {
        case '"':
                return check_string(s, &unused);
        case 't':
                return check_word(s, "true");
        case 'f':
                return check_word(s, "false");
        case 'n':
                return check_word(s, "null");
        case '-':
                return check_number(s);
        default:
                return *s->at >= '0' && *s->at <= '9' ? check_number(s) : refuse_here(s, "a value");
        }
}

static int refuse_duplicate(struct scanner *s, size_t key)
{
        s->levels[s->depth - 1].last_key = key;
        return refuse(s, s->keys[key].data - 1, "a member of this name exists already");
}

/* Checks small objects, key by key. */
static int check_key_is_new(struct scanner *s, size_t base)
{
        size_t last = s->key_count - 1;

        if (last - base >= KEYS_LINEAR)
                return 0;
        for (size_t i = base; i < last; i++) {
                if (json_text_equal(&s->keys[i], &s->keys[last]))
                        return refuse_duplicate(s, last);
        }
        return 0;
}

static int by_text_and_place(const void *left, const void *right)
{
        const struct json_text *a = left, *b = right;
        int order = json_text_compare(a, b);

        return order != 0 ? order : (a->data > b->data) - (a->data < b->data);
}

/* Checks large objects, at their end. Names the duplicate that is first in the text. */
static int check_all_keys_are_new(struct scanner *s, size_t base)
{
        size_t count = s->key_count - base, found = count;
        struct json_text *keys = s->keys + base;

        if (count <= KEYS_LINEAR)
                return 0;
        qsort(keys, count, sizeof(*keys), by_text_and_place);
        for (size_t i = 1; i < count; i++) {
                bool first = found == count || keys[i].data < keys[found].data;
                if (first && json_text_equal(&keys[i - 1], &keys[i]))
                        found = i;
        }
        return found == count ? 0 : refuse_duplicate(s, base + found);
}

static void keys_grow(struct scanner *s)
{
        struct json_text *more = xmalloc(2 * s->key_size * sizeof(*more));

        memcpy(more, s->keys, s->key_count * sizeof(*more));
        if (s->keys != s->keys_inline)
                free(s->keys);
        s->keys = more;
        s->key_size *= 2;
}

/* At a key: reads it and its colon. A value comes next. */
static int check_key(struct scanner *s, const char *expected)
{
        struct level *l = &s->levels[s->depth - 1];
        struct json_text key;

        skip_space(s);
        if (s->at == s->end || *s->at != '"')
                return refuse_here(s, expected);
        if (check_string(s, &key) < 0)
                return -1;
        if (s->key_count == s->key_size)
                keys_grow(s);
        s->keys[s->key_count] = key;
        l->last_key = s->key_count++;
        l->has_key = true;
        if (check_key_is_new(s, l->keys_base) < 0)
                return -1;
        skip_space(s);
        if (s->at == s->end || *s->at != ':')
                return refuse_here(s, "a colon");
        s->at++;
        return 0;
}

static int close_level(struct scanner *s)
{
        struct level *l = &s->levels[s->depth - 1];

        if (l->is_object && check_all_keys_are_new(s, l->keys_base) < 0)
                return -1;
        if (l->is_object)
                s->key_count = l->keys_base;
        s->depth--;
        s->at++;
        return 0;
}

/* At an opening bracket. *closed: it was empty, and has been closed. */
static int open_level(struct scanner *s, bool *closed)
{
        bool is_object = *s->at == '{';

        if (s->depth == s->max_depth) {
                char detail[64];
                snprintf(detail, sizeof(detail), "more than %u levels deep", s->max_depth);
                return refuse(s, s->at, detail);
        }
        s->levels[s->depth++] = (struct level){.is_object = is_object, .keys_base = s->key_count};
        s->at++;
        skip_space(s);
        *closed = s->at < s->end && *s->at == (is_object ? '}' : ']');
        if (*closed)
                return close_level(s);
        return is_object ? check_key(s, "a member's name or '}'") : 0;
}

/* After a value: closes what ends here, until another value must follow or all is closed. */
static int check_after(struct scanner *s)
{
        while (s->depth > 0) {
                struct level *l = &s->levels[s->depth - 1];

                skip_space(s);
                if (s->at < s->end && *s->at == ',') {
                        s->at++;
                        l->index++;
                        return l->is_object ? check_key(s, "a member's name") : 0;
                }
                if (s->at == s->end || *s->at != (l->is_object ? '}' : ']'))
                        return refuse_here(s, l->is_object ? "',' or '}'" : "',' or ']'");
                if (close_level(s) < 0)
                        return -1;
        }
        return 0;
}

static int check_values(struct scanner *s)
{
        do {
                bool closed = true;

                skip_space(s);
                if (s->at == s->end)
                        return refuse_here(s, "a value");
                if (*s->at == '{' || *s->at == '[') {
                        if (open_level(s, &closed) < 0)
                                return -1;
                } else if (check_scalar(s) < 0) {
                        return -1;
                }
                if (closed && check_after(s) < 0)
                        return -1;
        } while (s->depth > 0);

        skip_space(s);
        return s->at == s->end ? 0 : refuse_here(s, "the end of the text");
}

int scan_check(struct bytes text, unsigned max_depth, struct scan_fault *fault)
{
        struct scanner s;

        assert(max_depth >= 1 && max_depth <= SCAN_DEPTH_WRAPPED);
        s.begin = s.at = text.data == NULL ? "" : text.data;
        s.end = s.begin + text.length;
        s.depth = 0;
        s.max_depth = max_depth;
        s.fault = fault;
        s.keys = s.keys_inline;
        s.key_count = 0;
        s.key_size = KEYS_INLINE;

        int result = utf8_begins_with_bom(s.begin, text.length)
                             ? refuse(&s, s.begin, "the text " UTF8_BOM_REFUSAL)
                             : check_values(&s);
        if (s.keys != s.keys_inline)
                free(s.keys);
        return result;
}
