/* SPDX-License-Identifier: Apache-2.0
 *
 * service.h: a daemon's loop and signals: sets up the process (process.h), ignores SIGPIPE, stops
 * on SIGTERM and SIGINT, reloads on SIGHUP. Main thread only.
 */
#pragma once

#include <uv.h>

#include "common/base/err.h"
#include "common/base/process.h"

struct service;

struct service_events {
        void (*stop)(void *owner);   /* the first SIGTERM or SIGINT: begin to drain */
        void (*reload)(void *owner); /* SIGHUP; NULL: ignored */
};

struct service *service_create(const struct service_events *on, void *owner,
                               struct err *e) MUST_CHECK;
/* Closes the loop. All handles of others on it must be closed before. */
void service_destroy(struct service **s);
uv_loop_t *service_loop(struct service *s);
/* See process.h. */
const struct process_start *service_process_start(const struct service *s);
/* Runs the loop until service_end. A second SIGTERM or SIGINT ends it at once. Returns the exit
 * status given to service_end, or 1 after a second signal. */
int service_run(struct service *s);
void service_end(struct service *s, int status);
