/* SPDX-License-Identifier: Apache-2.0
 *
 * old.c: a plugin with an ABI version that no program supports.
 */
#include <stddef.h>

#include "consumer/include/warren/handler.h"

static const struct warren_handler handlers[] = {{NULL, NULL}};

const struct warren_plugin warren_plugin = {
        .abi = 999,
        .name = "old",
        .version = "1",
        .open = NULL,
        .close = NULL,
        .handlers = handlers,
};
