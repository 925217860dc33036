/* SPDX-License-Identifier: Apache-2.0
 *
 * needs.h: how many open files a consumer needs to run its handlers as configured. Pure.
 */
#ifndef WARREN_CONSUMER_RUNNER_NEEDS_H
#define WARREN_CONSUMER_RUNNER_NEEDS_H

#include "consumer/runner/handlers.h"

enum {
        FILES_OF_CONSUMER = 64,     /* its own: links, loop, health port, log */
        FILES_SPARED = 64,          /* that programs leave free, for new connections */
        FILES_SPARED_BY_HOSTS = 32, /* that plugin hosts leave free; fewer, to start first */
        FILES_OF_PROGRAM = 5,       /* three pipes, the launcher's socket, the pidfd */
        FILES_OF_START = 6,         /* more during a start: the other ends, the payload */
        FILES_OF_HOST = 3,          /* two pipes, the pidfd */
};

int64_t needs_open_files(const struct handlers *h, int64_t concurrency);

#endif
