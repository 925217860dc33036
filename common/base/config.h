/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h: a program's settings as one table. Flags (--key value, --key=value) over environment
 * (WARREN_<PROGRAM>_<KEY>) over file (--config FILE, `key = value`, # comments) over defaults.
 * --help, --version and --print-config come from the same table. Unknown keys are fatal.
 */
#ifndef WARREN_BASE_CONFIG_H
#define WARREN_BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum config_kind {
        CONFIG_TEXT,   /* char *, owned; NULL when empty */
        CONFIG_SECRET, /* the name of a file; char *: its content without the last newline. The key
                          ends in _file, the field holds the secret. Never printed */
        CONFIG_INT,    /* int64_t within min..max */
        CONFIG_MSEC,   /* msec, written as a duration, within min..max */
        CONFIG_SIZE,   /* int64_t bytes, written with KiB, MiB, GiB or bare, within min..max */
        CONFIG_BOOL,   /* bool: true, false, yes, no, on, off, 1, 0 */
        CONFIG_WORD,   /* const char * out of `words` */
};

struct config_key {
        const char *name; /* lower case with underscores; NULL ends the table */
        enum config_kind kind;
        const char *fallback; /* as it would be written; NULL: must be given */
        int64_t min, max;
        const char *const *words; /* CONFIG_WORD, NULL-terminated */
        const char *help;         /* one line, with the unit */
        size_t offset;            /* of the field in the program's struct */
};

struct config_table {
        const char *program; /* "gateway": environment WARREN_GATEWAY_<KEY> */
        const char *summary; /* what the program is, for --help */
        const struct config_key *keys;
};

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
