/* SPDX-License-Identifier: Apache-2.0
 *
 * gateway.c: warren-gateway: puts the gateway together, and takes it apart in order.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/amqp/pack.h"
#include "common/base/log.h"
#include "gateway/access.h"
#include "gateway/core.h"
#include "gateway/cors.h"
#include "gateway/handlers.h"
#include "gateway/headers.h"
#include "gateway/origin.h"
#include "gateway/readiness.h"
#include "gateway/routes.h"

static void on_tenant(void *owner, const struct tenant_record *t)
{
        struct gateway *g = owner;

        if (!t->deleted) {
                limiter_update(g->limiter, t, clock_mono());
                return;
        }
        limiter_forget(g->limiter, t->name);
        limiter_forget(g->acts_limiter, t->name);
        backlog_forget(g->backlog, t->name);
}

static void on_control_ready(void *owner)
{
        struct gateway *g = owner;

        LOG_INFO("keys and tenants have been read");
        admits_begin(g->admits, g->control);
}

static void on_link_up(void *owner)
{
        const struct named_link *l = owner;

        broker_state_up(l->state, l->which);
        LOG_INFO("publishing link is up", log_text("link", l->name));
}

static void on_link_down(void *owner, const struct err *why)
{
        const struct named_link *l = owner;

        broker_state_down(l->state, l->which);
        LOG_WARN("publishing link is down", log_text("link", l->name), log_err(why));
}

static void on_link_blocked(void *owner, bool blocked)
{
        const struct named_link *l = owner;

        broker_state_blocked(l->state, l->which, blocked);
        LOG_WARN(blocked ? "the broker takes no messages" : "the broker takes messages again",
                 log_text("link", l->name));
}

static void on_answer(void *owner, const struct http_route *route, int status, int64_t us)
{
        struct gateway *g = owner;
        const char *name = route != NULL ? g->route_names[route - g->routes] : "none";
        const char code[] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                             (char)('0' + status % 10), '\0'};

        metric_increment(g->meters.requests, 1, name, code);
        metric_observe(g->meters.duration, (double)us / 1e6, name);
}

static void on_collect(void *owner)
{
        struct gateway *g = owner;

        metric_set(g->meters.link_up, link_is_up(g->queues.link) ? 1 : 0, g->queues.name);
        metric_set(g->meters.link_up, link_is_up(g->packs.link) ? 1 : 0, g->packs.name);
        metric_set(g->meters.link_up, admits_is_up(g->admits) ? 1 : 0, "admits");
        metric_set(g->meters.in_flight, in_flight_jobs(g->in_flight));
        metric_set(g->meters.untold, packer_untold(g->packer));
        metric_set(g->meters.claim_waits, claims_waiting(g->claims));
}

static struct http_client *service_client(const struct gateway *g, const char *url, struct err *e)
{
        return http_client_create(
                &(struct http_client_config){.base_url = url,
                                             .bearer = g->settings->internal_token},
                e);
}

/* Not all threads wait for claims, so that a primary that hangs leaves the others, and one tenant
 * leaves some to others. */
static void create_claims(struct gateway *g, struct http_client *client)
{
        const struct gateway_settings *s = g->settings;

        g->claims =
                claims_create(&(struct claims_config){.client = client,
                                                      .waiting_max = (unsigned)s->threads * 3 / 4,
                                                      .waiting_each = (unsigned)s->threads / 2,
                                                      .confirm_timeout = s->confirm_timeout,
                                                      .meters = &g->meters});
}

enum { THREADS_PER_BATCH = 8 };

/* Few threads read batches, so that single requests find others. */
static void create_batch_places(struct gateway *g)
{
        unsigned threads = (unsigned)g->settings->threads;

        unsigned most = threads < THREADS_PER_BATCH ? 1 : threads / THREADS_PER_BATCH;

        g->batch_places = tenant_places_create(most, (most + 1) / 2, "batches");
}

static int create_clients(struct gateway *g, struct err *e)
{
        http_client_global_init();
        g->status_store = service_client(g, g->settings->status_store_url, e);
        struct http_client *claims = service_client(g, g->settings->status_store_url, e);
        if (claims != NULL)
                create_claims(g, claims);
        if (g->status_store == NULL || g->claims == NULL)
                return err_wrap(e, "status_store_url");
        g->dlx_monitor = service_client(g, g->settings->dlx_monitor_url, e);
        return g->dlx_monitor != NULL ? 0 : err_wrap(e, "dlx_monitor_url");
}

static int create_publishing_link(struct gateway *g, struct named_link *l,
                                  const struct link_config *base, struct err *e)
{
        static const struct link_events events = {
                .up = on_link_up, .down = on_link_down, .blocked = on_link_blocked};
        char name[LINK_NAME_SIZE];
        struct link_config c = *base;

        snprintf(name, sizeof(name), "%s %s", g->name, l->name);
        c.name = name;
        l->link = link_create(&c, &events, l, service_loop(g->service), e);
        return l->link != NULL ? 0 : -1;
}

