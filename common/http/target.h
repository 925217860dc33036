/* SPDX-License-Identifier: Apache-2.0
 *
 * target.h: parses the path and the query of a request's target. Pure.
 */
#pragma once

#include <stddef.h>

#include "common/base/err.h"

enum { PATH_SEGMENTS_MAX = 12, QUERY_PAIRS_MAX = 24 };

/* A path split at its slashes, each segment percent-decoded. */
struct path {
        char *text; /* owned; the segments lie in it */
        const char *segments[PATH_SEGMENTS_MAX];
        size_t count;
};

/* ERR_INVALID: a bad escape, an escaped NUL, or not UTF-8. ERR_NOT_FOUND: more segments than
 * PATH_SEGMENTS_MAX. */
int path_parse(const char *raw, struct path *out, struct err *e) MUST_CHECK;
void path_fini(struct path *p);

struct query {
        char *text; /* owned; names and values lie in it */
        size_t count;
        struct {
                const char *name;
                const char *value;
        } pairs[QUERY_PAIRS_MAX];
};

/* raw: NULL: empty. ERR_INVALID: a bad escape, a repeated name, or more than QUERY_PAIRS_MAX. */
int query_parse(const char *raw, struct query *out, struct err *e) MUST_CHECK;
void query_fini(struct query *q);
const char *query_find(const struct query *q, const char *name);
