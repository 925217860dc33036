/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.c: the table of the consumer's settings.
 */
#include "consumer/settings.h"

#include "common/model/job.h"

#define AT(field) .offset = offsetof(struct consumer_settings, field)

/* clang-format off */
static const struct config_key keys[] = {
        AMQP_SETTINGS_KEYS(struct consumer_settings, amqp, "warren-consumer"),
        PROGRAM_SETTINGS_KEYS(struct consumer_settings, basic, "8095"),
        {.name = "concurrency", .kind = CONFIG_INT, .fallback = "8", .min = 1, .max = 1024,
         .help = "jobs that run at once", AT(concurrency)},
        {.name = "handlers", .kind = CONFIG_TEXT, .fallback = NULL,
         .help = "path of handlers.json", AT(handlers)},
        {.name = "status_store_url", .kind = CONFIG_TEXT, .fallback = "http://127.0.0.1:8090",
         .help = "internal API of a status-store, asked about possible duplicates; of several, "
                 "separated by commas, the next is asked when one is unreachable or behind",
         AT(status_store_url)},
        {.name = "internal_token_file", .kind = CONFIG_SECRET, .fallback = NULL,
         .help = "file with the token of the internal APIs", AT(internal_token)},
        {.name = "drain", .kind = CONFIG_MSEC, .fallback = "25s", .min = 0, .max = MSEC_DAY,
         .help = "time that running jobs get to end after SIGTERM, before they are stopped",
         AT(drain)},
        {.name = "no_handler_wait", .kind = CONFIG_MSEC, .fallback = "10m", .min = 0,
         .max = (msec)30 * MSEC_DAY,
         .help = "time that a job waits for a consumer that handles its type, before it is buried",
         AT(no_handler_wait)},
        {.name = "payload_max", .kind = CONFIG_SIZE, .fallback = "256KiB", .min = 1,
         .max = 1024 * 1024, .help = "bytes of the largest payload", AT(payload_max)},
        {.name = "held_max", .kind = CONFIG_SIZE, .fallback = "32MiB", .min = 1024 * 1024,
         .max = (int64_t)16 << 30, .help = "most bytes of deliveries held at once", AT(held_max)},
        {.name = "marks_keep", .kind = CONFIG_MSEC, .fallback = "2d", .min = MSEC_SECOND,
         .max = (msec)30 * MSEC_DAY,
         .help = "how long stream marks holds a mark, as the status-stores' setting of this name",
         AT(marks_keep)},
        {.name = "marks_max_bytes", .kind = CONFIG_SIZE, .fallback = "32MiB", .min = 64 * 1024,
         .max = (int64_t)4 << 30,
         .help = "most bytes of marks held; of jobs older than these the status-store is asked",
         AT(marks_max_bytes)},
        {.name = "worker", .kind = CONFIG_TEXT, .fallback = "",
         .help = "unique name of this worker; empty: host/pid", AT(worker)},
        {.name = "host_program", .kind = CONFIG_TEXT, .fallback = "",
         .help = "path of warren-plugin-host; empty: beside this program", AT(host_program)},
        {.name = "launch_program", .kind = CONFIG_TEXT, .fallback = "",
         .help = "path of warren-launch; empty: beside this program", AT(launch_program)},
        {.name = NULL},
};
/* clang-format on */

const struct config_table consumer_config = {
        .program = "consumer",
        .summary = "takes jobs from RabbitMQ and runs them by their handlers",
        .keys = keys,
};
