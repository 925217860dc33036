/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.h: loads a plugin, and runs its jobs.
 */
#pragma once

#include "consumer/host/pipes.h"
#include "consumer/include/warren/handler.h"
#include "consumer/runner/plugin_wire.h"

struct plugin {
        const struct warren_plugin *plugin;
        void *state;
        bool open;
};

/* Loads and opens the plugin that an OPEN frame names. */
struct plugin *plugin_open(struct bytes frame, struct err *e) MUST_CHECK;
/* Closes it. Its code stays mapped, as it may have left threads and exit handlers. */
void plugin_destroy(struct plugin **p);
/* The next NUL-terminated text of a frame; NULL when there is none. */
const char *plugin_take_text(struct bytes *frame);

/* Runs the job of a JOB frame, writes its END. -1: the consumer is gone or broke the protocol. */
int plugin_run(struct plugin *p, struct bytes frame, struct wire_page *page,
               struct err *e) MUST_CHECK;
