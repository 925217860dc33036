/* SPDX-License-Identifier: Apache-2.0
 *
 * token_fix.h: replaces the tokens of a limit.
 */
#pragma once

#include <stdint.h>

#include "common/model/limit_queue.h"
#include "ui/cli/cli.h"

struct token_fix {
        enum limit_queue kind;
        const char *of; /* the tenant's or type's name */
        int64_t lost;   /* the version whose tokens are lost */
};

/* Asks for new tokens, unless another version is in force already, and waits until one is. Blocks
 * for a minute at most. Returns the version in force; -1: e says why there is none. */
int64_t token_fix_run(struct cli *c, const struct token_fix *f, struct err *e) MUST_CHECK;
