/* SPDX-License-Identifier: Apache-2.0
 *
 * query.h: parses a query string into names and values. Pure.
 */
#ifndef WARREN_HTTP_QUERY_H
#define WARREN_HTTP_QUERY_H

#include <stddef.h>

#include "common/base/err.h"

enum { QUERY_PAIRS_MAX = 24 };

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

#endif
