/* SPDX-License-Identifier: Apache-2.0
 *
 * config_table.h: the type of a program's table of settings.
 */
#ifndef WARREN_BASE_CONFIG_TABLE_H
#define WARREN_BASE_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum config_kind {
        CONFIG_TEXT,   /* char *, owned; NULL when empty */
        CONFIG_SECRET, /* given as the name of a file, so the key ends in _file; the field, char *,
                          gets its content without the last newline. Never printed */
        CONFIG_INT,    /* int64_t, min to max */
        CONFIG_MSEC,   /* msec, given as a duration, min to max */
        CONFIG_SIZE,   /* int64_t, bytes, given with KiB, MiB, GiB or no unit, min to max */
        CONFIG_BOOL,   /* bool: true, false, yes, no, on, off, 1, 0 */
        CONFIG_WORD,   /* int, the index of one of `words` */
};

struct config_key {
        const char *name; /* lower case with underscores; NULL ends the table */
        enum config_kind kind;
        const char *fallback; /* the default, as a user would write it; NULL: must be given */
        int64_t min, max;
        const char *const *words; /* CONFIG_WORD, NULL-terminated */
        const char *help;         /* one line, with the unit */
        size_t offset;            /* of the field in the program's struct */
};

struct config_table {
        const char *program; /* "gateway": reads the environment WARREN_GATEWAY_<KEY> */
        const char *summary; /* for --help */
        const struct config_key *keys;
};

#endif
