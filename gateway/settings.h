/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: the settings of the gateway.
 */
#pragma once

#include "common/amqp/settings.h"
#include "common/base/program.h"

struct gateway_settings {
        struct amqp_settings amqp;
        struct program_settings basic;
        char *address;
        int64_t port;
        int64_t threads;
        char *status_store_url, *dlx_monitor_url;
        char *internal_token;
        int64_t payload_max;
        msec body_deadline, answer_deadline;
        msec confirm_timeout;
        int64_t window_messages, window_bytes;
        msec drain_limit;
        int64_t acts_rate;
        int64_t live_max;
        char *mask_members;
        char *cors_origins;    /* NULL: none */
        char *trusted_proxies; /* NULL: none */
};

extern const struct config_table gateway_config;
