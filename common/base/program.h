/* SPDX-License-Identifier: Apache-2.0
 *
 * program.h: what every program's main does: settings, log, run, exit status.
 */
#ifndef WARREN_BASE_PROGRAM_H
#define WARREN_BASE_PROGRAM_H

#include "common/base/config.h"

struct program {
        const struct config_table *config;
        void *settings;         /* the zeroed struct that config fills */
        const char **log_level; /* in it: the setting of that name */
        /* The exit status; -1 with e set: it could not start, or go on. */
        int (*run)(const void *settings, struct err *e);
};

/* The exit status: 2 for settings that cannot be; 1 for what could not run, and the log says why.
 * Frees what config put into the settings. */
int program_main(const struct program *p, int argc, char **argv);

#endif
