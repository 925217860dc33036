/* SPDX-License-Identifier: Apache-2.0
 *
 * turn.h: calls its owner once in each turn of the loop, after everything else in it and before the
 * loop waits. Loop thread only.
 */
#pragma once

#include <uv.h>

struct turn;

struct turn *turn_create(uv_loop_t *loop, void (*done)(void *owner), void *owner);
/* Run the loop afterwards: it closes the handle. */
void turn_destroy(struct turn **t);
