/* SPDX-License-Identifier: Apache-2.0
 *
 * act_lines.h: what an act tells: its line of stream `events`, and of stream `marks`. Pure.
 */
#pragma once

#include "common/base/bytes.h"
#include "status-store/acts/registry_acts.h"

/* Append a line. The same intent gives the same bytes, however often it is done. */
void act_write_event(const struct intent *i, struct buffer *out);
void act_write_mark(const struct intent *i, struct buffer *out);
