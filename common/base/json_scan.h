/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan.h: strict JSON (RFC 8259), read in place: checks syntax, depth, UTF-8 and duplicate
 * members, says where a fault is (RFC 6901 pointer, line, column), and slices values without
 * rewriting them (a parser that prints numbers again would change them). Nothing recurses. No
 * allocation is sized by nesting; duplicate checking allocates in proportion to the text, whose
 * length the caller has bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/json_text.h"

enum {
        SCAN_POINTER_SIZE = 256,
        SCAN_DEPTH_MAX = 64,     /* of input from outside */
        SCAN_DEPTH_WRAPPED = 72, /* of our own documents, which contain such input */
};

enum scan_kind {
        SCAN_NULL,
        SCAN_FALSE,
        SCAN_TRUE,
        SCAN_NUMBER,
        SCAN_STRING,
        SCAN_ARRAY,
        SCAN_OBJECT,
};

struct scan_fault {
        char pointer[SCAN_POINTER_SIZE]; /* of the innermost value at fault; cut at its front */
        size_t offset;                   /* byte in the text */
        unsigned line, column;           /* from 1; column counts characters */
        char detail[256];                /* what is wrong, for people; cut */
};

/* The text must be exactly one value (whitespace around it allowed), at most max_depth (1 to
 * SCAN_DEPTH_WRAPPED) arrays and objects deep; a scalar has depth 0. -1: fault says where, why. */
int scan_check(struct bytes text, unsigned max_depth, struct scan_fault *fault) MUST_CHECK;

/* Everything below requires text that scan_check has accepted. */

struct scan_value {
        struct bytes raw; /* without whitespace around it; part of the checked text */
        enum scan_kind kind;
};

struct scan_value scan_root(struct bytes checked);

/* Walks the members of an object or the elements of an array. */
struct scan_cursor {
        const char *at, *end;
        bool in_object;
};

struct scan_item {
        struct bytes key; /* raw, without quotes, escapes as written; absent in an array */
        struct scan_value value;
};

struct scan_cursor scan_items(struct scan_value container);
bool scan_next(struct scan_cursor *c, struct scan_item *item);

/* Compares a raw key or string (escapes resolved) with text. */
bool scan_key_is(struct bytes raw_key, const char *text);
bool scan_find(struct scan_value object, const char *key, struct scan_value *out);
struct json_text scan_inside(struct scan_value string);
/* Adds the string's text, escapes resolved, to out. Contains a NUL where \u0000 was written. */
void scan_string(struct scan_value string, struct buffer *out);
/* False when it is not an integer in int64 range ("1.0" and "1e3" are not). */
bool scan_int(struct scan_value number, int64_t *out);
double scan_real(struct scan_value number);
/* The position of a byte of text, for a fault found after the syntax was accepted. */
void scan_locate(struct bytes text, const char *at, unsigned *line, unsigned *column);
/* Adds a step of a pointer (RFC 6901) for a raw key. */
void scan_pointer_step(struct bytes raw_key, struct buffer *out);
/* A pointer that is too long is cut at its front. */
void scan_pointer_cut(struct bytes pointer, char out[SCAN_POINTER_SIZE]);
