/* SPDX-License-Identifier: Apache-2.0
 *
 * program.c: the main of every program.
 */
#include "common/base/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"

/* Flushes the output of --help and such flags. A closed pipe (`| head`) is no failure. */
static int end_of_output(struct err *e)
{
        errno = 0;
        bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;

        return failed && errno != EPIPE ? err_set_errno(e, "standard output") : 0;
}

static int start(const struct program *p, int argc, char **argv, struct err *e)
{
        enum config_action action = CONFIG_EXIT;
        enum log_level level = LOG_LEVEL_INFO;

        if (config_load(p->config, argc, argv, p->settings, &action, e) < 0)
                return 2;
        if (action == CONFIG_EXIT)
                return end_of_output(e) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        if (log_level_parse(*p->log_level, &level, e) < 0)
                return 2;
        log_set_level(level);
        int status = p->run(p->settings, e);
        return status < 0 ? EXIT_FAILURE : status;
}

int program_main(const struct program *p, int argc, char **argv)
{
        struct err e = {0};

        log_open(p->config->program, LOG_LEVEL_INFO);
        int status = start(p, argc, argv, &e);
        if (err_is_set(&e))
                LOG_ERROR("cannot go on", log_err(&e));
        config_fini(p->config, p->settings);
        return status;
}
