/* SPDX-License-Identifier: Apache-2.0
 *
 * health.h: a program's own port with /healthz, /readyz and /metrics, on a civetweb context of its
 * own, so that it answers when every public thread is busy.
 */
#ifndef WARREN_HTTP_HEALTH_H
#define WARREN_HTTP_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"

/* True when ready; else why holds the reason in words. Any thread. */
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

/* The same two answers for a public port's route table: {"status": "ready"} or 503 with why. */
void health_answer_alive(struct http_request *r);
void health_answer_ready(struct http_request *r, ready_fn *ready, void *owner);

#endif
