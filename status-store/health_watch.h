/* SPDX-License-Identifier: Apache-2.0
 *
 * health_watch.h: the primary's checks of the whole installation, on a thread of their own: of the
 * projection every 5 s, of the broker's nodes every 10 s (or `every`, if that is less), and of
 * queues, topology and limits every `every` while somebody reads the findings, else ten times as
 * rarely. A list of thousands of queues costs the broker: the next one comes after 20 times what
 * the last took, at the earliest.
 */
#pragma once

#include "common/clients/control.h"
#include "common/db/readers.h"
#include "common/http/client.h"
#include "common/metrics/metrics.h"
#include "status-store/projection/freshness.h"
#include "status-store/provisioning/provisioning.h"
#include "status-store/registry/registry.h"

struct health_watch;

/* All borrowed. */
struct health_watch_config {
        struct readers *readers;
        const struct freshness *freshness;
        struct registry *registry;
        struct control *control;
        const struct provisioning *provisioning;
        struct http_client *management; /* NULL: the broker is not checked */
        const char *vhost;
        msec every;
        struct metrics *metrics; /* gets warren_health{check} */
};

struct health_watch *health_watch_create(const struct health_watch_config *c,
                                         struct err *e) MUST_CHECK;
/* Waits for the call of the management API that is under way: stop that client first. Nobody may
 * collect the metrics any more. */
void health_watch_destroy(struct health_watch **w);
/* Adds member `checks` (findings.h). What it says of the projection is at most a second old, and
 * not older than the call while something is wrong. Any thread. */
void health_watch_write(struct health_watch *w, struct buffer *out);
