/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.h: a publish as frames. rabbitmq-c 0.11 sends a small publish by three system calls
 * (measured: a third of what a publish costs us), so its encoders fill a buffer that is sent as
 * one.
 */
#ifndef WARREN_AMQP_ENCODE_H
#define WARREN_AMQP_ENCODE_H

#include "common/amqp/outgoing.h"

enum { FRAME_OVERHEAD = 8 /* of each frame, beside its payload */ };

/* Adds the frames of basic.publish, header and body on that channel. */
int encode_publish(struct buffer *out, const struct outgoing *o, uint16_t channel, size_t frame_max,
                   struct err *e) MUST_CHECK;

#endif
