/* SPDX-License-Identifier: Apache-2.0
 *
 * body.h: what a request's JSON object takes from options, beside json_write.h.
 */
#ifndef WARREN_CLI_BODY_H
#define WARREN_CLI_BODY_H

#include "common/base/bytes.h"
#include "common/base/err.h"

/* Nothing when value is NULL; what is a JSON number is written as one, else as text. */
void body_add_number_or_text(struct buffer *body, const char *name, const char *value);

/* JSON from an argument: itself, "@file", or "-" for standard input; at most 16 MiB. Checked: the
 * error says line and column. */
int json_argument(const char *argument, struct buffer *out, struct err *e) MUST_CHECK;

#endif
