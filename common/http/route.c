/* SPDX-License-Identifier: Apache-2.0
 *
 * route.c: finds routes in their table.
 */
#include "common/http/route.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The segment at *at, which advances to the next one (NULL: none). */
static struct bytes pattern_segment(const char **at)
{
        const char *begin = *at;
        const char *end = strchrnul(begin, '/');

        *at = *end == '/' ? end + 1 : NULL;
        return bytes_of(begin, (size_t)(end - begin));
}

static bool pattern_fits(const char *pattern, const struct path *path, struct route_match *out)
{
        const char *at = pattern + 1;
        size_t i = 0;

        out->param_count = 0;
        for (; at != NULL && i < path->count; i++) {
                struct bytes want = pattern_segment(&at);
                if (want.length > 2 && want.data[0] == '{') {
                        if (path->segments[i][0] == '\0')
                                return false;
                        assert(out->param_count < PATH_PARAMS_MAX);
                        out->params[out->param_count].name =
                                bytes_of(want.data + 1, want.length - 2);
                        out->params[out->param_count++].value = path->segments[i];
                } else if (!bytes_equal_text(want, path->segments[i])) {
                        return false;
                }
        }
        return at == NULL && i == path->count;
}

static void allow(char out[ALLOW_SIZE], const char *method)
{
        size_t used = strlen(out);
        bool get = strcmp(method, "GET") == 0;

        snprintf(out + used, ALLOW_SIZE - used, "%s%s%s", used > 0 ? ", " : "", method,
                 get ? ", HEAD" : "");
}

void route_methods(const struct http_route *routes, char out[ALLOW_SIZE])
{
        out[0] = '\0';
        for (const struct http_route *r = routes; r->method != NULL; r++) {
                if (strstr(out, r->method) == NULL)
                        allow(out, r->method);
        }
        allow(out, "OPTIONS");
}

/* Of all patterns that fit. */
static size_t fewest_params(const struct http_route *routes, const struct path *path)
{
        struct route_match trial = {0};
        size_t fewest = PATH_PARAMS_MAX;

        for (const struct http_route *r = routes; r->method != NULL; r++) {
                if (pattern_fits(r->pattern, path, &trial) && trial.param_count < fewest)
                        fewest = trial.param_count;
        }
        return fewest;
}

void route_match(const struct http_route *routes, const char *method, const struct path *path,
                 struct route_match *out)
{
        struct route_match trial = {0};
        size_t fewest = fewest_params(routes, path);

        *out = (struct route_match){0};
        if (strcmp(method, "HEAD") == 0)
                method = "GET";
        for (const struct http_route *r = routes; r->method != NULL; r++) {
                if (!pattern_fits(r->pattern, path, &trial) || trial.param_count > fewest)
                        continue;
                if (strcmp(r->method, method) == 0) {
                        *out = trial;
                        out->route = r;
                        return;
                }
                allow(out->allow, r->method);
        }
}
