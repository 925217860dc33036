/* SPDX-License-Identifier: Apache-2.0
 *
 * alarm.h: a timer of the loop. alarm_destroy returns at once, though libuv closes the handle
 * later. Loop's thread only.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/base/clock.h"

struct alarm;

struct alarm *alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner);
void alarm_destroy(struct alarm **a);
/* Rings once after `wait` ms (0: in the loop's next round). Replaces an earlier setting. */
void alarm_set(struct alarm *a, msec wait);
void alarm_set_every(struct alarm *a, msec period);
void alarm_stop(struct alarm *a);
bool alarm_is_set(const struct alarm *a);
