/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers_read.h: reading JSON by tables of members, for handlers.c: every refusal names file,
 * line, column and pointer, and a member nobody knows is refused.
 */
#ifndef WARREN_CONSUMER_RUNNER_HANDLERS_READ_H
#define WARREN_CONSUMER_RUNNER_HANDLERS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json_scan.h"

struct reading {
        const char *path; /* of the file, for messages */
        struct bytes text;
        void *owner;
        struct err *e;
};

/* Where a value stands: a chain up to the root. */
struct place {
        const struct place *up; /* NULL: the root */
        struct bytes key;       /* raw, in an object */
        size_t index;           /* in an array, when key is absent */
        struct scan_value value;
};

struct member;
/* Reads the value at p into out, the field. */
typedef int member_fn(const struct reading *r, const struct place *p, const struct member *m,
                      void *out);

struct member {
        const char *name; /* NULL ends the table */
        member_fn *read;
        size_t offset;
        double min, max; /* of numbers, sizes (bytes) and durations (ms) */
        bool required;
};

/* Always -1. Points at `at` inside the text, or at the place's value when NULL. */
int read_refuse(const struct reading *r, const struct place *p, const char *at, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
/* The members in the table's order, whatever the file's; out is the struct of the offsets. */
int read_object(const struct reading *r, const struct place *p, const struct member *table,
                void *out) MUST_CHECK;
int read_is(const struct reading *r, const struct place *p, enum scan_kind kind) MUST_CHECK;
/* Every member of a map with names of the file's own. */
int read_each(const struct reading *r, const struct place *p,
              int (*each)(const struct reading *r, const struct place *p)) MUST_CHECK;

member_fn read_text;       /* char *: owned, not empty, without NUL */
member_fn read_integer;    /* int64_t */
member_fn read_real;       /* double */
member_fn read_size;       /* int64_t: "256MiB" or bytes */
member_fn read_duration;   /* msec: "1.5s", or seconds */
member_fn read_raw_object; /* char *: owned, the object's own text */
member_fn read_texts;      /* char **: owned, NULL-terminated, not empty */

/* Text of a key or a string, owned; NULL when it holds a NUL. */
char *read_key(struct bytes raw);

#endif
