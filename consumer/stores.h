/* SPDX-License-Identifier: Apache-2.0
 *
 * stores.h: the status-stores that a consumer may ask, each by an HTTP client.
 */
#ifndef WARREN_CONSUMER_STORES_H
#define WARREN_CONSUMER_STORES_H

#include "common/http/client.h"

enum {
        STORES_MAX = 8,
        STORES_TIMEOUT = 1500, /* ms for a call */
        STORES_ANSWER_MAX = 8 * 1024 * 1024,
};

struct stores;

/* urls: commas between. token: the internal one. */
struct stores *stores_create(const char *urls, const char *token, struct err *e) MUST_CHECK;
void stores_destroy(struct stores **s);
/* From 1. */
size_t stores_count(const struct stores *s);
/* For any thread. */
struct http_client *stores_at(const struct stores *s, size_t index);

#endif
