/* SPDX-License-Identifier: Apache-2.0
 *
 * body.h: JSON for a request's body, from options and arguments; complements json_write.h.
 */
#ifndef WARREN_CLI_BODY_H
#define WARREN_CLI_BODY_H

#include "common/base/bytes.h"
#include "common/base/err.h"

/* Adds value as a number when it is a JSON number, else as a string; nothing when it is NULL. */
void body_add_number_or_text(struct buffer *body, const char *name, const char *value);

/* Reads JSON from an argument: the JSON itself, "@file", or "-" for standard input; at most 16 MiB.
 * For invalid JSON, the error says line and column. */
int json_argument(const char *argument, struct buffer *out, struct err *e) MUST_CHECK;

#endif
