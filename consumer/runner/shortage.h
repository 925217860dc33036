/* SPDX-License-Identifier: Apache-2.0
 *
 * shortage.h: errors that mean the system has no room now. They are not the job's failure.
 */
#ifndef WARREN_CONSUMER_RUNNER_SHORTAGE_H
#define WARREN_CONSUMER_RUNNER_SHORTAGE_H

#include <stdbool.h>

#include "common/base/err.h"

/* As err_set_errno; ERR_FULL for a shortage of descriptors, processes, memory or epoll watches. */
int shortage_err(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);
/* ERR_FULL unless `spared` more files can be opened, for connections of the links and the health
 * port. last_fd: the descriptor opened last. */
int shortage_spare_files(int last_fd, int spared, struct err *e) MUST_CHECK;

#endif
