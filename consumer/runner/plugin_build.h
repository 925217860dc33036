/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_build.h: a plugin as its hosts have opened it: the file as it was then, and the handlers
 * it has. A file that is built anew is another plugin.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_BUILD_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_BUILD_H

#include <sys/stat.h>

#include "common/base/bytes.h"
#include "consumer/runner/handlers.h"

struct plugin_build {
        char *name, *file, *settings;
        int64_t memory;
        struct stat identity;
        struct buffer names; /* of its handlers, each with its NUL; empty until a host is ready */
};

int build_init(struct plugin_build *b, const struct plugin *plugin, struct err *e) MUST_CHECK;
void build_fini(struct plugin_build *b);
/* Would a host that opens the plugin now be as those of this build? */
bool build_is_current(const struct plugin_build *b, const struct plugin *plugin);
/* -1: a type of the set asks for a handler that the build has not. */
int build_check_names(const struct plugin_build *b, const struct handlers *set,
                      const struct plugin *plugin, struct err *e) MUST_CHECK;

#endif
