/* SPDX-License-Identifier: Apache-2.0
 *
 * program.h: the main of every program: settings, log, run, exit status.
 */
#ifndef WARREN_BASE_PROGRAM_H
#define WARREN_BASE_PROGRAM_H

#include "common/base/config.h"

struct program {
        const struct config_table *config;
        void *settings;         /* zeroed; config fills it */
        const char **log_level; /* the setting log_level in it */
        /* Returns the exit status; -1 with e set: could not start or continue. */
        int (*run)(const void *settings, struct err *e);
};

/* Returns the exit status: 2: invalid settings; 1: run failed; else of run. Logs why. Frees the
 * texts in settings. */
int program_main(const struct program *p, int argc, char **argv);

#endif
