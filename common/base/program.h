/* SPDX-License-Identifier: Apache-2.0
 *
 * program.h: the main of every service: settings, log, loop, signals, exit status.
 */
#pragma once

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/base/service.h"

/* The settings that every service has. */
struct program_settings {
        int log_level; /* enum log_level */
        char *health_address;
        int64_t health_port;
};

/* clang-format off */
#define PROGRAM_SETTINGS_KEYS(type, field, health_port_default) \
        {.name = "log_level", .kind = CONFIG_WORD, .fallback = "info", .words = log_level_words, \
         .help = "least severe line that is logged", .offset = offsetof(type, field.log_level)}, \
        {.name = "health_address", .kind = CONFIG_TEXT, .fallback = "127.0.0.1", \
         .help = "IPv4 address of the health port", \
         .offset = offsetof(type, field.health_address)}, \
        {.name = "health_port", .kind = CONFIG_INT, .fallback = health_port_default, \
         .min = 0, .max = 65535, \
         .help = "port of /healthz, /readyz and /metrics; 0: any free one", \
         .offset = offsetof(type, field.health_port)}
/* clang-format on */

struct program {
        const struct config_table *config;
        void *settings;                       /* zeroed; config fills it */
        const struct program_settings *basic; /* in settings */
        struct service_events on;
        void *owner; /* of the functions: the service's state, zeroed but for its settings */
        /* Executes the command that the settings ask for. 0: done; -1: failed; 1: they ask for
         * none. NULL: the program has no commands. */
        int (*command)(const void *settings, struct err *e);
        int (*begin)(void *owner, struct service *service, struct err *e);
        void (*end)(void *owner); /* also when `begin` failed half-way */
};

/* Returns the exit status: 2: invalid settings; 1: it could not start; else of service_run. Logs
 * why. Frees the texts in settings. */
int program_main(const struct program *p, int argc, char **argv);
