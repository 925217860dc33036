/* SPDX-License-Identifier: Apache-2.0
 *
 * framing.h: checks that a request's framing is unambiguous. civetweb 1.15 accepts two
 * Content-Lengths, and Transfer-Encoding with Content-Length: readers of such a request can
 * disagree on where the next one begins. Pure.
 */
#pragma once

#include <civetweb.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct framing {
        bool chunked;
        int64_t length; /* of a body that is not chunked */
        bool expects_continue;
        bool keep_alive; /* requested by the client */
};

/* Returns 0, or the status of the refusal; then do not trust anything of the connection. */
int framing_check(const struct mg_request_info *info, struct framing *out,
                  struct err *e) MUST_CHECK;
