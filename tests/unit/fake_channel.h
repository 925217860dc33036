/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_channel.h: a fake connection for tests of the link's parts. It records what is sent.
 */
#pragma once

#include "common/amqp/channel.h"

/* Stands for the connection; never dereferenced. */
extern struct channel *const fake_channel;

/* What was sent since the last call, each followed by a space: "open:3 consume:3:q1 ack:3:7+
 * requeue:3:8 publish:e:id flush ". A test must end with an empty list. */
#define assert_sent(want) fake_assert_sent((want), __FILE__, __LINE__)
void fake_assert_sent(const char *want, const char *file, int line);
/* How many words with that prefix were sent since the last assert_sent or fake_forget. */
unsigned fake_count(const char *word);
void fake_forget(void);

/* The clock that the parts read. */
extern msec fake_now;
