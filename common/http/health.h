/* SPDX-License-Identifier: Apache-2.0
 *
 * health.h: a separate port with /healthz, /readyz and /metrics, with its own threads, so that it
 * answers when every thread of the public port is busy.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"

/* False: not ready, and `why` says why. Any thread. */
typedef bool ready_fn(void *owner, struct err *why);

struct health;

struct health_config {
        const char *address;
        uint16_t port;
        struct metrics *metrics; /* borrowed */
        ready_fn *ready;
        void *owner;
};

struct health *health_create(const struct health_config *c, struct err *e) MUST_CHECK;
void health_destroy(struct health **h);
uint16_t health_port(const struct health *h);

/* The answers of /healthz and /readyz, for a public port's routes. */
http_handler health_alive;
void health_answer_ready(struct http_request *r, ready_fn *ready, void *owner);
