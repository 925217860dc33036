/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h: reads a program's settings, which stand in one table. Flags (--key value, --key=value)
 * override the environment (WARREN_<PROGRAM>_<KEY>), that overrides the file (--config FILE, lines
 * `key = value`, # comments), that overrides defaults. An unknown key is an error. --help and
 * --print-config are made from the same table.
 */
#pragma once

#include <stdint.h>

#include "common/base/config_source.h"
#include "common/base/err.h"

enum config_action { CONFIG_RUN, CONFIG_EXIT }; /* EXIT: --help or another such flag was handled */

/* Fills the struct at `out`, which the caller has zeroed. -1: e names the key, its source and what
 * is allowed. Call config_fini in either case. */
int config_load(const struct config_table *t, int argc, char **argv, void *out,
                enum config_action *action, struct err *e) MUST_CHECK;
/* Frees the texts in `out`; wipes secrets. */
void config_fini(const struct config_table *t, void *out);

/* "512KiB", "1MiB", "2GiB" or a number of bytes. Else ERR_INVALID. */
int size_parse(const char *text, int64_t *out, struct err *e) MUST_CHECK;
