/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.h: writes answers, for the files of common/http.
 */
#pragma once

#include "common/http/request.h"

/* The reason phrase: a literal. "Unknown": Warren does not use the status. */
const char *http_phrase(int status);

enum answer_length {
        ANSWER_SIZED,
        ANSWER_CHUNKED,
        ANSWER_TO_THE_END, /* ends with the connection */
};

/* Whether http_add_header has added it. */
bool answer_has_header(const struct http_request *r, const char *name);

struct answer_text {
        int status;
        const char *content_type, *location; /* or NULL */
        const char *cache_control;           /* NULL: no-store */
        enum answer_length length;
        struct bytes body;
        bool closing; /* the connection ends after it */
};

/* Appends the whole text. Returns the length of the head without the empty line. */
size_t answer_write(struct http_request *r, const struct answer_text *a, struct buffer *out);
/* Sends the answer; sets `closing` itself. */
void answer_give(struct http_request *r, const struct answer_text *a);
bool answer_ends_connection(const struct http_request *r);
/* Sends the whole text, or ends the connection. */
void answer_send(struct http_request *r, struct bytes text);
/* Tells a client that waits for it (Expect: 100-continue) to send its body. */
void answer_continue(struct http_request *r);
/* Calls the server's `answered`, once for a request. */
void answer_count(struct http_request *r);
