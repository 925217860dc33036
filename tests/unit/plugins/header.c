/* SPDX-License-Identifier: Apache-2.0
 *
 * header.c: includes only warren/handler.h; compiled as C11 and as C++17 with every warning.
 */
#include <warren/handler.h>

static int run(const struct warren_job *job, void *state)
{
        return state == job->host ? WARREN_RETRY : WARREN_DONE;
}

static const struct warren_handler handlers[] = {{"h", run}, {NULL, NULL}};

const struct warren_plugin warren_plugin = {
        WARREN_PLUGIN_ABI, "header", "1", NULL, NULL, handlers,
};
