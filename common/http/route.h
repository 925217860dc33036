/* SPDX-License-Identifier: Apache-2.0
 *
 * route.h: finds the route for a method and a path. Pure.
 */
#pragma once

#include <stddef.h>

#include "common/http/handler.h"
#include "common/http/target.h"

enum { PATH_PARAMS_MAX = 4, ALLOW_SIZE = 64 };

struct route_match {
        const struct http_route *route; /* NULL: none */
        size_t param_count;
        struct {
                struct bytes name; /* borrowed from the pattern */
                const char *value; /* borrowed from the path */
        } params[PATH_PARAMS_MAX];
        char allow[ALLOW_SIZE]; /* methods of the routes whose pattern fits; "": none fits */
};

/* The methods of all routes, each once. */
void route_methods(const struct http_route *routes, char out[ALLOW_SIZE]);
/* For HEAD it finds a GET route. A path that fits patterns with and without a parameter is only the
 * latter's, whatever the method. */
void route_match(const struct http_route *routes, const char *method, const struct path *path,
                 struct route_match *out);
