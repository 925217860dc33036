/* SPDX-License-Identifier: Apache-2.0
 *
 * body.h: JSON for a request's body, from options and arguments; complements json_write.h.
 */
#ifndef WARREN_CLI_BODY_H
#define WARREN_CLI_BODY_H

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "ui/cli/arguments.h"

/* Adds the given options that are members of the body. */
void body_add_options(struct buffer *body, const struct arguments *a);

/* Adds the member "payload" from an argument: the JSON itself, "@file", or "-" for standard input;
 * at most 16 MiB. Nothing for NULL. For invalid JSON, the error says line and column. */
int body_add_payload(struct buffer *body, const char *argument, struct err *e) MUST_CHECK;

#endif
