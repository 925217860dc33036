/* SPDX-License-Identifier: Apache-2.0
 *
 * target.c: splits and decodes a path and a query.
 */
#include "common/http/target.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/hex.h"
#include "common/base/memory.h"

enum percent_where { PERCENT_PATH, PERCENT_QUERY /* + is a space */ };

/* Decodes text in place, strictly (RFC 3986). e's text has no subject: the caller puts "the path"
 * or the like before it. */
static int percent_decode(char *text, enum percent_where where, struct err *e)
{
        char *to = text;

        for (const char *at = text; *at != '\0'; at++) {
                if (*at == '+' && where == PERCENT_QUERY) {
                        *to++ = ' ';
                        continue;
                }
                if (*at != '%') {
                        *to++ = *at;
                        continue;
                }
                int high = hex_value(at[1]);
                int low = high < 0 ? -1 : hex_value(at[2]);
                if (low < 0)
                        return err_set(e, ERR_INVALID, "has a bad percent escape");
                if (high == 0 && low == 0)
                        return err_set(e, ERR_INVALID, "has an escaped NUL");
                *to++ = (char)(high * 16 + low);
                at += 2;
        }
        *to = '\0';
        if (!bytes_are_utf8(bytes_of(text, (size_t)(to - text))))
                return err_set(e, ERR_INVALID, "is not UTF-8 after percent-decoding");
        return 0;
}

int path_parse(const char *raw, struct path *out, struct err *e)
{
        *out = (struct path){0};
        if (raw[0] != '/')
                return err_set(e, ERR_INVALID, "the path does not begin with a slash");

        out->text = xmemdup0(raw + 1, strlen(raw + 1));
        for (char *at = out->text; at != NULL;) {
                if (out->count == PATH_SEGMENTS_MAX)
                        return err_set(e, ERR_NOT_FOUND, "no such path");
                char *segment = strsep(&at, "/");
                struct err wrong = {0};
                if (percent_decode(segment, PERCENT_PATH, &wrong) < 0)
                        return err_set(e, ERR_INVALID, "the path %s", wrong.text);
                out->segments[out->count++] = segment;
        }
        return 0;
}

void path_fini(struct path *p)
{
        free(p->text);
        *p = (struct path){0};
}

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
