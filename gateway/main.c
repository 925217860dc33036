/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-gateway.
 */
#include <stdio.h>

#include "common/base/log.h"
#include "common/base/own.h"
#include "gateway/gateway.h"

static int run(const struct gateway_settings *settings, struct err *e)
{
        AUTO(gateway) g = gateway_create(settings, e);

        return g != NULL ? gateway_run(g) : -1;
}

int main(int argc, char **argv)
{
        struct gateway_settings settings = {0};
        enum config_action action = CONFIG_EXIT;
        enum log_level level = LOG_LEVEL_INFO;
        struct err e = {0};
        int status = 0;

        log_open("gateway", LOG_LEVEL_INFO);
        if (config_load(&gateway_config, argc, argv, &settings, &action, &e) < 0) {
                LOG_ERROR("cannot start", log_err(&e));
                status = 2;
        } else if (action == CONFIG_RUN) {
                if (log_level_parse(settings.log_level, &level, &e) == 0)
                        log_set_level(level);
                status = run(&settings, &e);
                if (status < 0)
                        LOG_ERROR("cannot start", log_err(&e));
        }
        config_fini(&gateway_config, &settings);
        return status < 0 ? 1 : status;
}
