/* SPDX-License-Identifier: Apache-2.0
 *
 * as_started.h: the scheduling policy, umask and open-file limit that the consumer was started
 * with. The consumer changes them for itself, and passes the original ones as an argument; a
 * handler's process restores them before anything else.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/process.h"

enum { AS_STARTED_SIZE = 64 };

void as_started_write(const struct process_start *was, char out[AS_STARTED_SIZE]);
/* 0, or -1 with errno. */
int as_started_restore(const char *text) MUST_CHECK;
