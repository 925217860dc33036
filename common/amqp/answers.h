/* SPDX-License-Identifier: Apache-2.0
 *
 * answers.h: the basic.consumes that the broker has still to answer, and the queues that gave no
 * answer. Link's thread only.
 *
 * A quorum queue without a leader answers no basic.consume. The broker's channel waits for it, 65 s
 * on 3.10.8, and meanwhile brings no other answer and no delivery; then the broker closes the
 * connection. So the wait is limited, after which the link connects again. Which queue it was is
 * not known, because the answers come after all consumes that were sent together. All of these
 * queues are suspects then: each is consumed alone on TRIAL_CHANNEL, where it holds up no other
 * queue, and goes to another channel once it has answered. One that does not answer there is tried
 * ever less often, at last every hour: each try ends the connection, and with it all deliveries
 * that are not settled. A consumer gives back the jobs that wait, and stops the handlers of types
 * with stop_on_link_loss.
 *
 * The broker keeps the blocked channel for 65 s also when the connection has ended, and with it
 * what it has given to that channel's consumers. So after a reconnect, which may be a restart of
 * the broker, every queue is a suspect at first, unless there are too many.
 */
#pragma once

#include "common/amqp/order.h"

struct answers;

struct answers *answers_create(void);
void answers_destroy(struct answers **a);

/* A basic.consume was sent on sub's channel. */
void answers_await(struct answers *a, const struct subscription *sub);
/* The channel's oldest one was answered. Returns its subscription's id; 0: none was sent. */
uint64_t answers_take(struct answers *a, uint16_t channel);
/* The channel has ended: no answer will come. */
void answers_lose(struct answers *a, uint16_t channel);

/* One more basic.consume may be sent on the channel. */
bool answers_has_room(const struct answers *a, uint16_t channel);
bool answers_none_awaited(const struct answers *a, uint16_t channel);

/* -1: an answer is overdue: disconnect. Not to be called while the broker cannot be read from, or
 * reads nothing. */
int answers_check(struct answers *a, msec now, struct err *e) MUST_CHECK;
msec answers_deadline(const struct answers *a); /* 0: none */
/* After such a time. */
void answers_restart_wait(struct answers *a, msec now);

/* Makes it a suspect, to be tried at once, unless the link has no other subscription, or too many.
 */
void answers_doubt(struct answers *a, const char *queue, size_t subscriptions);
/* When to try a suspect again; 0: it is none. */
msec answers_retry_at(const struct answers *a, const char *queue);
void answers_clear(struct answers *a, const char *queue);
