/* SPDX-License-Identifier: Apache-2.0
 *
 * status_store.c: warren-status-store: puts the parts together. The loop's thread follows the
 * stream and writes; the server's threads read; the primary's registry and provisioning have
 * threads of their own.
 */
#include <sys/stat.h>

#include "common/base/log.h"
#include "common/base/own.h"
#include "common/clients/control.h"
#include "common/db/db.h"
#include "common/http/health.h"
#include "status-store/acts/acts_keeper.h"
#include "status-store/acts/operations.h"
#include "status-store/api.h"
#include "status-store/audit_retention.h"
#include "status-store/canceller.h"
#include "status-store/expirer.h"
#include "status-store/gauges.h"
#include "status-store/health_watch.h"
#include "status-store/jobs/job_tenant.h"
#include "status-store/projection/follower.h"
#include "status-store/provisioning/claim_settler.h"
#include "status-store/queue_sizes.h"
#include "status-store/registry/registry_audit.h"
#include "status-store/registry/registry_keys.h"
#include "status-store/registry/registry_types.h"
#include "status-store/registry_compare.h"
#include "status-store/releaser.h"
#include "status-store/settings.h"

enum { SCANS_MAX = 4, AUDITS_MAX = 4 }; /* at once; half of them for one tenant */

struct status_store {
        const struct settings *settings;
        struct service *service;
        struct store *store;
        struct minutes_kept *minutes_kept;
        struct projection *projection;
        struct retention *retention;
        struct follower *follower;
        struct http_client *management;
        struct sweeper *releaser, *expirer, *canceller;
        struct claim_settler *claim_settler; /* the primary's, like those below */
        struct audit_retention *audit_retention;
        struct operator* operator; /* NULL: it has no password */
        struct seen *seen;
        struct acts_keeper *acts_keeper;
        struct metrics *metrics;
        struct queue_sizes *queue_sizes;
        struct api api; /* the parts that requests use; owned */
        struct http_server *server;
        struct health *health;
};

static void on_change(void *owner, const char *tenant, const char *id)
{
        struct status_store *s = owner;
        waiters_changed(s->api.waiting, tenant, id);
        waiters_changed(s->api.young, tenant, id);
}

static void on_marker(void *owner, const char *id)
{
        const struct status_store *s = owner;
        markers_passed(s->api.markers, id);
}

static void on_keyed(void *owner, const struct keyed_job *job)
{
        const struct status_store *s = owner;
        if (s->claim_settler != NULL)
                claim_settler_add(s->claim_settler, job->tenant, job->key, job->id);
}

static int on_owner(void *owner, const char *id, char tenant[TENANT_SIZE], struct err *e)
{
        const struct status_store *s = owner;
        return job_tenant(store_database(s->store), id, tenant, e) < 0 ? -1 : 0;
}

static int on_acts(void *owner, struct bytes lines, struct err *e)
{
        struct status_store *s = owner;
        const struct job_owners owners = {.tenant = on_owner, .owner = s};
        if (s->api.registry == NULL || registry_audit_add(s->api.registry, lines, &owners, e) == 0)
                return 0;
        return err_wrap(e, "the audit");
}

static void on_seen(void *owner, struct bytes worker, int64_t mark)
{
        const struct status_store *s = owner;
        seen_note(s->seen, worker, mark);
}

static bool is_ready(void *owner, struct err *why)
{
        const struct status_store *s = owner;
        if (s->api.registry != NULL &&
            (api_can_change(&s->api, why) != 0 || registry_check(s->api.registry, why) != 0))
                return false;
        return follower_is_ready(s->follower, why);
}

/* Not before provisioning begins: until then the registry may say what is over. */
static void on_paused(void *owner, const char *key, bool paused)
{
        const struct status_store *s = owner;
        if (s->api.unparker != NULL)
                unparker_paused(s->api.unparker, key, paused);
}

static int open_projection(struct status_store *s, struct err *e)
{
        static const struct projection_events events = {.acts = on_acts,
                                                        .changed = on_change,
                                                        .passed = on_marker,
                                                        .keyed = on_keyed,
                                                        .seen = on_seen};
        const struct settings *c = s->settings;
        const struct retention_settings keep = {.keep_ended = c->keep_ended,
                                                .keep_dead = c->keep_dead};
        s->store = store_create(c->database, e);
        if (s->store == NULL)
                return -1;
        s->minutes_kept = minutes_kept_create(c->database, s->store, e);
        if (s->minutes_kept == NULL)
                return -1;
        s->projection = projection_create(s->store, (size_t)c->payload_max, e);
        if (s->projection == NULL)
                return -1;
        s->retention = retention_create(s->store, &keep);
        s->api.readers = readers_create(c->database, (unsigned)c->readers, e);
        const unsigned searches = c->readers >= 8 ? (unsigned)c->readers / 4 : 1;
        const unsigned half = ((unsigned)c->readers + 1) / 2;
        const unsigned scans = half < SCANS_MAX ? half : SCANS_MAX;
        s->api.searches = tenant_places_create(searches, (searches + 1) / 2, "searches");
        s->api.scans = tenant_places_create(scans, (scans + 1) / 2, "searches");
        s->api.audits = tenant_places_create(AUDITS_MAX, AUDITS_MAX / 2, "pages of the audit");
        if (s->api.readers == NULL)
                return -1;
        s->api.waiting = waiters_create((unsigned)c->waiting);
        s->api.young = waiters_create((unsigned)c->waiting);
        s->api.markers = markers_create();
        s->seen = seen_create();
        projection_on_commit(s->projection, &events, s);
        return 0;
}

