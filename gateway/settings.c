/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.c: the table of the gateway's settings.
 */
#include "gateway/settings.h"

#define AT(field) .offset = offsetof(struct gateway_settings, field)

/* The broker takes messages of up to 1 MiB (rabbitmq/rabbitmq.conf). A pack of one job holds its
 * payload, its addresses and its properties, which take less than 2 KiB. */
enum { PAYLOAD_MOST = 1020 * 1024 };

/* clang-format off */
static const struct config_key keys[] = {
        AMQP_SETTINGS_KEYS(struct gateway_settings, amqp, "warren-gateway"),
        PROGRAM_SETTINGS_KEYS(struct gateway_settings, basic, "8081"),
        {.name = "address", .kind = CONFIG_TEXT, .fallback = "127.0.0.1",
         .help = "IPv4 address to listen on", AT(address)},
        {.name = "port", .kind = CONFIG_INT, .fallback = "8080", .min = 0, .max = 65535,
         .help = "public port; 0: any free one", AT(port)},
        {.name = "threads", .kind = CONFIG_INT, .fallback = "128", .min = 4, .max = 1024,
         .help = "connections served at once; from half of window_messages on, single submissions can keep batches waiting", AT(threads)},
        {.name = "status_store_url", .kind = CONFIG_TEXT, .fallback = "http://127.0.0.1:8090",
         .help = "internal address of the status-store", AT(status_store_url)},
        {.name = "dlx_monitor_url", .kind = CONFIG_TEXT, .fallback = "http://127.0.0.1:8092",
         .help = "internal address of the dlx-monitor", AT(dlx_monitor_url)},
        {.name = "internal_token_file", .kind = CONFIG_SECRET, .fallback = NULL,
         .help = "file with the token that the internal services require", AT(internal_token)},
        {.name = "payload_max", .kind = CONFIG_SIZE, .fallback = "256KiB", .min = 1024,
         .max = PAYLOAD_MOST, .help = "largest payload of a job", AT(payload_max)},
        {.name = "body_deadline", .kind = CONFIG_MSEC, .fallback = "10s", .min = 100,
         .max = 10 * MSEC_MINUTE, .help = "time limit for receiving a request body",
         AT(body_deadline)},
        {.name = "answer_deadline", .kind = CONFIG_MSEC, .fallback = "30s", .min = 100,
         .max = 10 * MSEC_MINUTE, .help = "time limit for a client to receive an answer",
         AT(answer_deadline)},
        {.name = "confirm_timeout", .kind = CONFIG_MSEC, .fallback = "5s", .min = 100,
         .max = 10 * MSEC_MINUTE, .help = "time limit for each of the broker's two confirms: queue, event stream",
         AT(confirm_timeout)},
        {.name = "window_messages", .kind = CONFIG_INT, .fallback = "1024", .min = 1,
         .max = 65536, .help = "most submissions that queue or event stream have not confirmed",
         AT(window_messages)},
        {.name = "window_bytes", .kind = CONFIG_SIZE, .fallback = "1MiB", .min = 64 * 1024,
         .max = 64 * 1024 * 1024, .help = "most bytes of these submissions", AT(window_bytes)},
        {.name = "drain_limit", .kind = CONFIG_MSEC, .fallback = "10s", .min = 0,
         .max = 10 * MSEC_MINUTE, .help = "at the end: time limit for telling the event stream of the last jobs",
         AT(drain_limit)},
        {.name = "acts_rate", .kind = CONFIG_INT, .fallback = "50", .min = 1, .max = 100000,
         .help = "administrative acts a second of one tenant; four times as many at once; ten times that of all admin keys together",
         AT(acts_rate)},
        {.name = "live_max", .kind = CONFIG_INT, .fallback = "64", .min = 0, .max = 2000,
         .help = "clients of the live feed at once, of one tenant at most half; 0: none. They hold none of the threads",
         AT(live_max)},
        {.name = "mask_members", .kind = CONFIG_TEXT,
         .fallback = "password,token,secret,authorization,api_key",
         .help = "only keys with scope operate read members of payloads whose name contains one of these words; none: all read them",
         AT(mask_members)},
        {.name = "cors_origins", .kind = CONFIG_TEXT, .fallback = "",
         .help = "origins whose pages may use the API, with commas: https://ui.example; empty: none",
         AT(cors_origins)},
        {.name = "trusted_proxies", .kind = CONFIG_TEXT, .fallback = "127.0.0.1",
         .help = "addresses whose X-Forwarded-For and X-Forwarded-Proto count, with commas",
         AT(trusted_proxies)},
        {.name = NULL},
};
/* clang-format on */

const struct config_table gateway_config = {
        .program = "gateway",
        .summary = "the public HTTP API of Warren: accepts jobs, answers queries",
        .keys = keys,
};
