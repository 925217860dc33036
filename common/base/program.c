/* SPDX-License-Identifier: Apache-2.0
 *
 * program.c: the main of every service.
 */
#include "common/base/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/own.h"

/* Flushes the output of --help and such flags. A closed pipe (`| head`) is no failure. */
static int end_of_output(struct err *e)
{
        errno = 0;
        bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;

        return failed && errno != EPIPE ? err_set_errno(e, "standard output") : 0;
}

static int serve(const struct program *p, struct err *e)
{
        AUTO(service) service = service_create(&p->on, p->owner, e);
        int status = -1;

        if (service == NULL)
                return -1;
        if (p->begin(p->owner, service, e) == 0)
                status = service_run(service);
        p->end(p->owner);
        return status;
}

static int run(const struct program *p, int argc, char **argv, struct err *e)
{
        enum config_action action = CONFIG_EXIT;

        if (config_load(p->config, argc, argv, p->settings, &action, e) < 0)
                return 2;
        if (action == CONFIG_EXIT)
                return end_of_output(e);
        log_set_level((enum log_level)p->basic->log_level);
        int status = p->command != NULL ? p->command(p->settings, e) : 1;
        return status == 1 ? serve(p, e) : status;
}

int program_main(const struct program *p, int argc, char **argv)
{
        struct err e = {0};

        log_open(p->config->program, LOG_LEVEL_INFO);
        int status = run(p, argc, argv, &e);
        if (err_is_set(&e))
                LOG_ERROR("cannot go on", log_err(&e));
        config_fini(p->config, p->settings);
        return status < 0 ? EXIT_FAILURE : status;
}