static int start_sweepers(struct status_store *s, struct err *e)
{
        struct api *a = &s->api;

        s->releaser = sweeper_create(&releaser, a->readers, a->markers, a->provisioning, e);
        if (s->releaser == NULL)
                return -1;
        s->expirer = sweeper_create(&expirer, a->readers, a->markers, a->provisioning, e);
        if (s->expirer == NULL)
                return -1;
        s->canceller = sweeper_create(&canceller, a->readers, a->markers, a->provisioning, e);
        return s->canceller != NULL ? 0 : -1;
}

/* Without the operator's password nothing acts on jobs: an upgrade must not stop the primary. */
static int open_acts(struct status_store *s, struct err *e)
{
        const struct settings *c = s->settings;
        struct link_config link = amqp_link_config(&c->amqp, "status-store operator");
        link.login = c->operator_login;
        link.password = c->operator_password;
        if (c->operator_password == NULL) {
                LOG_WARN("operator_password_file is not set: acts on jobs, and the resume of"
                         " types, are refused");
        } else {
                s->operator= operator_create(&link, s->api.registry, e);
                if (s->operator== NULL)
                        return -1;
                s->api.unparker = unparker_create(&link, s->operator, s->api.registry, e);
                if (s->api.unparker == NULL)
                        return -1;
        }
        const struct acts_config acts = {.registry = s->api.registry,
                                         .readers = s->api.readers,
                                         .markers = s->api.markers,
                                         .provisioning = s->api.provisioning,
                                         .operator= s->operator,
                                         .seen = s->seen,
                                         .marks_keep = c->marks_keep,
                                         .moved_max = c->moved_max,
                                         .at_once = (unsigned)c->threads / 4};
        s->api.acts = acts_create(&acts, e);
        if (s->api.acts == NULL)
                return -1;
        s->acts_keeper = acts_keeper_create(s->api.acts, e);
        return s->acts_keeper != NULL ? 0 : -1;
}

static int check_primary(const struct settings *c, struct err *e)
{
        if (c->provision_password == NULL)
                return err_set(e, ERR_INVALID, "the primary needs provision_password_file");
        if (c->claims_keep < c->claims_lease)
                return err_set(e, ERR_INVALID, "claims_keep is shorter than claims_lease");
        return 0;
}

static int bootstrap(const struct status_store *s, struct err *e)
{
        struct registry *r = s->api.registry;
        int has = registry_has_admin_key(r, e);
        if (has != 0)
                return has < 0 ? -1 : 0;
        if (registry_bootstrap_admin_key(r, s->settings->bootstrap_admin_key_file, e) != 0)
                return -1;
        return registry_audit_add_admin_key(r, clock_wall(), e);
}

static int open_registry(struct status_store *s, struct err *e)
{
        const struct settings *c = s->settings;
        if (!c->primary)
                return 0;
        if (check_primary(c, e) != 0)
                return -1;
        s->api.registry = registry_create(c->registry, e);
        if (s->api.registry == NULL)
                return -1;
        if (c->bootstrap_admin_key_file != NULL && bootstrap(s, e) != 0)
                return -1;
        s->audit_retention = audit_retention_create(s->api.registry, service_loop(s->service));
        if (c->management_url != NULL) {
                const struct http_client_config to = {.base_url = c->management_url,
                                                      .user = c->management_login,
                                                      .password = c->management_password};
                s->management = http_client_create(&to, e);
                if (s->management == NULL)
                        return -1;
        }
        s->api.logins = (struct tenant_logins){.management = s->management, .vhost = c->vhost};
        struct provisioning_config p = {
                .link = amqp_link_config(&c->amqp, "status-store provision"),
                .registry = s->api.registry,
                .changing = &s->api.changing,
                .logins = &s->api.logins,
                .paused = on_paused,
                .owner = s,
                .delete_after = c->tenant_delete_after};
        p.link.login = c->provision_login;
        p.link.password = c->provision_password;
        s->api.provisioning = provisioning_create(&p, e);
        if (s->api.provisioning == NULL)
                return -1;
        s->api.key_uses = key_uses_create(s->api.registry, e);
        if (s->api.key_uses == NULL)
                return -1;
        s->claim_settler = claim_settler_create(s->api.registry, &s->api.claim_limits, e);
        if (s->claim_settler == NULL || open_acts(s, e) != 0)
                return -1;
        return start_sweepers(s, e);
}

