/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_build.h: the plugin that a pool's hosts have opened: the identity of its file then, its
 * settings, its handlers' names. A rebuilt file is another build.
 */
#pragma once

#include <sys/stat.h>

#include "common/base/bytes.h"
#include "consumer/runner/handlers.h"

struct plugin_build {
        struct plugin plugin; /* with texts of its own */
        struct stat identity;
        struct buffer names; /* its handlers', each with its NUL; empty until a host is ready */
};

int build_init(struct plugin_build *b, const struct plugin *plugin, struct err *e) MUST_CHECK;
void build_fini(struct plugin_build *b);
/* True when a host that opens the plugin now would get this build. */
bool build_is_current(const struct plugin_build *b, const struct plugin *plugin);
/* -1: a type of the set names a handler that the build does not have. */
int build_check_names(const struct plugin_build *b, const struct handlers *set,
                      const struct plugin *plugin, struct err *e) MUST_CHECK;
