/* SPDX-License-Identifier: Apache-2.0
 *
 * live_types.h: the types of the jobs that were read of lately, because not every event says its
 * job's type. Of fixed size: the job that was not heard of for longest is forgotten first, among a
 * few that share a place.
 */
#pragma once

#include "gateway/live/live_event.h"

struct live_types;

struct live_types *live_types_create(void); /* takes at most 12 MiB, as it fills */
void live_types_destroy(struct live_types **t);
/* Notes the type if the tags have one; else fills it in if it is known. */
void live_types_complete(struct live_types *t, struct live_tags *tags);