/* Only the primary has the login that may look at their queues. */
static int count_tokens(struct status_store *s, uv_loop_t *loop, struct err *e)
{
        const struct settings *c = s->settings;
        struct link_config link = amqp_link_config(&c->amqp, "status-store count tokens");

        if (!c->primary)
                return 0;
        link.login = c->provision_login;
        link.password = c->provision_password;
        s->api.token_counts = token_counts_create(&link, loop, e);
        return s->api.token_counts != NULL ? 0 : -1;
}

/* The primary compares each record with its registry. */
static int follow_control(struct status_store *s, struct err *e)
{
        static const struct control_events none = {0};
        const struct control_events *on = s->api.registry != NULL ? &registry_compares : &none;
        const struct amqp_settings *amqp = &s->settings->amqp;
        uv_loop_t *loop = service_loop(s->service);
        const struct link_config link = amqp_link_config(amqp, "status-store control");
        s->api.control = control_create(&link, on, &s->api, loop, e);
        if (s->api.control == NULL)
                return -1;
        const struct link_config count = amqp_link_config(amqp, "status-store count");
        s->api.lane_counts = lane_counts_create(&count, s->api.control, loop, e);
        return s->api.lane_counts != NULL ? count_tokens(s, loop, e) : -1;
}

/* It acts, so it may begin only when all else is there. */
static int open_operations(struct status_store *s, struct err *e)
{
        const struct operations_config c = {.registry = s->api.registry,
                                            .readers = s->api.readers,
                                            .acts = s->api.acts,
                                            .metrics = s->metrics};
        if (s->api.acts == NULL)
                return 0;
        s->api.acts_gauges = acts_gauges_create(s->metrics, s->api.acts);
        s->api.operations = operations_create(&c, e);
        return s->api.operations != NULL ? 0 : -1;
}

static void answered(void *owner, const struct http_route *route, int status, int64_t us)
{
        struct api *a = owner;
        gauges_answered(a->gauges, route, status, us);
}

static int watch_health(struct status_store *s, struct err *e)
{
        const struct settings *c = s->settings;
        const struct health_watch_config config = {.readers = s->api.readers,
                                                   .freshness = &s->api.freshness,
                                                   .registry = s->api.registry,
                                                   .control = s->api.control,
                                                   .provisioning = s->api.provisioning,
                                                   .management = s->management,
                                                   .vhost = c->vhost,
                                                   .every = c->health_every,
                                                   .metrics = s->metrics};
        if (!c->primary)
                return 0;
        s->api.health_watch = health_watch_create(&config, e);
        return s->api.health_watch != NULL ? 0 : -1;
}

static int open_ports(struct status_store *s, struct err *e)
{
        const struct settings *c = s->settings;
        s->metrics = metrics_create("status-store");
        s->api.gauges = gauges_create(s->metrics, s->api.readers, &s->api.freshness);
        if (s->claim_settler != NULL)
                gauges_show_claims(s->api.gauges, s->metrics, s->api.registry, s->claim_settler);
        if (s->api.registry != NULL)
                gauges_show_audit(s->api.gauges, s->metrics, s->api.registry);
        if (open_operations(s, e) != 0)
                return -1;
        if (s->api.unparker != NULL)
                unparker_measure(s->api.unparker, s->metrics);
        if (c->primary) /* one is enough */
                s->queue_sizes =
                        queue_sizes_create(s->metrics, s->api.lane_counts, (size_t)c->tenants_max);
        if (watch_health(s, e) != 0)
                return -1;
        const struct http_server_config http = {.address = c->address,
                                                .port = (uint16_t)c->port,
                                                .threads = (unsigned)c->threads,
                                                .routes = api_routes,
                                                .owner = &s->api,
                                                .authorize = api_authorize,
                                                .answered = answered};
        const struct health_config health = {.address = c->basic.health_address,
                                             .port = (uint16_t)c->basic.health_port,
                                             .metrics = s->metrics,
                                             .ready = is_ready,
                                             .owner = s};
        s->server = http_server_create(&http, e);
        if (s->server == NULL)
                return -1;
        s->health = health_create(&health, e);
        return s->health != NULL ? 0 : -1;
}

