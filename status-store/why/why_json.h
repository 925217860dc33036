/* SPDX-License-Identifier: Apache-2.0
 *
 * why_json.h: the answer to why a job waits.
 */
#pragma once

#include "status-store/why/why_facts.h"

/* Adds the members. c: with its facts. all: the caller may see jobs of every tenant. */
int why_json_write(struct reader *r, const struct why_case *c, bool all, struct buffer *out,
                   struct err *e) MUST_CHECK;
