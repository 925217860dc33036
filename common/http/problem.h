/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.h: the body of an error answer (RFC 9457). Pure. handler.h sends it
 * (http_problem_of).
 */
#pragma once

#include <jansson.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/json_scan.h"

struct problem {
        int status;
        const char *type;               /* NULL: about:blank, the title says all */
        const char *detail;             /* or NULL */
        const char *instance;           /* the path, or NULL */
        const char *traceparent;        /* or NULL */
        const struct scan_fault *fault; /* or NULL */
        const json_t *members;          /* an object, or NULL */
};

void problem_write(const struct problem *p, struct buffer *out);
/* The HTTP status for an error code. */
int problem_status(enum err_code code);
