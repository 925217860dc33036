/* SPDX-License-Identifier: Apache-2.0
 *
 * stream_publish.h: one message to a stream.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/base/uuid.h"

/* Publishes m under a new id, which it fills, to the exchange of that name, and waits for the
 * confirm. Not on the link's loop. */
int stream_publish(struct link *l, const char *exchange, struct message *m, char id[UUID_SIZE],
                   struct err *e) MUST_CHECK;
