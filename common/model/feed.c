/* SPDX-License-Identifier: Apache-2.0
 *
 * feed.c: the table of exchanges and the streams they feed.
 */
#include "common/model/feed.h"

#include <stddef.h>
#include <string.h>

static const struct {
        const char *exchange; /* a prefix if it ends in a dot */
        const char *stream;   /* NULL: none */
} feeds[] = {
        {"jobs.", "events"},  {"delay.", "events"},     {"due", "events"},   {"dead", "events"},
        {"events", "events"}, {"control", "control"},   {"sync", "control"}, {"marks", "marks"},
        {"admits", "admits"}, {"work", NULL},           {"hold.", NULL},     {"unroutable", NULL},
        {"parked.", NULL},    {"parked-tenant.", NULL},
};

static bool matches(struct bytes exchange, const char *name)
{
        bool is_prefix = name[strlen(name) - 1] == '.';

        return bytes_equal_text(exchange, name) != is_prefix && bytes_begin_with(exchange, name);
}

static bool is_same(const char *fed, const char *stream)
{
        if (fed == NULL || stream == NULL)
                return fed == stream;
        return strcmp(fed, stream) == 0;
}

bool feed_is_of(struct bytes exchange, const char *stream)
{
        for (size_t i = 0; i < sizeof(feeds) / sizeof(feeds[0]); i++) {
                if (matches(exchange, feeds[i].exchange))
                        return is_same(feeds[i].stream, stream);
        }
        return stream == NULL || bytes_equal_text(exchange, stream);
}
