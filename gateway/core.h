/* SPDX-License-Identifier: Apache-2.0
 *
 * core.h: the struct of the gateway, for its own files.
 */
#pragma once

#include <stdatomic.h>

#include "common/base/json_mask.h"
#include "common/base/service.h"
#include "common/clients/control.h"
#include "common/http/client.h"
#include "common/http/health.h"
#include "common/http/server.h"
#include "common/http/tenant_places.h"
#include "gateway/admits.h"
#include "gateway/audit.h"
#include "gateway/backlog.h"
#include "gateway/broker_state.h"
#include "gateway/claims.h"
#include "gateway/health_view.h"
#include "gateway/in_flight.h"
#include "gateway/key_watch.h"
#include "gateway/limiter.h"
#include "gateway/live/live.h"
#include "gateway/logins.h"
#include "gateway/meters.h"
#include "gateway/packer.h"
#include "gateway/session.h"
#include "gateway/settings.h"

enum {
        GATEWAY_ROUTES_MAX = 96,
        GATEWAY_NAME_SIZE = 96,
        LINK_NAME_SIZE = GATEWAY_NAME_SIZE + 16,
        ROUTE_NAME_SIZE = 64
};

/* A link that publishes, and its name in the log. */
struct named_link {
        const char *name;
        struct link *link;
        struct broker_state *state; /* is told of the link's events */
        enum broker_link which;
};

struct gateway {
        /* before start */
        const struct gateway_settings *settings;
        char name[GATEWAY_NAME_SIZE]; /* gateway@host */
        char live_name[LINK_NAME_SIZE];
        struct http_route routes[GATEWAY_ROUTES_MAX];
        char route_names[GATEWAY_ROUTES_MAX][ROUTE_NAME_SIZE]; /* "GET /api/v1/jobs" */
        struct mask_words mask;
        struct http_client *status_store, *dlx_monitor;
        struct limiter *limiter;
        struct limiter *acts_limiter; /* "": of all admin keys */
        struct in_flight *in_flight;
        struct tenant_places *batch_places; /* of callers; "": of all admin keys */
        struct meters meters;
        struct claims *claims;
        struct session_secret session_secret;
        struct logins *logins;
        struct key_watch *key_watch;
        struct broker_state *broker;
        struct health_view *health_view;
        struct live *live; /* NULL: live_max is 0 */
        /* loop thread only, except for calls that their headers allow on any thread */
        struct service *service;
        struct named_link queues; /* publishes jobs to their queues, which feeds no stream */
        struct named_link packs;  /* publishes packs to the event stream, and nothing else */
        struct packer *packer;
        struct audit *audit; /* over the link `packs` too */
        struct admits *admits;
        struct backlog *backlog;
        struct control *control;
        struct health *health;
        struct http_server *server;
        uv_work_t drain_work;
        bool finishing; /* drain_work has not ended */
        /* any thread */
        atomic_bool draining;
        atomic_int waiting;        /* requests with ?wait */
        atomic_bool told_of_proxy; /* that its X-Forwarded-For is not understood */
};
