/* SPDX-License-Identifier: Apache-2.0
 *
 * shortage.h: what the system refuses for now, for want of room: no fault of the job that asked.
 */
#ifndef WARREN_CONSUMER_RUNNER_SHORTAGE_H
#define WARREN_CONSUMER_RUNNER_SHORTAGE_H

#include <stdbool.h>

#include "common/base/err.h"

/* As err_set_errno, but with ERR_FULL for a shortage: of descriptors, processes, memory, watches.
 */
int shortage_err(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);
/* ERR_FULL unless as many open files as `spared` are left to the consumer's own connections and the
 * health port's. `last_fd` is the descriptor that was opened last. */
int shortage_spare_files(int last_fd, int spared, struct err *e) MUST_CHECK;

#endif
