/* SPDX-License-Identifier: Apache-2.0
 *
 * gauges.h: the metrics of the status-store.
 */
#pragma once

#include "common/db/readers.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "status-store/projection/freshness.h"
#include "status-store/projection/schema.h"
#include "status-store/provisioning/claim_settler.h"

struct gauges;

/* Adds metrics to m and fills them before each exposition. Everything is borrowed and must outlive
 * m's last exposition. */
struct gauges *gauges_create(struct metrics *m, struct readers *readers,
                             const struct freshness *freshness);
/* The primary: adds those of claims, likewise. Call it before m's first exposition. */
void gauges_show_claims(struct gauges *g, struct metrics *m, struct registry *registry,
                        struct claim_settler *settler);
/* The primary: adds that of the audit, likewise. */
void gauges_show_audit(struct gauges *g, struct metrics *m, struct registry *registry);
void gauges_destroy(struct gauges **g);
/* For http_server_config.answered. */
void gauges_answered(struct gauges *g, const struct http_route *route, int status, int64_t us);
