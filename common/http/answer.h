/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.h: the text of an answer, and writing it, for the files of common/http.
 */
#ifndef WARREN_HTTP_ANSWER_H
#define WARREN_HTTP_ANSWER_H

#include "common/http/request.h"

enum answer_length {
        ANSWER_SIZED,
        ANSWER_CHUNKED,
        ANSWER_TO_THE_END, /* of the connection */
};

struct answer_text {
        int status;
        const char *content_type, *location; /* or NULL */
        const char *cache_control;           /* NULL: no-store */
        enum answer_length length;
        struct bytes body;
        bool closing; /* the connection ends with it */
};

/* Adds the whole text. Returns the length of the head without the empty line. */
size_t answer_write(struct http_request *r, const struct answer_text *a, struct buffer *out);
/* Answers with the text, but for `closing`, which it finds out. */
void answer_give(struct http_request *r, const struct answer_text *a);
bool answer_ends_connection(const struct http_request *r);
/* Writes the text whole, or ends the connection. */
void answer_send(struct http_request *r, struct bytes text);
/* Tells the server's owner of the answer; once. */
void answer_count(struct http_request *r);

#endif
