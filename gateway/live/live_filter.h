/* SPDX-License-Identifier: Apache-2.0
 *
 * live_filter.h: which events a client wants, from its query or a message of its own. Pure.
 *
 * The values of one member are or-ed, the members and-ed; a member without values asks nothing.
 */
#pragma once

#include "gateway/live/live_event.h"

enum {
        LIVE_VALUES_MAX = 100, /* of one member */
        LIVE_MESSAGE_DEPTH = 16,
};

enum live_list { LIVE_KINDS, LIVE_TYPES, LIVE_STATUSES, LIVE_JOBS };

/* Starts as {.tenant = "*"}, ends with live_filter_fini. */
struct live_filter {
        bool counts;              /* mode counts: no events */
        unsigned kinds, statuses; /* a bit for each; 0: any */
        struct live_names {
                size_t count, size; /* of one name, with its NUL */
                char *names;        /* sorted */
        } types, jobs;
        char tenant[TENANT_SIZE]; /* "*": any */
};

void live_filter_fini(struct live_filter *f);
/* Adds a value. ERR_INVALID. */
int live_filter_add(struct live_filter *f, enum live_list list, struct bytes value,
                    struct err *e) MUST_CHECK;
/* "events" or "counts". */
int live_filter_set_mode(struct live_filter *f, struct bytes mode, struct err *e) MUST_CHECK;
bool live_filter_equal(const struct live_filter *a, const struct live_filter *b);
/* An event without a type passes any types: one too many is better than one too few. One without a
 * status passes only where none is asked for. */
bool live_filter_matches(const struct live_filter *f, const struct live_tags *tags);
/* The filter as an object, in the form in which a message has it. */
void live_filter_write(const struct live_filter *f, const char *name, struct buffer *out);

/* What a client sends: {"filter": {…}} or {"ping": …}. */
struct live_message {
        bool has_filter;
        struct live_filter filter; /* to be ended in either case */
        struct bytes ping;         /* raw, in the text; absent: none */
};
int live_message_parse(struct bytes text, struct live_message *out, struct err *e) MUST_CHECK;
