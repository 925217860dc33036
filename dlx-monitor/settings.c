/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.c: the table of the dlx-monitor's settings.
 */
#include "dlx-monitor/settings.h"

#define AT(field) .offset = offsetof(struct dlx_monitor_settings, field)

/* clang-format off */
static const struct config_key keys[] = {
        AMQP_SETTINGS_KEYS(struct dlx_monitor_settings, amqp, "warren-dlx-monitor"),
        PROGRAM_SETTINGS_KEYS(struct dlx_monitor_settings, basic, "8093"),
        {.name = "archive", .kind = CONFIG_TEXT, .fallback = "archive.db",
         .help = "file of the archive; its folder must exist", AT(archive)},
        {.name = "backup", .kind = CONFIG_TEXT, .fallback = "",
         .help = "copy the archive (it may be in use) to this file, and end", AT(backup)},
        {.name = "address", .kind = CONFIG_TEXT, .fallback = "127.0.0.1",
         .help = "IPv4 address to listen on", AT(address)},
        {.name = "port", .kind = CONFIG_INT, .fallback = "8092", .min = 0, .max = 65535,
         .help = "port of the internal API; 0: any free one", AT(port)},
        {.name = "threads", .kind = CONFIG_INT, .fallback = "16", .min = 2, .max = 256,
         .help = "connections served at once", AT(threads)},
        {.name = "internal_token_file", .kind = CONFIG_SECRET, .fallback = NULL,
         .help = "file with the token that callers must send", AT(internal_token)},
        {.name = "status_store_url", .kind = CONFIG_TEXT, .fallback = "http://127.0.0.1:8090",
         .help = "internal address of the primary status-store", AT(status_store_url)},
        {.name = "payload_max", .kind = CONFIG_SIZE, .fallback = "256KiB", .min = 1024,
         .max = 1024 * 1024, .help = "largest payload that is replayed", AT(payload_max)},
        {.name = "keep_ended", .kind = CONFIG_MSEC, .fallback = "30d", .min = MSEC_SECOND,
         .max = 3650 * (msec)MSEC_DAY,
         .help = "how long replayed and discarded letters are kept", AT(keep_ended)},
        {.name = "keep_dead", .kind = CONFIG_MSEC, .fallback = "90d", .min = MSEC_SECOND,
         .max = 3650 * (msec)MSEC_DAY,
         .help = "how long letters that nobody touched are kept", AT(keep_dead)},
        {.name = "tenant_bytes", .kind = CONFIG_SIZE, .fallback = "2GiB", .min = 64 * 1024,
         .max = INT64_C(1) << 50,
         .help = "above this, a tenant's replayed and discarded letters go before keep_ended",
         AT(tenant_bytes)},
        {.name = "confirm_timeout", .kind = CONFIG_MSEC, .fallback = "5s", .min = 100,
         .max = 10 * MSEC_MINUTE, .help = "time limit for the broker's confirm",
         AT(confirm_timeout)},
        {.name = "drain_limit", .kind = CONFIG_MSEC, .fallback = "10s", .min = 0,
         .max = 10 * MSEC_MINUTE, .help = "at the end: time limit for the last acks and confirms",
         AT(drain_limit)},
        {.name = NULL},
};
/* clang-format on */

const struct config_table dlx_monitor_config = {
        .program = "dlx-monitor",
        .summary = "archives dead letters and replays them",
        .keys = keys,
};
