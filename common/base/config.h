/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h: a program's settings as one table. Flags (--key value, --key=value) over environment
 * (WARREN_<PROGRAM>_<KEY>) over file (--config FILE, `key = value`, # comments) over defaults.
 * --help, --version and --print-config come from the same table. Unknown keys are fatal.
 */
#ifndef WARREN_BASE_CONFIG_H
#define WARREN_BASE_CONFIG_H

#include <stdint.h>

#include "common/base/config_table.h"
#include "common/base/err.h"

enum config_action { CONFIG_RUN, CONFIG_EXIT }; /* CONFIG_EXIT: --help and the like were printed */

/* Fills the struct at `out` (zeroed by the caller) and says what to do. -1: e names the key, where
 * it came from and what is allowed; call config_fini all the same. */
int config_load(const struct config_table *t, int argc, char **argv, void *out,
                enum config_action *action, struct err *e) MUST_CHECK;
/* Frees what config_load put into `out`; secrets are wiped. */
void config_fini(const struct config_table *t, void *out);

/* "512KiB", "1MiB", "2GiB" or bytes. ERR_INVALID else. */
int size_parse(const char *text, int64_t *out, struct err *e) MUST_CHECK;
/* A secret's file: its bytes without the last newline, at most 4 KiB, owned. Refuses a file that
 * others can read. NULL on failure. */
char *secret_read(const char *path, struct err *e) MUST_CHECK;

#endif
