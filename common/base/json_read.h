/* SPDX-License-Identifier: Apache-2.0
 *
 * json_read.h: reading a JSON object into a struct by a table of its members. The table is the
 * format: the members, their kinds and bounds, and the fields that they fill.
 *
 *     static const struct json_member members[] = {
 *             {"name", json_read_copy, JSON_AT(struct pet, name), .flags = JSON_REQUIRED},
 *             {"legs", json_read_int, JSON_AT(struct pet, legs), .least = 0, .most = 1000},
 *             {0},
 *     };
 *     if (json_read_open(&reader, text, SCAN_DEPTH_MAX, &root) != 0)
 *             … it is no JSON …
 *     if (json_read_members(&reader, &root, members, &pet) != 0)
 *             … a member is wrong …
 *
 * A member that is not given leaves its field as it is. Only functions that say so allocate.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/json_scan.h"

enum { JSON_MEMBERS_MAX = 32 }; /* rows of a table */

struct json_member;

/* A value and its place: a chain up to the whole text, from which a refusal makes its pointer. */
struct json_place {
        const struct json_place *up;      /* NULL: the whole text */
        const struct json_member *member; /* the row that reads it; NULL: none does */
        struct bytes key;                 /* raw, for a member without a row; absent in an array */
        size_t index;                     /* in an array */
        struct scan_value value;
};

struct json_reader {
        struct scan_fault *fault; /* filled by the first refusal; NULL: not wanted */
        struct buffer *scratch;   /* for json_read_bytes: holds texts that have escapes */
        void *owner;              /* for the functions in the tables */
        bool lenient;             /* unknown members are counted, not refused */
        unsigned unknown;         /* how many unknown members there were */
        struct bytes text;        /* set by json_read_open */
};

/* Reads the value at p into out, a field. 0, or -1 by json_refuse. */
typedef int json_member_fn(struct json_reader *r, const struct json_place *p, void *out);

enum {
        JSON_REQUIRED = 1, /* refused when it is missing */
        JSON_NULLABLE = 2, /* null counts as not given; otherwise the function gets it */
};

struct json_member {
        const char *name; /* NULL ends the table */
        json_member_fn *read;
        size_t offset, size;               /* of the field, by JSON_AT */
        int64_t least, most;               /* the bounds of a number */
        unsigned flags;                    /* JSON_…, or-ed */
        const char *form;                  /* "must be …": replaces the function's own text */
        const struct json_member *members; /* for json_read_object: the object's table */
        json_member_fn *each; /* for json_read_list, json_read_map: reads one element */
};

#define JSON_AT(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)NULL)->field)

/* Checks the text, at most `depth` levels deep. Call it first. */
int json_read_open(struct json_reader *r, struct bytes text, unsigned depth,
                   struct json_place *root) MUST_CHECK;
/* The value must be an object. Its members are read in the table's order, not in the text's. out is
 * the struct that the table's offsets are of. */
int json_read_members(struct json_reader *r, const struct json_place *p,
                      const struct json_member *table, void *out) MUST_CHECK;
/* Reads every element of an array, or member of an object, each with the same `out`. */
int json_read_each(struct json_reader *r, const struct json_place *p, json_member_fn *each,
                   void *out) MUST_CHECK;

json_member_fn json_read_int;    /* int64_t, from least to most */
json_member_fn json_read_real;   /* double, from least to most */
json_member_fn json_read_flag;   /* bool */
json_member_fn json_read_copy;   /* char[size]: fits, without NUL */
json_member_fn json_read_time;   /* msec: RFC 3339 */
json_member_fn json_read_uuid;   /* char[UUID_SIZE], in canonical form */
json_member_fn json_read_bytes;  /* struct bytes: the text, in the reader's text or scratch */
json_member_fn json_read_raw;    /* struct bytes: the value as written */
json_member_fn json_read_object; /* by the row's `members`, into the field as a struct */
json_member_fn json_read_list;   /* an array, by the row's `each` */
json_member_fn json_read_map;    /* an object whose names are free, by the row's `each` */

/* For other functions of tables. Each json_refuse fills the fault and returns -1. */
int json_refuse(const struct json_reader *r, const struct json_place *p, const char *format, ...)
        PRINTF_LIKE(3, 4);
/* With the text of the row's form. */
int json_refuse_form(const struct json_reader *r, const struct json_place *p);
/* The fault points at the name instead of the value. */
int json_refuse_name(const struct json_reader *r, const struct json_place *p, const char *detail);
int json_read_is(const struct json_reader *r, const struct json_place *p,
                 enum scan_kind kind) MUST_CHECK;
/* Copies a string as a C string. False: it is not a string, does not fit, or contains a NUL. */
bool json_copy_text(struct scan_value string, char *out, size_t size);
