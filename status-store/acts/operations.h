/* SPDX-License-Identifier: Apache-2.0
 *
 * operations.h: carries out the running operations, a page of each in turn. What a page has begun
 * is committed together with the place behind it, so a crash neither repeats nor loses a job.
 *
 * Has a thread of its own. Its functions may be called by any thread.
 */
#pragma once

#include "common/metrics/metrics.h"
#include "status-store/acts/acts.h"
#include "status-store/acts/registry_operations.h"

struct operations;

struct operations_config { /* all borrowed */
        struct registry *registry;
        struct readers *readers;
        struct acts *acts;
        struct metrics *metrics;
};

struct operations *operations_create(const struct operations_config *c, struct err *e) MUST_CHECK;
/* Waits for its thread: close the acts first. The metrics must not be exposed any more. */
void operations_destroy(struct operations **o);

/* A preview, as read from the registry, becomes a running operation. When bulk marks do it, they
 * are published before it returns, and consumers have time to tell that they read them: see
 * `behind`. */
int operations_start(struct operations *o, struct operation *op, enum operation_start *out,
                     struct acts_behind *behind, struct err *e) MUST_CHECK;
/* Why a running operation does not go on; "": it does. */
void operations_waiting(struct operations *o, const char *id, char out[OPERATION_ERROR_SIZE]);
