/* SPDX-License-Identifier: Apache-2.0
 *
 * topology.h: the exchanges, queues, bindings, policy and logins that Warren needs in its vhost: a
 * fixed part, and one for each tenant, limit and pause. Declaring is idempotent.
 */
#pragma once

#include <jansson.h>

#include "common/amqp/link.h"
#include "common/http/client.h"
#include "common/model/limit_queue.h"

struct topology_settings {
        int64_t events_max_bytes; /* 0: 10 GB */
        msec events_max_age;      /* 0: 7 days */
};

/* Call each for every declaration of the fixed part or of a tenant's, in a valid order. */
typedef int declaration_fn(void *owner, const struct declaration *d, struct err *e);
int topology_each(const struct topology_settings *s, declaration_fn *each, void *owner,
                  struct err *e) MUST_CHECK;
int topology_each_of_tenant(const char *tenant, declaration_fn *each, void *owner,
                            struct err *e) MUST_CHECK;

/* Declare on a link with an admin login; for a tenant's part the provisioning login is enough. Not
 * on the loop's thread. */
int topology_apply(struct link *l, const struct topology_settings *s, struct err *e) MUST_CHECK;
int topology_apply_tenant(struct link *l, const char *tenant, struct err *e) MUST_CHECK;
/* Deletes the exchange and bindings first, so that no more jobs come, then the queues. ERR_CONFLICT
 * at the first queue that has a consumer; it and the rest remain: try again later. */
int topology_delete_tenant(struct link *l, const char *tenant, struct err *e) MUST_CHECK;

/* Where the jobs of a paused type are parked. key: "type:acme/send_email", see parked.h. It is
 * never deleted: a consumer that was cut off may park late. */
int topology_each_of_pause(const char *key, declaration_fn *each, void *owner,
                           struct err *e) MUST_CHECK;
int topology_apply_pause(struct link *l, const char *key, struct err *e) MUST_CHECK;

/* The queue of one version of a limit; with LIMIT_TYPE_RATE also that where its tokens cool down.
 * Never LIMIT_TYPE_COOLING. */
struct limit_version {
        enum limit_queue kind;
        const char *of; /* the tenant or type; borrowed */
        int64_t version;
        msec per; /* LIMIT_TYPE_RATE: how long a token cools down */
};
int topology_each_of_limit(const struct limit_version *l, declaration_fn *each, void *owner,
                           struct err *e) MUST_CHECK;
/* As those of a tenant. Declaring adds no tokens, and waits for no queue that exists but has no
 * leader yet, because its node has just started: ERR_NOT_FOUND. */
int topology_apply_limit(struct link *l, const struct limit_version *v, struct err *e) MUST_CHECK;
int topology_delete_limit(struct link *l, const struct limit_version *v, struct err *e) MUST_CHECK;

/* RabbitMQ definitions without users, for vhost. New reference. */
json_t *topology_definitions(const struct topology_settings *s, const char *vhost);
/* The text of rabbitmq/definitions.json, for vhost `warren`. The caller frees it. */
char *topology_definitions_text(const struct topology_settings *s);

/* Sets what AMQP cannot declare: the policy that lifts the default delivery limit of RabbitMQ 4,
 * and the rights of the existing logins of topology_accounts, for the broker's version. */
int topology_apply_managed(struct http_client *management, const char *vhost,
                           struct err *e) MUST_CHECK;

/* What there should be besides the fixed part; each list NULL-terminated, or NULL. */
struct topology_parts {
        const char *const *tenants; /* names */
        const char *const *pauses;  /* keys of all pauses that were ever made */
};

/* Compares the fixed part and `parts` with the broker, by the management API: names, types,
 * arguments, bindings, the policy, the rights of existing logins. Calls finding for each
 * difference. -1: the API cannot be reached. */
typedef void finding_fn(void *owner, const char *subject, const char *problem, const char *remedy);
int topology_check(struct http_client *management, const char *vhost,
                   const struct topology_settings *s, const struct topology_parts *parts,
                   finding_fn *finding, void *owner, struct err *e) MUST_CHECK;

struct broker_version {
        int major, minor, patch;
};
/* "4.3.6", "4.3.0-rc.1". -1: not a version. */
int broker_version_parse(const char *text, struct broker_version *v) MUST_CHECK;
int topology_broker_version(struct http_client *management, struct broker_version *v,
                            struct err *e) MUST_CHECK;

/* The right on a queue that a passive declare needs: none, configure (4.2.6 and 4.3.0), or any of
 * the three (from 4.2.7 and 4.3.1 on). */
enum passive_declare { PASSIVE_DECLARE_FREE, PASSIVE_DECLARE_CONFIGURE, PASSIVE_DECLARE_ANY };
enum passive_declare passive_declare_of(const struct broker_version *v);

/* The accounts of docs/amqp.md, as permissions. */
struct account {
        const char *login;                    /* "warren-gateway"; NULL ends the table */
        const char *configure, *write, *read; /* anchored patterns */
        const char *configure_to_look;        /* replaces configure if a passive declare needs it */
        const char *write_to_look;            /* replaces write if it needs any right */
        const char *tags;                     /* management tags */
};
extern const struct account topology_accounts[];
/* Creates every login of the table but warren-admin. Passwords are in folder/<login>.password
 * (0600): existing ones are used, others are random. */
int topology_put_accounts(struct http_client *management, const char *vhost, const char *folder,
                          struct err *e) MUST_CHECK;
/* Creates login tenant-<tenant>, which may only publish to jobs.<tenant>. */
int topology_put_tenant_account(struct http_client *management, const char *vhost,
                                const char *tenant, const char *password, struct err *e) MUST_CHECK;
int topology_delete_tenant_account(struct http_client *management, const char *tenant,
                                   struct err *e) MUST_CHECK;
