/* SPDX-License-Identifier: Apache-2.0
 *
 * health.c: liveness, readiness and metrics on a separate port.
 */
#include "common/http/health.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"

enum { HEALTH_THREADS = 4 };

struct health {
        struct health_config config;
        struct http_server *server;
};

void health_alive(void *owner, struct http_request *r)
{
        (void)owner;
        http_answer_json(r, 200, json_pack("{s:s}", "status", "alive"));
}

void health_answer_ready(struct http_request *r, ready_fn *ready, void *owner)
{
        struct err why = {0};

        if (ready(owner, &why)) {
                http_answer_json(r, 200, json_pack("{s:s}", "status", "ready"));
                return;
        }
        http_problem(r, 503, "%s", why.text);
}

static void ready(void *owner, struct http_request *r)
{
        const struct health *h = owner;

        health_answer_ready(r, h->config.ready, h->config.owner);
}

static void metrics(void *owner, struct http_request *r)
{
        const struct health *h = owner;
        AUTO_BUFFER out = {0};

        metrics_write(h->config.metrics, &out);
        http_answer(r, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_bytes(&out));
}

static const struct http_route routes[] = {
        {.method = "GET", .pattern = "/healthz", .handle = health_alive},
        {.method = "GET", .pattern = "/readyz", .handle = ready},
        {.method = "GET", .pattern = "/metrics", .handle = metrics},
        {.method = NULL},
};

struct health *health_create(const struct health_config *c, struct err *e)
{
        AUTO(health) h = xcalloc(1, sizeof(*h));

        h->config = *c;
        h->server = http_server_create(&(struct http_server_config){.address = c->address,
                                                                    .port = c->port,
                                                                    .threads = HEALTH_THREADS,
                                                                    .routes = routes,
                                                                    .owner = h},
                                       e);
        if (h->server == NULL) {
                err_wrap(e, "health port");
                return NULL;
        }
        return TAKE(h);
}

uint16_t health_port(const struct health *h)
{
        return http_server_port(h->server);
}

void health_destroy(struct health **h)
{
        if (*h == NULL)
                return;
        http_server_destroy(&(*h)->server);
        free(*h);
        *h = NULL;
}
