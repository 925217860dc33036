/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: the settings of the status-store.
 */
#pragma once

#include "common/amqp/settings.h"
#include "common/base/program.h"

struct settings {
        struct amqp_settings amqp;
        struct program_settings basic;
        char *address;
        int64_t port, threads, readers, waiting;
        char *internal_token;
        char *database;
        int64_t payload_max;
        msec keep_ended, keep_dead, rewind_silence;
        bool primary;
        char *registry;
        char *provision_login, *provision_password;
        char *operator_login, *operator_password;
        char *vhost;
        char *management_url, *management_login, *management_password;
        int64_t tenants_max;
        msec tenant_delete_after;
        msec claims_keep, claims_lease;
        int64_t claims_max, claims_tenant_max;
        msec marks_keep;
        int64_t moved_max, pauses_max;
        msec health_every;
        char *bootstrap_admin_key_file;
        char *create_admin_key, *backup; /* one-shot commands: the program ends after them */
};

extern const struct config_table status_store_config;