static int command(const void *settings, struct err *e)
{
        const struct settings *c = settings;

        umask(077); /* registry.db holds the hashes of keys */
        if (c->create_admin_key != NULL) {
                AUTO(registry) r = registry_create(c->registry, e);
                if (r == NULL || registry_create_admin_key(r, c->create_admin_key, e) != 0)
                        return -1;
                return registry_audit_add_admin_key(r, clock_wall(), e);
        }
        return c->backup != NULL ? db_backup(c->registry, c->backup, e) : 1;
}

static int begin(void *owner, struct service *service, struct err *e)
{
        struct status_store *s = owner;
        const struct settings *c = s->settings;

        s->service = service;
        s->api.token = c->internal_token;
        s->api.tenants_max = c->tenants_max;
        s->api.pauses_max = c->pauses_max;
        s->api.claims_waiting_max = (size_t)c->threads / 4;
        s->api.claim_limits = (struct claim_limits){.keep = c->claims_keep,
                                                    .lease = c->claims_lease,
                                                    .max = c->claims_max,
                                                    .of_tenant_max = c->claims_tenant_max};
        pthread_mutex_init(&s->api.changing, NULL);
        http_client_global_init();
        if (open_projection(s, e) != 0 || open_registry(s, e) != 0 || follow_control(s, e) != 0)
                return -1;
        const struct follower_config follow = {
                .link = amqp_link_config(&c->amqp, "status-store follow"),
                .projection = s->projection,
                .retention = s->retention,
                .kept = s->minutes_kept,
                .freshness = &s->api.freshness,
                .silence = c->rewind_silence};
        s->follower = follower_create(&follow, service_loop(service), e);
        if (s->follower == NULL || open_ports(s, e) != 0)
                return -1;
        LOG_INFO("started", log_int("port", http_server_port(s->server)),
                 log_int("health_port", health_port(s->health)), log_bool("primary", c->primary));
        return 0;
}

/* Stops serving and following, and commits what was folded. */
static void stop_parts(struct status_store *s)
{
        if (s->management != NULL)
                http_client_stop(s->management);
        acts_close(s->api.acts); /* what waits for the broker, so that the server ends soon */
        operator_stop(s->operator);
        http_server_destroy(&s->server);
        health_destroy(&s->health); /* before the parts that it asks */
        health_watch_destroy(&s->api.health_watch);
        operations_destroy(&s->api.operations);
        acts_keeper_destroy(&s->acts_keeper);
        acts_destroy(&s->api.acts);
        queue_sizes_destroy(&s->queue_sizes);
        lane_counts_destroy(&s->api.lane_counts);
        token_counts_destroy(&s->api.token_counts);
        control_destroy(&s->api.control);
        sweeper_destroy(&s->releaser);
        sweeper_destroy(&s->expirer);
        sweeper_destroy(&s->canceller);
        provisioning_destroy(&s->api.provisioning);
        unparker_destroy(&s->api.unparker);
        operator_destroy(&s->operator);
        key_uses_destroy(&s->api.key_uses);
        follower_destroy(&s->follower);
        claim_settler_destroy(&s->claim_settler); /* after the last commit, which may add to it */
}

static void on_stop(void *owner)
{
        struct status_store *s = owner;

        waiters_close(s->api.waiting);
        waiters_close(s->api.young);
        markers_close(s->api.markers);
        seen_close(s->seen);
        stop_parts(s);
        LOG_INFO("drained", log_int("offset", projection_position(s->projection)->offset));
        service_end(s->service, 0);
}

static void end(void *owner)
{
        struct status_store *s = owner;

        stop_parts(s);
        http_client_destroy(&s->management);
        audit_retention_destroy(&s->audit_retention);
        registry_destroy(&s->api.registry);
        metrics_destroy(&s->metrics);
        gauges_destroy(&s->api.gauges);
        acts_gauges_destroy(&s->api.acts_gauges);
        waiters_destroy(&s->api.waiting);
        waiters_destroy(&s->api.young);
        tenant_places_destroy(&s->api.searches);
        tenant_places_destroy(&s->api.scans);
        tenant_places_destroy(&s->api.audits);
        markers_destroy(&s->api.markers);
        seen_destroy(&s->seen);
        readers_destroy(&s->api.readers);
        retention_destroy(&s->retention);
        projection_destroy(&s->projection);
        minutes_kept_destroy(&s->minutes_kept);
        store_destroy(&s->store);
}

int main(int argc, char **argv)
{
        struct settings settings = {0};
        struct status_store store = {.settings = &settings};
        const struct program program = {.config = &status_store_config,
                                        .settings = &settings,
                                        .basic = &settings.basic,
                                        .on = {.stop = on_stop},
                                        .owner = &store,
                                        .command = command,
                                        .begin = begin,
                                        .end = end};

        return program_main(&program, argc, argv);
}
