/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: the consumer's configuration.
 */
#pragma once

#include "common/amqp/settings.h"
#include "common/base/program.h"

struct consumer_settings {
        struct amqp_settings amqp;
        struct program_settings basic;
        int64_t concurrency;
        char *handlers;
        char *status_store_url;
        char *internal_token;
        msec drain;
        msec no_handler_wait;
        int64_t payload_max;
        int64_t held_max;
        msec marks_keep;
        int64_t marks_max_bytes;
        char *worker;         /* NULL: host/pid */
        char *host_program;   /* NULL: beside this program */
        char *launch_program; /* NULL: beside this program */
};

extern const struct config_table consumer_config;
