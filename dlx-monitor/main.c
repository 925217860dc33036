/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-dlx-monitor.
 */
#include "common/base/log.h"
#include "common/base/own.h"
#include "common/db/db.h"
#include "dlx-monitor/monitor.h"

static int run(const struct dlx_monitor_settings *settings, struct err *e)
{
        if (settings->backup != NULL)
                return db_backup(settings->archive, settings->backup, e);

        AUTO(monitor) m = monitor_create(settings, e);
        return m != NULL ? monitor_run(m) : -1;
}

int main(int argc, char **argv)
{
        struct dlx_monitor_settings settings = {0};
        enum config_action action = CONFIG_EXIT;
        enum log_level level = LOG_LEVEL_INFO;
        struct err e = {0};
        int status = 0;

        log_open("dlx-monitor", LOG_LEVEL_INFO);
        if (config_load(&dlx_monitor_config, argc, argv, &settings, &action, &e) < 0) {
                LOG_ERROR("cannot start", log_err(&e));
                status = 2;
        } else if (action == CONFIG_RUN) {
                if (log_level_parse(settings.log_level, &level, &e) == 0)
                        log_set_level(level);
                status = run(&settings, &e);
                if (status < 0)
                        LOG_ERROR("cannot go on", log_err(&e));
        }
        config_fini(&dlx_monitor_config, &settings);
        return status < 0 ? 1 : status;
}
