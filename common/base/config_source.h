/* SPDX-License-Identifier: Apache-2.0
 *
 * config_source.h: for config.c: each setting's text and the source it came from.
 */
#ifndef WARREN_BASE_CONFIG_SOURCE_H
#define WARREN_BASE_CONFIG_SOURCE_H

#include <stddef.h>

#include "common/base/config_table.h"
#include "common/base/err.h"

enum { CONFIG_ORIGIN_SIZE = 160 };

struct config_value {
        char *text; /* owned; NULL: not given */
        char origin[CONFIG_ORIGIN_SIZE];
};

struct config_values {
        struct config_value *list; /* one for each key, in the table's order */
        size_t count;
};

enum config_request {
        CONFIG_REQUEST_RUN,
        CONFIG_REQUEST_HELP,
        CONFIG_REQUEST_VERSION,
        CONFIG_REQUEST_PRINT,
};

/* Reads defaults, file, environment and flags; each overrides those before it. */
int config_gather(const struct config_table *t, int argc, char **argv, struct config_values *values,
                  enum config_request *request, struct err *e) MUST_CHECK;
void config_values_fini(struct config_values *values);

/* Such as WARREN_STATUS_STORE_PORT. */
const char *config_environment_name(const struct config_table *t, const char *key,
                                    char out[CONFIG_ORIGIN_SIZE]);

/* Both print to stdout. */
void config_print_help(const struct config_table *t);
void config_print_values(const struct config_table *t, const struct config_values *values);

#endif
