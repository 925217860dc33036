/* SPDX-License-Identifier: Apache-2.0
 *
 * limit_view.h: a limit in the answers about a tenant or type, as text for people. Pure.
 */
#pragma once

#include "common/model/limit_queue.h"
#include "ui/cli/view.h"

/* Whose limit it is: tenant or type. */
const char *limit_noun(enum limit_queue kind);
/* The version of the tokens of this limit of a tenant or type. 0: none is in force, new ones are
 * being made. -1: it has no such limit, or the gateway is older than these limits. */
int64_t limit_version(enum limit_queue kind, struct scan_value of);

/* Adds a line: the queue that has the tokens of this limit of a tenant or type, as it is named in
 * RabbitMQ's console. Nothing when it has no such limit. */
void limit_view_queue(enum limit_queue kind, struct scan_value of, bool colours,
                      struct buffer *out);
/* Adds a sentence: the new tokens of a tenant or type, its noun and given name, are in force, or
 * are being made. */
void limit_view_replaced(const char *noun, const char *name, struct scan_value answer,
                         struct buffer *out);
/* Adds a line: what is used of a limit: "3 of 5". Nothing when that is not known. */
void limit_view_used(const char *title, int64_t used, struct scan_value of, const char *limit,
                     bool colours, struct buffer *out);