/* A pack without a confirm is published again after this time, or after confirm_timeout if that is
 * longer. Sooner would help no client, and a broker that is slower than confirm_timeout would get
 * the pack again and again, and never confirm it in time. */
enum { PACK_CONFIRM_MIN = 5 * MSEC_SECOND };

/* Two links, because RabbitMQ confirms messages that a stream lost when some publishes of their
 * channel do not reach that stream (docs/facts.md). What is on either counts in in_flight, so
 * their own windows need no other limit. */
static int create_publishing(struct gateway *g, struct link_config base, struct err *e)
{
        const struct gateway_settings *s = g->settings;

        g->in_flight = in_flight_create((unsigned)s->window_messages, (size_t)s->window_bytes);
        base.window_messages = (uint32_t)s->window_messages;
        base.window_bytes = SIZE_MAX;
        g->broker = broker_state_create();
        g->queues =
                (struct named_link){.name = "queues", .state = g->broker, .which = BROKER_QUEUES};
        if (create_publishing_link(g, &g->queues, &base, e) < 0)
                return -1;
        base.window_messages += AUDIT_MESSAGES;
        base.stream = "events";
        base.resend = true;
        if (base.confirm_timeout < PACK_CONFIRM_MIN)
                base.confirm_timeout = PACK_CONFIRM_MIN;
        g->packs = (struct named_link){.name = "packs", .state = g->broker, .which = BROKER_PACKS};
        if (create_publishing_link(g, &g->packs, &base, e) < 0)
                return -1;
        const struct packer_config packer = {.link = g->packs.link,
                                             .app_id = g->name,
                                             .late = s->confirm_timeout,
                                             .in_flight = g->in_flight,
                                             .meters = &g->meters};
        g->packer = packer_create(&packer, service_loop(g->service));
        const struct audit_config audit = {.link = g->packs.link,
                                           .app_id = g->name,
                                           .timeout = s->confirm_timeout,
                                           .waiting_max = (unsigned)s->threads / 2,
                                           .meters = &g->meters};
        g->audit = audit_create(&audit, service_loop(g->service), e);
        return g->audit != NULL ? 0 : -1;
}

static int create_links(struct gateway *g, struct err *e)
{
        static const struct control_events control_events = {.tenant = on_tenant,
                                                             .ready = on_control_ready};
        const struct gateway_settings *s = g->settings;
        uv_loop_t *loop = service_loop(g->service);
        char name[LINK_NAME_SIZE];
        struct link_config c = amqp_link_config(&s->amqp, name);

        c.confirm_timeout = s->confirm_timeout;
        if (create_publishing(g, c, e) < 0)
                return -1;
        snprintf(name, sizeof(name), "%s backlog", g->name);
        g->backlog = backlog_create(&c, loop, e);
        if (g->backlog == NULL)
                return -1;
        const struct admits_config admits = {.link = &c, .gateway = g->name, .limiter = g->limiter};
        g->admits = admits_create(&admits, loop, e);
        if (g->admits == NULL)
                return -1;
        snprintf(name, sizeof(name), "%s control", g->name);
        g->control = control_create(&c, &control_events, g, loop, e);
        return g->control != NULL ? 0 : -1;
}

static int create_key_watch(struct gateway *g, struct err *e)
{
        struct http_client *client = service_client(g, g->settings->status_store_url, e);

        if (client == NULL)
                return -1;
        session_secret_make(g->settings->internal_token, &g->session_secret);
        g->logins = logins_create();
        g->key_watch = key_watch_create(client, g->control, e);
        return g->key_watch != NULL ? 0 : -1;
}

static int create_servers(struct gateway *g, struct err *e)
{
        const struct gateway_settings *s = g->settings;

        metrics_on_collect(g->meters.metrics, on_collect, g);
        g->health = health_create(&(struct health_config){.address = s->basic.health_address,
                                                          .port = (uint16_t)s->basic.health_port,
                                                          .metrics = g->meters.metrics,
                                                          .ready = readiness_check,
                                                          .owner = g},
                                  e);
        if (g->health == NULL)
                return -1;
        routes_init(g);
        if (live_begin(g, e) != 0)
                return -1;
        g->server = http_server_create(
                &(struct http_server_config){
                        .address = s->address,
                        .port = (uint16_t)s->port,
                        .threads = (unsigned)s->threads,
                        .body_deadline = s->body_deadline,
                        .answer_deadline = s->answer_deadline,
                        .routes = g->routes,
                        .owner = g,
                        .websockets = g->live != NULL ? live_websockets(g->live) : NULL,
                        .authorize = access_authorize,
                        .answered = on_answer,
                        .preflight = cors_preflight,
                        .security_headers = headers_security,
                        .decorate = headers_decorate},
                e);
        return g->server != NULL ? 0 : -1;
}

enum { FINISH_ADMITS = MSEC_SECOND, FINISH_CLAIMS = MSEC_SECOND };

/* Requests end before the packs are drained, so every submission is answered. Then no more claims
 * end. */
