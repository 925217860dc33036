/* SPDX-License-Identifier: Apache-2.0
 *
 * stores.h: the status-stores that a consumer asks, with an HTTP client for each.
 */
#ifndef WARREN_CONSUMER_STORES_H
#define WARREN_CONSUMER_STORES_H

#include "common/http/client.h"

enum {
        STORES_MAX = 8,
        STORES_TIMEOUT = 1500,               /* ms for a call, and for its connect */
        STORES_ANSWER_MAX = 8 * 1024 * 1024, /* bytes */
};

struct stores;

/* urls: separated by commas or blanks. token: of the internal APIs. */
struct stores *stores_create(const char *urls, const char *token, struct err *e) MUST_CHECK;
void stores_destroy(struct stores **s);
/* 1 to STORES_MAX. */
size_t stores_count(const struct stores *s);
/* The client is borrowed, and may be used on any thread. */
struct http_client *stores_at(const struct stores *s, size_t index);

#endif
