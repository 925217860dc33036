/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-dlx-monitor.
 */
#include "common/base/own.h"
#include "common/base/program.h"
#include "common/db/db.h"
#include "dlx-monitor/monitor.h"

static int run(const void *given, struct err *e)
{
        const struct dlx_monitor_settings *settings = given;

        if (settings->backup != NULL)
                return db_backup(settings->archive, settings->backup, e);

        AUTO(monitor) m = monitor_create(settings, e);
        return m != NULL ? monitor_run(m) : -1;
}

int main(int argc, char **argv)
{
        struct dlx_monitor_settings settings = {0};
        const struct program program = {.config = &dlx_monitor_config,
                                        .settings = &settings,
                                        .log_level = &settings.log_level,
                                        .run = run};

        return program_main(&program, argc, argv);
}
