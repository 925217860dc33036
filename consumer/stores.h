/* SPDX-License-Identifier: Apache-2.0
 *
 * stores.h: the status-stores that a consumer asks, with an HTTP client for each.
 */
#pragma once

#include "common/http/client.h"

enum {
        STORES_MAX = 8,
        STORES_TIMEOUT = 1500,               /* ms for a call, and for its connect */
        STORES_ANSWER_MAX = 8 * 1024 * 1024, /* bytes */
};

struct stores {
        struct http_client *clients[STORES_MAX];
        size_t count; /* from 1 */
};

/* urls: separated by commas or blanks. token: of the internal APIs. */
struct stores *stores_create(const char *urls, const char *token, struct err *e) MUST_CHECK;
void stores_destroy(struct stores **s);
/* Posts a body to one store, on any thread. answer: {0} on entry, owned by the caller. 0: it
 * answered 200. 1: it answered 500 or 503, and may know later. -1: no answer, or a status of a
 * store that this consumer cannot use, or not of a store. e says why unless 0. */
int stores_ask(const struct stores *s, size_t index, const char *path, const struct buffer *body,
               struct buffer *answer, struct err *e) MUST_CHECK;
/* Logs `cannot` with a first failure, `can` when it is over; failing: the state of the asker. */
void stores_note_health(bool *failing, const struct err *why, const char *cannot, const char *can);
