/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.c: the table of the status-store's settings.
 */
#include "status-store/settings.h"

#define AT(field) .offset = offsetof(struct settings, field)

/* clang-format off */
static const struct config_key keys[] = {
        AMQP_SETTINGS_KEYS(struct settings, amqp, "warren-status-store"),
        PROGRAM_SETTINGS_KEYS(struct settings, basic, "8091"),
        {.name = "address", .kind = CONFIG_TEXT, .fallback = "127.0.0.1",
         .help = "IPv4 address to listen on", AT(address)},
        {.name = "port", .kind = CONFIG_INT, .fallback = "8090", .min = 0, .max = 65535,
         .help = "port of the internal API; 0: any free one", AT(port)},
        {.name = "threads", .kind = CONFIG_INT, .fallback = "160", .min = 4, .max = 1024,
         .help = "connections served at once; a request that waits takes one", AT(threads)},
        {.name = "readers", .kind = CONFIG_INT, .fallback = "8", .min = 1, .max = 64,
         .help = "most reads of the database at once", AT(readers)},
        {.name = "waiting", .kind = CONFIG_INT, .fallback = "64", .min = 1, .max = 512,
         .help = "most requests that wait for a job to end, half of them for one tenant; and as "
                 "many for a new job to be known",
         AT(waiting)},
        {.name = "internal_token_file", .kind = CONFIG_SECRET, .fallback = NULL,
         .help = "file with the token that callers must send", AT(internal_token)},
        {.name = "database", .kind = CONFIG_TEXT, .fallback = "status.db",
         .help = "file of the projection; if deleted, it is rebuilt from what the stream holds",
         AT(database)},
        {.name = "payload_max", .kind = CONFIG_SIZE, .fallback = "256KiB", .min = 1024,
         .max = 1024 * 1024, .help = "largest payload of a job", AT(payload_max)},
        {.name = "keep_ended", .kind = CONFIG_MSEC, .fallback = "7d", .min = 1000,
         .max = (int64_t)3650 * MSEC_DAY, .help = "how long completed and cancelled jobs are kept",
         AT(keep_ended)},
        {.name = "keep_dead", .kind = CONFIG_MSEC, .fallback = "30d", .min = 1000,
         .max = (int64_t)3650 * MSEC_DAY, .help = "how long dead jobs are kept", AT(keep_dead)},
        {.name = "rewind_silence", .kind = CONFIG_MSEC, .fallback = "5s", .min = 100,
         .max = 10 * MSEC_MINUTE,
         .help = "how long to wait for the last message folded; without it the stream counts as "
                 "rewound and is folded from its start; rows stay",
         AT(rewind_silence)},
        {.name = "primary", .kind = CONFIG_BOOL, .fallback = "false",
         .help = "own the registry; exactly one status-store must",
         AT(primary)},
        {.name = "registry", .kind = CONFIG_TEXT, .fallback = "registry.db",
         .help = "primary: file of tenants, keys, limits, acts, pauses, operations and the audit; "
                 "back it up",
         AT(registry)},
        {.name = "provision_login", .kind = CONFIG_TEXT, .fallback = "warren-provision",
         .help = "primary: broker login that declares tenants' queues", AT(provision_login)},
        {.name = "provision_password_file", .kind = CONFIG_SECRET, .fallback = "",
         .help = "primary: file with the password of provision_login", AT(provision_password)},
        {.name = "operator_login", .kind = CONFIG_TEXT, .fallback = "warren-operator",
         .help = "primary: broker login that publishes what acts on jobs", AT(operator_login)},
        {.name = "operator_password_file", .kind = CONFIG_SECRET, .fallback = "",
         .help = "primary: file with the password of operator_login; empty: acts are refused",
         AT(operator_password)},
        {.name = "vhost", .kind = CONFIG_TEXT, .fallback = "warren",
         .help = "primary: vhost in which tenants' logins get permissions", AT(vhost)},
        {.name = "management_url", .kind = CONFIG_TEXT, .fallback = "",
         .help = "primary: RabbitMQ's management API, for tenants' logins and the health; empty: none",
         AT(management_url)},
        {.name = "management_login", .kind = CONFIG_TEXT, .fallback = "warren-admin",
         .help = "primary: login for the management API", AT(management_login)},
        {.name = "management_password_file", .kind = CONFIG_SECRET, .fallback = "",
         .help = "primary: file with the password of management_login", AT(management_password)},
        {.name = "tenants_max", .kind = CONFIG_INT, .fallback = "1000", .min = 1, .max = 10000,
         .help = "primary: most tenants; each has 5 queues, and a consumer with 5000 queues was "
                 "measured: see docs/facts.md",
         AT(tenants_max)},
        {.name = "tenant_delete_after", .kind = CONFIG_MSEC, .fallback = "1m", .min = 0,
         .max = (int64_t)30 * MSEC_DAY,
         .help = "primary: how long the queues of a deleted tenant, and the tokens of a limit that "
                 "was changed, stay",
         AT(tenant_delete_after)},
        {.name = "claims_keep", .kind = CONFIG_MSEC, .fallback = "24h", .min = MSEC_SECOND,
         .max = (int64_t)30 * MSEC_DAY,
         .help = "primary: how long an idempotency key is kept, from its first request; at least "
                 "claims_lease",
         AT(claims_keep)},
        {.name = "claims_lease", .kind = CONFIG_MSEC, .fallback = "30s", .min = MSEC_SECOND,
         .max = 10 * MSEC_MINUTE,
         .help = "primary: how long a request whose outcome is unknown holds its idempotency key; "
                 "the gateways' confirm_timeout must be below two thirds of it",
         AT(claims_lease)},
        {.name = "claims_max", .kind = CONFIG_INT, .fallback = "20000000", .min = 1,
         .max = 1000000000,
         .help = "primary: most idempotency keys kept, about 150 bytes each; beyond, new ones are "
                 "refused",
         AT(claims_max)},
        {.name = "claims_tenant_max", .kind = CONFIG_INT, .fallback = "5000000", .min = 1,
         .max = 1000000000, .help = "primary: most idempotency keys kept of one tenant",
         AT(claims_tenant_max)},
        {.name = "marks_keep", .kind = CONFIG_MSEC, .fallback = "2d", .min = MSEC_SECOND,
         .max = (int64_t)30 * MSEC_DAY,
         .help = "how long stream marks holds a mark, as the consumers' setting of this name",
         AT(marks_keep)},
        {.name = "moved_max", .kind = CONFIG_INT, .fallback = "2000000", .min = 1,
         .max = 100000000,
         .help = "primary: most jobs whose last act is kept until they would have been due, about "
                 "80 bytes each; beyond, jobs due later are not moved",
         AT(moved_max)},
        {.name = "pauses_max", .kind = CONFIG_INT, .fallback = "1000", .min = 1, .max = 10000,
         .help = "primary: most types, and types of a tenant, that were ever paused; each has a "
                 "queue",
         AT(pauses_max)},
        {.name = "health_every", .kind = CONFIG_MSEC, .fallback = "1m", .min = MSEC_SECOND,
         .max = MSEC_HOUR,
         .help = "primary: how often the broker's queues, topology and tokens are checked while "
                 "somebody reads /health; else ten times as rarely",
         AT(health_every)},
        {.name = "bootstrap_admin_key_file", .kind = CONFIG_TEXT, .fallback = "",
         .help = "primary: if there is no admin key, make one and write it to this file",
         AT(bootstrap_admin_key_file)},
        {.name = "create_admin_key", .kind = CONFIG_TEXT, .fallback = "",
         .help = "make an admin key, write it to this file, and end", AT(create_admin_key)},
        {.name = "backup", .kind = CONFIG_TEXT, .fallback = "",
         .help = "copy the registry to this file, and end", AT(backup)},
        {.name = NULL},
};
/* clang-format on */

const struct config_table status_store_config = {
        .program = "status-store",
        .summary = "the status of every job, folded from the event stream; tenants and keys",
        .keys = keys,
};
