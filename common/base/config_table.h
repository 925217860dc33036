/* SPDX-License-Identifier: Apache-2.0
 *
 * config_table.h: the settings of a program, as a table.
 */
#ifndef WARREN_BASE_CONFIG_TABLE_H
#define WARREN_BASE_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>

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

#endif
