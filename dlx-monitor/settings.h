/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: the settings of the dlx-monitor.
 */
#ifndef WARREN_DLX_MONITOR_SETTINGS_H
#define WARREN_DLX_MONITOR_SETTINGS_H

#include "common/amqp/settings.h"
#include "common/base/clock.h"
#include "common/base/config.h"

struct dlx_monitor_settings {
        struct amqp_settings amqp;
        const char *log_level;
        char *archive, *backup;
        char *address, *health_address;
        int64_t port, health_port, threads;
        char *internal_token;
        int64_t payload_max;
        msec keep_ended, keep_dead;
        int64_t tenant_bytes;
        msec confirm_timeout, drain_limit;
};

extern const struct config_table dlx_monitor_config;

#endif
