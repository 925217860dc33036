/* SPDX-License-Identifier: Apache-2.0
 *
 * old.c: a plugin of an ABI that nobody speaks.
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
