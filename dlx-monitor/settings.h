/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: the settings of the dlx-monitor.
 */
#pragma once

#include "common/amqp/settings.h"
#include "common/base/program.h"

struct dlx_monitor_settings {
        struct amqp_settings amqp;
        struct program_settings basic;
        char *archive, *backup;
        char *address;
        int64_t port, threads;
        char *internal_token;
        char *status_store_url;
        int64_t payload_max;
        msec keep_ended, keep_dead;
        int64_t tenant_bytes;
        msec confirm_timeout, drain_limit;
};

extern const struct config_table dlx_monitor_config;