static void finish_requests(uv_work_t *work)
{
        struct gateway *g = work->data;

        http_client_stop(g->status_store);
        http_client_stop(g->dlx_monitor);
        http_server_destroy(&g->server);
        live_destroy(&g->live);
        key_watch_destroy(&g->key_watch);
        claims_finish(g->claims, FINISH_CLAIMS);
}

static void on_told(void *owner)
{
        struct gateway *g = owner;

        service_end(g->service, 0);
}

static void on_acts_told(void *owner)
{
        struct gateway *g = owner;

        admits_finish(g->admits, FINISH_ADMITS, on_told, g);
}

static void on_drained(void *owner)
{
        struct gateway *g = owner;

        audit_drain(g->audit, g->settings->drain_limit, on_acts_told, g);
}

/* The link of the queues has nothing to drain: no request waits for it any more. */
static void drain_packs(uv_work_t *work, int status)
{
        struct gateway *g = work->data;

        (void)status;
        g->finishing = false;
        packer_drain(g->packer, g->settings->drain_limit, on_drained, g);
}

static void on_stop(void *owner)
{
        struct gateway *g = owner;

        atomic_store(&g->draining, true);
        g->drain_work.data = g;
        g->finishing = true;
        /* Stopping civetweb blocks until its handlers end, and they wait for this loop. */
        uv_queue_work(service_loop(g->service), &g->drain_work, finish_requests, drain_packs);
}

static int read_mask(struct gateway *g, struct err *e)
{
        const char *words = g->settings->mask_members;

        if (strcmp(words, "none") == 0 || mask_words_parse(bytes_of_text(words), &g->mask, e) == 0)
                return 0;
        return err_wrap(e, "mask_members");
}

/* One of so many threads may wait for the health: jobs need the others. */
enum { HEALTH_SHARE = 8 };

static int begin(void *owner, struct service *service, struct err *e)
{
        struct gateway *g = owner;
        char host[64] = "";

        g->service = service;
        if (strcmp(g->settings->amqp.login, PACK_LOGIN) != 0)
                return err_set(e, ERR_INVALID,
                               "amqp_login must be %s: packs of another login do not count",
                               PACK_LOGIN);
        if (cors_check(g->settings->cors_origins, e) != 0 ||
            origin_check(g->settings->trusted_proxies, e) != 0)
                return -1;
        if (gethostname(host, sizeof(host) - 1) < 0)
                snprintf(host, sizeof(host), "unknown");
        snprintf(g->name, sizeof(g->name), "gateway@%s", host);
        if (read_mask(g, e) < 0)
                return -1;
        g->limiter = limiter_create();
        g->acts_limiter = limiter_create();
        g->health_view = health_view_create((unsigned)g->settings->threads / HEALTH_SHARE + 1);
        create_batch_places(g);
        meters_init(&g->meters);
        if (create_clients(g, e) < 0 || create_links(g, e) < 0 || create_key_watch(g, e) < 0 ||
            create_servers(g, e) < 0)
                return -1;
        LOG_INFO("listening", log_text("address", g->settings->address),
                 log_int("port", http_server_port(g->server)),
                 log_int("health_port", health_port(g->health)));
        return 0;
}

static void log_untold(const struct gateway *g)
{
        unsigned untold = g->packer != NULL ? packer_untold(g->packer) : 0;

        if (untold > 0)
                LOG_WARN("the event stream was not told of some jobs: they show when they start",
                         log_int("jobs", untold));
}

static void end(void *owner)
{
        struct gateway *g = owner;

        /* A second signal ends the loop while finish_requests still uses the server. */
        while (g->finishing)
                uv_run(service_loop(g->service), UV_RUN_ONCE);
        log_untold(g);
        http_server_destroy(&g->server);
        live_destroy(&g->live);
        key_watch_destroy(&g->key_watch);
        logins_destroy(&g->logins);
        health_destroy(&g->health);
        admits_destroy(&g->admits);
        control_destroy(&g->control);
        backlog_destroy(&g->backlog);
        link_destroy(&g->queues.link);
        link_destroy(&g->packs.link);
        broker_state_destroy(&g->broker);
        packer_destroy(&g->packer);
        audit_destroy(&g->audit);
        in_flight_destroy(&g->in_flight);
        claims_destroy(&g->claims);
        http_client_destroy(&g->status_store);
        http_client_destroy(&g->dlx_monitor);
        limiter_destroy(&g->limiter);
        limiter_destroy(&g->acts_limiter);
        health_view_destroy(&g->health_view);
        tenant_places_destroy(&g->batch_places);
        metrics_destroy(&g->meters.metrics);
}

int main(int argc, char **argv)
{
        struct gateway_settings settings = {0};
        struct gateway gateway = {.settings = &settings};
        const struct program program = {.config = &gateway_config,
                                        .settings = &settings,
                                        .basic = &settings.basic,
                                        .on = {.stop = on_stop},
                                        .owner = &gateway,
                                        .begin = begin,
                                        .end = end};

        return program_main(&program, argc, argv);
}
