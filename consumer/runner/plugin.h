/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.h: handler kind `plugin`: a pool of host processes for each plugin. Loop thread only.
 */
#pragma once

#include "consumer/runner/run.h"

struct plugins;

struct plugins *plugins_create(const struct runner_config *c, struct runs *runs);
/* Ends every host, without callbacks. Together they have two seconds to end by themselves. */
void plugins_destroy(struct plugins **all);
/* See runner_use. */
int plugins_use(struct plugins *all, const struct handlers *h, struct err *e) MUST_CHECK;
/* True when a host of its plugin is idle. */
bool plugins_have_room(const struct plugins *all, const struct handler *h);
unsigned plugins_idle(const struct plugins *all, const struct handler *h);
struct run *plugin_start(struct plugins *all, const struct run_request *q,
                         const struct run_events *on, void *owner, struct err *e) MUST_CHECK;
