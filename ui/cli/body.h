/* SPDX-License-Identifier: Apache-2.0
 *
 * body.h: building a request's JSON object out of options, payload bytes as they are.
 */
#ifndef WARREN_CLI_BODY_H
#define WARREN_CLI_BODY_H

#include "common/base/bytes.h"
#include "common/base/err.h"

void body_begin(struct buffer *body);
void body_end(struct buffer *body);
/* Nothing when value is NULL. */
void body_add_text(struct buffer *body, const char *name, const char *value);
/* As body_add_text, but what is a JSON number is written as one. */
void body_add_number_or_text(struct buffer *body, const char *name, const char *value);
/* value is checked JSON. */
void body_add_json(struct buffer *body, const char *name, struct bytes value);

/* JSON from an argument: itself, "@file", or "-" for standard input; at most 16 MiB. Checked: the
 * error says line and column. */
int json_argument(const char *argument, struct buffer *out, struct err *e) MUST_CHECK;

#endif
