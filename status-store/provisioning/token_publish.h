/* SPDX-License-Identifier: Apache-2.0
 *
 * token_publish.h: puts the tokens of a limit into their queue.
 */
#pragma once

#include "common/amqp/link.h"

/* The link has room for all of them, and no resend. 0: all are confirmed. -1: some may be there
 * nevertheless. Blocks; not on the loop's thread. */
int token_publish(struct link *l, const char *queue, int64_t count, struct err *e) MUST_CHECK;
