/* SPDX-License-Identifier: Apache-2.0
 *
 * start.h: starts attempts that wait for a worker. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* A room_fn: an attempt of that type could start now, or ask for its type's slot. */
bool start_has_room(void *owner, const struct handler *h);
/* How many attempts of that type start_has_room would let start now, one after the other. */
unsigned start_room(void *owner, const struct handler *h);
/* For ready.h: its type has a limit, of this consumer or over all. */
bool start_is_limited(void *owner, const struct handler *h);
/* For type_slots.h. */
void start_answered(void *owner, struct attempt *a, bool got);
/* An answered_fn: a duplicate check was answered, before a start or earlier. */
void start_checked(void *owner, struct attempt *a, const struct duplicate_answer *answer);
/* Starts every waiting attempt for which there is room (none when draining), asks for the tokens
 * that others need, and returns those that none needs. Call once a turn of the loop. */
void start_ready(struct consumer *c);
/* Creates the part that publishes what handlers report of their progress. */
struct progress *start_progress(struct consumer *c);
