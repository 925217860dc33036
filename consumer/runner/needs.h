/* SPDX-License-Identifier: Apache-2.0
 *
 * needs.h: how many open files a consumer needs to run its handlers as configured. Pure.
 */
#ifndef WARREN_CONSUMER_RUNNER_NEEDS_H
#define WARREN_CONSUMER_RUNNER_NEEDS_H

#include "consumer/runner/handlers.h"

enum {
        FILES_OF_CONSUMER = 64,     /* what it has open by itself: links, loop, health port, log */
        FILES_SPARED = 64,          /* what programs leave to it, for new connections */
        FILES_SPARED_BY_HOSTS = 32, /* what plugin hosts leave; fewer, or programs keep them out */
        FILES_OF_PROGRAM = 5,       /* three pipes, the launcher's socket, the process */
        FILES_OF_START = 6,         /* its other ends of those, and the payload, while one starts */
        FILES_OF_HOST = 3,          /* two pipes, the process */
};

int64_t needs_open_files(const struct handlers *h, int64_t concurrency);

#endif
