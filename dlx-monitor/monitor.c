/* SPDX-License-Identifier: Apache-2.0
 *
 * monitor.c: warren-dlx-monitor: puts the program together, and takes it apart in order.
 */
#include <stdio.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/clients/control.h"
#include "common/db/db.h"
#include "common/http/health.h"
#include "dlx-monitor/announcer.h"
#include "dlx-monitor/intake.h"
#include "dlx-monitor/late.h"
#include "dlx-monitor/retention.h"
#include "dlx-monitor/routes.h"
#include "dlx-monitor/settings.h"

struct monitor {
        const struct dlx_monitor_settings *settings;
        struct service *service;
        struct metrics *metrics;
        struct metric *requests, *dead;
        struct archive *archive;
        struct link *consume, *publish;
        struct control *control;
        struct http_client *primary;
        struct intake *intake;
        struct announcer *announcer;
        struct replayer *replayer;
        struct late *late;
        struct retention *retention;
        struct api api;
        struct http_server *server;
        struct health *health;
        int draining; /* links that are not drained yet */
};

static void on_consume_up(void *owner)
{
        (void)owner;
        LOG_INFO("consuming link is up");
}

static void on_consume_down(void *owner, const struct err *why)
{
        struct monitor *m = owner;

        LOG_WARN("consuming link is down", log_err(why));
        if (m->intake != NULL)
                intake_link_down(m->intake);
}

static void on_refused(void *owner, struct subscription *s, const struct err *why)
{
        (void)owner;
        (void)s;
        LOG_WARN("cannot consume from a queue", log_err(why));
}

static void on_publish_up(void *owner)
{
        struct monitor *m = owner;

        LOG_INFO("publishing link is up");
        if (m->announcer != NULL)
                announcer_kick(m->announcer);
}

static void on_publish_down(void *owner, const struct err *why)
{
        (void)owner;
        LOG_WARN("publishing link is down", log_err(why));
}

static void on_letters_added(void *owner)
{
        struct monitor *m = owner;

        announcer_kick(m->announcer);
}

static bool is_ready(void *owner, struct err *why)
{
        struct monitor *m = owner;

        if (!link_is_ready(m->consume, why) || !link_is_ready(m->publish, why))
                return false;
        if (!control_is_ready(m->control)) {
                err_set(why, ERR_UNAVAILABLE,
                        "keys and tenants have not been read from the broker yet");
                return false;
        }
        return intake_can_archive(m->intake, why);
}

static void set_group(void *owner, const char *group, int64_t count)
{
        struct monitor *m = owner;

        metric_set(m->dead, (double)count, group);
}

static void on_collect(void *owner)
{
        struct monitor *m = owner;
        struct err e = {0};

        metric_reset(m->dead);
        if (letters_dead_by_group(m->archive, set_group, m, &e) != 0)
                LOG_WARN("cannot count dead letters", log_err(&e));
        retention_collect(m->retention);
}

static void on_answer(void *owner, const struct http_route *route, int status, int64_t us)
{
        struct monitor *m = ((struct api *)owner)->monitor;
        char code[8];

        (void)us;
        snprintf(code, sizeof(code), "%d", status);
        metric_increment(m->requests, 1, route != NULL ? route->pattern : "none", code);
}

static void add_metrics(struct monitor *m)
{
        const struct metric_spec requests = {
                .name = "warren_http_requests_total",
                .help = "Requests answered, by route and status",
                .kind = METRIC_COUNTER,
                .labels = {"route", "code"},
        };
        const struct metric_spec dead = {
                .name = "warren_dead_letters",
                .help = "Letters that were neither replayed nor discarded, by group",
                .kind = METRIC_GAUGE,
                .labels = {"group"},
        };

        m->metrics = metrics_create("dlx-monitor");
        m->requests = metric_add(m->metrics, &requests);
        m->dead = metric_add(m->metrics, &dead);
        metrics_on_collect(m->metrics, on_collect, m);
}

static int create_links(struct monitor *m, struct err *e)
{
        static const struct link_events consume = {
                .up = on_consume_up, .down = on_consume_down, .refused = on_refused};
        static const struct link_events publish = {.up = on_publish_up, .down = on_publish_down};
        uv_loop_t *loop = service_loop(m->service);
        char host[64] = "", name[128];

        (void)!gethostname(host, sizeof(host) - 1);
        struct link_config config = amqp_link_config(&m->settings->amqp, name);
        config.confirm_timeout = m->settings->confirm_timeout;
        snprintf(name, sizeof(name), "dlx-monitor@%s consume", host);
        config.read_bytes = INTAKE_READ_BYTES;
        m->consume = link_create(&config, &consume, m, loop, e);
        if (m->consume == NULL)
                return -1;
        config.read_bytes = 0;
        snprintf(name, sizeof(name), "dlx-monitor@%s publish", host);
        config.stream = "events";
        m->publish = link_create(&config, &publish, m, loop, e);
        if (m->publish == NULL)
                return -1;
        config.stream = NULL;
        snprintf(name, sizeof(name), "dlx-monitor@%s control", host);
        m->control = control_create(&config, &(struct control_events){0}, m, loop, e);
        return m->control != NULL ? 0 : -1;
}

