/* SPDX-License-Identifier: Apache-2.0
 *
 * park.h: a job of a paused type leaves for the queue of that pause, once, and comes back when it
 * ends: hops would each be a publish and a message in the stream. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* It has not started, and is in no list. When its queue does not exist, or must not be written
 * (during an upgrade), it hops instead, and so do others for a minute. */
void park(struct consumer *c, struct attempt *a, enum pause why);
