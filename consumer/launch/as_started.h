/* SPDX-License-Identifier: Apache-2.0
 *
 * as_started.h: gives a handler's process back what its consumer was started with and changed for
 * itself. The consumer writes it into an argument; the process reads it before it does anything.
 */
#ifndef WARREN_LAUNCH_AS_STARTED_H
#define WARREN_LAUNCH_AS_STARTED_H

#include "common/base/err.h"
#include "common/base/process.h"

enum { AS_STARTED_SIZE = 64 };

void as_started_write(const struct process_start *was, char out[AS_STARTED_SIZE]);
/* 0, or -1 with errno. */
int as_started_restore(const char *text) MUST_CHECK;

#endif
