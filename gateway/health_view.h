/* SPDX-License-Identifier: Apache-2.0
 *
 * health_view.h: what a gateway found when it last looked at itself and at the services that it
 * calls. It remembers since when each check is in its state. However many ask for it, the services
 * are asked by one thread at a time; an answer is never older than the question. Any thread.
 */
#pragma once

#include "common/doctor/findings.h"
#include "common/http/client.h"

struct health_view;

/* waiting_max: threads in health_view_complete at once. */
struct health_view *health_view_create(unsigned waiting_max);
void health_view_destroy(struct health_view **v);

/* The services behind the gateway. */
struct health_services {
        struct http_client *status_store, *dlx_monitor;
};
/* Adds what the services found, and whether they answer, to the gateway's own findings, and fills
 * in the times. Blocks for two calls, of 3 s each at most, and before them for the two that are
 * under way: 12 s. ERR_FULL: too many threads wait already. */
int health_view_complete(struct health_view *v, const struct health_services *s,
                         struct findings *own, struct err *e) MUST_CHECK;
