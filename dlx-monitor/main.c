/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-dlx-monitor.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/own.h"
#include "common/db/db.h"
#include "dlx-monitor/monitor.h"

static int run(const struct dlx_monitor_settings *settings, struct err *e)
{
        AUTO(monitor) m = monitor_create(settings, e);

        return m != NULL ? monitor_run(m) : -1;
}

static int back_up(int argc, char **argv, struct err *e)
{
        if (argc != 4) {
                fprintf(stderr, "usage: warren-dlx-monitor backup ARCHIVE FILE\n");
                return 2;
        }
        return db_backup(argv[2], argv[3], e);
}

static int serve(int argc, char **argv, struct err *e)
{
        struct dlx_monitor_settings settings = {0};
        enum config_action action = CONFIG_EXIT;
        enum log_level level = LOG_LEVEL_INFO;
        int status = 0;

        if (config_load(&dlx_monitor_config, argc, argv, &settings, &action, e) < 0) {
                LOG_ERROR("cannot start", log_err(e));
                status = 2;
        } else if (action == CONFIG_RUN) {
                if (log_level_parse(settings.log_level, &level, e) == 0)
                        log_set_level(level);
                status = run(&settings, e);
        }
        config_fini(&dlx_monitor_config, &settings);
        return status;
}

int main(int argc, char **argv)
{
        struct err e = {0};
        bool backup = argc > 1 && strcmp(argv[1], "backup") == 0;

        log_open("dlx-monitor", LOG_LEVEL_INFO);
        int status = backup ? back_up(argc, argv, &e) : serve(argc, argv, &e);
        if (status < 0)
                LOG_ERROR(backup ? "cannot back up" : "cannot start", log_err(&e));
        return status < 0 ? 1 : status;
}
