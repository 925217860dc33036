/* SPDX-License-Identifier: Apache-2.0
 *
 * framing.h: is a request's framing beyond doubt? civetweb 1.15 takes two Content-Lengths, and
 * Transfer-Encoding beside Content-Length: two readers of such a request can disagree on where the
 * next one begins. Pure.
 */
#ifndef WARREN_HTTP_FRAMING_H
#define WARREN_HTTP_FRAMING_H

#include <civetweb.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct framing {
        bool chunked;
        int64_t length; /* of a body that is not chunked */
        bool expects_continue;
        bool keep_alive; /* what the client asks for */
        int refusal;     /* the status to answer with, 0: none */
};

/* -1: framing->refusal and e say why; nothing of the connection can be trusted after it. */
int framing_check(const struct mg_request_info *info, struct framing *out,
                  struct err *e) MUST_CHECK;

#endif