static int create_client(struct monitor *m, struct err *e)
{
        const struct http_client_config to = {.base_url = m->settings->status_store_url,
                                              .bearer = m->settings->internal_token};

        http_client_global_init();
        m->primary = http_client_create(&to, e);
        return m->primary != NULL ? 0 : -1;
}

static void create_parts(struct monitor *m)
{
        uv_loop_t *loop = service_loop(m->service);

        m->announcer = announcer_create(m->publish, m->archive, loop);
        m->replayer = replayer_create(&(struct replayer_config){
                .link = m->publish,
                .control = m->control,
                .primary = m->primary,
                .archive = m->archive,
                .metrics = m->metrics,
                .loop = loop,
                .payload_max = (size_t)m->settings->payload_max,
        });
        m->retention = retention_create(&(struct retention_config){
                .archive = m->archive,
                .metrics = m->metrics,
                .loop = loop,
                .keep_ended = m->settings->keep_ended,
                .keep_dead = m->settings->keep_dead,
                .tenant_bytes = m->settings->tenant_bytes,
        });
        m->intake = intake_create(&(struct intake_config){
                .link = m->consume,
                .archive = m->archive,
                .metrics = m->metrics,
                .loop = loop,
                .added = on_letters_added,
                .owner = m,
        });
}

static int create_servers(struct monitor *m, struct err *e)
{
        const struct dlx_monitor_settings *s = m->settings;

        m->api = (struct api){.archive = m->archive,
                              .replayer = m->replayer,
                              .token = s->internal_token,
                              .retention = m->retention,
                              .intake = m->intake,
                              .consume = m->consume,
                              .monitor = m};
        m->server = http_server_create(
                &(struct http_server_config){
                        .address = s->address,
                        .port = (uint16_t)s->port,
                        .threads = (unsigned)s->threads,
                        .routes = dlx_monitor_routes,
                        .owner = &m->api,
                        .authorize = api_authorize,
                        .answered = on_answer,
                },
                e);
        if (m->server == NULL)
                return -1;
        m->health = health_create(&(struct health_config){.address = s->basic.health_address,
                                                          .port = (uint16_t)s->basic.health_port,
                                                          .metrics = m->metrics,
                                                          .ready = is_ready,
                                                          .owner = m},
                                  e);
        if (m->health == NULL)
                return -1;
        LOG_INFO("listening", log_int("port", http_server_port(m->server)));
        return 0;
}

static void on_drained(void *owner, bool clean)
{
        struct monitor *m = owner;

        if (!clean)
                LOG_WARN("stopped before every ack was sent and every publish confirmed");
        if (--m->draining == 0)
                service_end(m->service, 0);
}

/* http_server_destroy blocks the loop until replays in progress are answered. The link's own thread
 * answers them, so it does end. */
static void on_stop(void *owner)
{
        struct monitor *m = owner;

        http_client_stop(m->primary);
        http_server_destroy(&m->server);
        intake_stop(m->intake);
        m->draining = 2;
        link_drain(m->consume, m->settings->drain_limit, on_drained, m);
        link_drain(m->publish, m->settings->drain_limit, on_drained, m);
}

static int command(const void *settings, struct err *e)
{
        const struct dlx_monitor_settings *s = settings;

        return s->backup != NULL ? db_backup(s->archive, s->backup, e) : 1;
}

static int begin(void *owner, struct service *service, struct err *e)
{
        struct monitor *m = owner;

        m->service = service;
        m->archive = archive_open(m->settings->archive, e);
        if (m->archive == NULL)
                return -1;
        add_metrics(m);
        if (create_client(m, e) != 0 || create_links(m, e) != 0)
                return -1;
        create_parts(m);
        m->late = late_create(m->archive, m->primary, e);
        return m->late != NULL ? create_servers(m, e) : -1;
}

static void end(void *owner)
{
        struct monitor *m = owner;

        http_server_destroy(&m->server);
        health_destroy(&m->health);
        intake_destroy(&m->intake);
        link_destroy(&m->consume);
        link_destroy(&m->publish);
        control_destroy(&m->control);
        announcer_destroy(&m->announcer);
        replayer_destroy(&m->replayer);
        if (m->primary != NULL)
                http_client_stop(m->primary);
        late_destroy(&m->late);
        http_client_destroy(&m->primary);
        retention_destroy(&m->retention);
        archive_destroy(&m->archive);
        metrics_destroy(&m->metrics);
}

int main(int argc, char **argv)
{
        struct dlx_monitor_settings settings = {0};
        struct monitor monitor = {.settings = &settings};
        const struct program program = {.config = &dlx_monitor_config,
                                        .settings = &settings,
                                        .basic = &settings.basic,
                                        .on = {.stop = on_stop},
                                        .owner = &monitor,
                                        .command = command,
                                        .begin = begin,
                                        .end = end};

        return program_main(&program, argc, argv);
}
