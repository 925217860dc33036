/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan.h: strict JSON (RFC 8259) over bytes that stay where they are: checks syntax, depth,
 * UTF-8 and duplicate members, says where a fault is (RFC 6901 pointer, line, column), and slices
 * values without rewriting them (a parser that prints numbers again would change them). Nothing
 * recurses. No allocation is sized by nesting; duplicate checking allocates in proportion to the
 * text, whose length the caller has bounded.
 */
#ifndef WARREN_BASE_JSON_SCAN_H
#define WARREN_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"

enum { JSON_POINTER_SIZE = 256, JSON_DEPTH_MAX = 64 };

enum json_kind {
        JSON_NULL,
        JSON_FALSE,
        JSON_TRUE,
        JSON_NUMBER,
        JSON_STRING,
        JSON_ARRAY,
        JSON_OBJECT,
};

struct json_fault {
        char pointer[JSON_POINTER_SIZE]; /* of the innermost value at fault; cut at its front */
        size_t offset;                   /* byte in the text */
        unsigned line, column;           /* from 1; column counts characters */
        char detail[128];                /* what is wrong, for people */
};

/* The text must be exactly one value (whitespace around it allowed), at most max_depth (1..64)
 * arrays and objects deep (a scalar has depth 0). -1: fault says where and why. */
int json_check(struct bytes text, unsigned max_depth, struct json_fault *fault) MUST_CHECK;

/* Everything below wants text that json_check has passed. */

struct json_value {
        struct bytes raw; /* without whitespace around it; part of the checked text */
        enum json_kind kind;
};

struct json_value json_root(struct bytes checked);

/* Walks the members of an object or the elements of an array. */
struct json_cursor {
        const char *at, *end;
        bool in_object;
};

struct json_item {
        struct bytes key; /* raw, without quotes, escapes as written; absent in an array */
        struct json_value value;
};

struct json_cursor json_items(struct json_value container);
bool json_next(struct json_cursor *c, struct json_item *item);

/* Compares a raw key or string (escapes resolved) with text. */
bool json_key_is(struct bytes raw_key, const char *text);
bool json_find(struct json_value object, const char *key, struct json_value *out);
/* Adds the string's text, escapes resolved, to out. Holds NULs where \u0000 was written. */
void json_string(struct json_value string, struct buffer *out);
/* False when it is no integer in int64 range ("1.0" and "1e3" are none). */
bool json_int(struct json_value number, int64_t *out);
double json_real(struct json_value number);
/* Where a byte of text stands: for a fault found after the syntax was accepted. */
void json_locate(struct bytes text, const char *at, unsigned *line, unsigned *column);

#endif
