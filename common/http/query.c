/* SPDX-License-Identifier: Apache-2.0
 *
 * query.c: splits and decodes a query string.
 */
#include "common/http/query.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/http/percent.h"

static int add_pair(struct query *q, char *pair, struct err *e)
{
        char *value = strchr(pair, '=');

        if (value != NULL)
                *value++ = '\0';
        else
                value = pair + strlen(pair);
        struct err wrong = {0};
        if (percent_decode(pair, PERCENT_QUERY, &wrong) < 0)
                return err_set(e, ERR_INVALID, "a name in the query %s", wrong.text);
        if (percent_decode(value, PERCENT_QUERY, &wrong) < 0)
                return err_set(e, ERR_INVALID, "the query parameter \"%s\" %s", pair, wrong.text);
        if (query_find(q, pair) != NULL)
                return err_set(e, ERR_INVALID, "the query gives \"%s\" twice", pair);
        if (q->count == QUERY_PAIRS_MAX)
                return err_set(e, ERR_INVALID, "the query has more than %d parameters",
                               QUERY_PAIRS_MAX);
        q->pairs[q->count].name = pair;
        q->pairs[q->count++].value = value;
        return 0;
}

int query_parse(const char *raw, struct query *out, struct err *e)
{
        *out = (struct query){0};
        if (raw == NULL || raw[0] == '\0')
                return 0;

        out->text = xstrdup(raw);
        for (char *at = out->text; at != NULL;) {
                char *pair = strsep(&at, "&");
                if (pair[0] != '\0' && add_pair(out, pair, e) < 0)
                        return -1;
        }
        return 0;
}

void query_fini(struct query *q)
{
        free(q->text);
        *q = (struct query){0};
}

const char *query_find(const struct query *q, const char *name)
{
        for (size_t i = 0; i < q->count; i++) {
                if (strcmp(q->pairs[i].name, name) == 0)
                        return q->pairs[i].value;
        }
        return NULL;
}
