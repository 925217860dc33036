/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: the settings of the gateway.
 */
#ifndef WARREN_GATEWAY_SETTINGS_H
#define WARREN_GATEWAY_SETTINGS_H

#include "common/amqp/settings.h"
#include "common/base/clock.h"
#include "common/base/config.h"

struct gateway_settings {
        struct amqp_settings amqp;
        const char *log_level;
        char *address, *health_address;
        int64_t port, health_port;
        int64_t threads;
        char *status_store_url, *dlx_monitor_url;
        char *internal_token;
        int64_t payload_max;
        msec body_deadline, answer_deadline;
        msec confirm_timeout;
        int64_t window_messages, window_bytes;
        msec drain_limit;
};

extern const struct config_table gateway_config;

#endif
