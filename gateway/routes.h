/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.h: the public paths.
 */
#pragma once

#include "gateway/audited.h"
#include "gateway/core.h"

/* A row of the table of public paths. */
struct public_route {
        struct http_route route;
        const char *act; /* its name as an administrative act, "job.cancel"; NULL: it is none */
        unsigned flags;  /* enum audit_flag, or-ed */
};

/* Fills g->routes, with body limits from the settings. */
void routes_init(struct gateway *g);
/* The row of a route of g->routes. */
const struct public_route *routes_public(const struct gateway *g, const struct http_route *route);
