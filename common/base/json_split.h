/* SPDX-License-Identifier: Apache-2.0
 *
 * json_split.h: cuts a text that arrives in pieces into its elements: those of one JSON array, or
 * lines with one JSON text each (NDJSON). Pure. Holds one element at most.
 *
 *      json_split_init(&s, SPLIT_LINES, element_max);
 *      while (read_piece(&piece)) {
 *              size_t used;
 *              while ((step = json_split_feed(&s, piece, &used)) == SPLIT_ELEMENT || …) {
 *                      use(&s.element);
 *                      piece = bytes_of(piece.data + used, piece.length - used);
 *              }
 *      }
 *      while ((step = json_split_end(&s)) == SPLIT_ELEMENT || …)
 *              use(&s.element);
 *      json_split_fini(&s);
 *
 * It follows strings, escapes and depth only: check each element with scan_check. An element of an
 * array that is not JSON can hide its own end: then what follows is taken as part of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/json_scan.h"

enum split_form {
        SPLIT_ARRAY, /* [a, b, c], and nothing behind it */
        SPLIT_LINES, /* each line an element; LF or CR LF; blank lines are skipped */
};

enum split_step {
        SPLIT_NEED,      /* all is used: feed the next piece, or end */
        SPLIT_ELEMENT,   /* `element` is the next one */
        SPLIT_TOO_LARGE, /* `element`, without its text, had more than element_max bytes */
        SPLIT_DONE,      /* json_split_end: there is nothing more */
        SPLIT_BROKEN,    /* not such an array, see `fault`. Always the same from now on */
};

struct split_element {
        struct bytes text; /* without white space around it; valid until the next call */
        size_t index;      /* from 0 */
        size_t offset;     /* of its first byte in the whole text */
        unsigned line, column;
};

struct json_split {
        struct split_element element;
        struct scan_fault fault;
        /* private */
        enum split_form form;
        size_t element_max;
        int state;
        size_t count;  /* of elements so far, with the one that is being read */
        size_t offset; /* of the next byte */
        unsigned line, column;
        /* of the element that is being read */
        bool in_string, escaped, too_large;
        unsigned depth;
        struct buffer kept; /* its bytes so far */
};

void json_split_init(struct json_split *s, enum split_form form, size_t element_max);
void json_split_fini(struct json_split *s);
/* Uses `used` bytes from the front of `piece`; pass the rest again until it returns SPLIT_NEED. */
enum split_step json_split_feed(struct json_split *s, struct bytes piece, size_t *used) MUST_CHECK;
/* The text has ended as its sender meant it to: what came since the last line feed is a line. Call
 * it until SPLIT_DONE or SPLIT_BROKEN. Do not call it for a text that was cut off. */
enum split_step json_split_end(struct json_split *s) MUST_CHECK;
/* Turns the position of a fault within an element into one in the whole text. Its pointer becomes
 * /<index>/…, also for lines. */
void split_element_locate(const struct split_element *element, struct scan_fault *fault);
