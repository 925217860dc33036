/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.h: encodes a publish as frames. rabbitmq-c 0.11 sends a small publish by three system
 * calls (measured: a third of its cost), so its encoders fill a buffer that is sent in one call.
 */
#pragma once

#include "common/amqp/outgoing.h"

enum { FRAME_OVERHEAD = 8 /* bytes of each frame besides its payload */ };

/* Appends the frames: basic.publish, header, bodies. */
int encode_publish(struct buffer *out, const struct outgoing *o, uint16_t channel, size_t frame_max,
                   struct err *e) MUST_CHECK;
/* Appends the property list alone, in its wire form with its flags. */
int encode_properties(struct buffer *out, const struct outgoing *o, struct err *e) MUST_CHECK;
