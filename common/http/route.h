/* SPDX-License-Identifier: Apache-2.0
 *
 * route.h: finds the route for a method and a path. Pure.
 */
#ifndef WARREN_HTTP_ROUTE_H
#define WARREN_HTTP_ROUTE_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/http/handler.h"

enum { PATH_SEGMENTS_MAX = 12, PATH_PARAMS_MAX = 4, ALLOW_SIZE = 64 };

/* A path split at its slashes, each segment percent-decoded. */
struct path {
        char *text; /* owned; the segments lie in it */
        const char *segments[PATH_SEGMENTS_MAX];
        size_t count;
};

/* ERR_INVALID: a bad escape, an escaped NUL, or not UTF-8. ERR_NOT_FOUND: more segments than
 * PATH_SEGMENTS_MAX. */
int path_parse(const char *raw, struct path *out, struct err *e) MUST_CHECK;
void path_fini(struct path *p);

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
/* For HEAD it finds a GET route. */
void route_match(const struct http_route *routes, const char *method, const struct path *path,
                 struct route_match *out);

#endif
