/* SPDX-License-Identifier: Apache-2.0
 *
 * shortage.h: errors that mean the system has no room now, which are not the job's failure; the
 * open files that handlers need.
 */
#pragma once

#include "common/base/err.h"
#include "consumer/runner/handlers.h"

enum {
        FILES_OF_CONSUMER = 64,     /* its own: links, loop, health port, log */
        FILES_SPARED = 64,          /* that programs leave free, for new connections */
        FILES_SPARED_BY_HOSTS = 32, /* that plugin hosts leave free; fewer, to start first */
        FILES_OF_PROGRAM = 5,       /* three pipes, the launcher's socket, the pidfd */
        FILES_OF_START = 6,         /* more during a start: the other ends, the payload */
        FILES_OF_HOST = 3,          /* two pipes, the pidfd */
};

/* As err_set_errno; ERR_FULL for a shortage of descriptors, processes, memory or epoll watches. */
int shortage_err(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);
/* ERR_FULL unless `spared` more files can be opened, for connections of the links and the health
 * port. last_fd: the descriptor opened last. */
int shortage_spare_files(int last_fd, int spared, struct err *e) MUST_CHECK;
/* How many open files a consumer needs to run its handlers as configured. */
int64_t open_files_needed(const struct handlers *h, int64_t concurrency);
