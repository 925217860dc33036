/* SPDX-License-Identifier: Apache-2.0
 *
 * start.h: starts attempts that wait for a worker. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* A room_fn: an attempt of that type could start now. */
bool start_has_room(void *owner, const struct handler *h);
/* Starts every waiting attempt for which there is room, and asks for the slots that others need.
 * Call once a turn of the loop. */
void start_ready(struct consumer *c);
/* Creates the part that publishes what handlers report of their progress. */
struct progress *start_progress(struct consumer *c);
