/* SPDX-License-Identifier: Apache-2.0
 *
 * link_parts.h: a link's thread: its connection and its parts, which do not call one another:
 * publisher, acker, answers and subscriber, declarer, gate. Link's thread only.
 *
 * link_parts.c calls one part for another, and makes notices for the loop. link_io.c writes, waits
 * and reads. link_thread.c does the rest.
 */
#pragma once

#include <pthread.h>

#include "common/amqp/gate.h"
#include "common/amqp/handover.h"
#include "common/amqp/publisher.h"
#include "common/amqp/subscriber.h"

struct link_thread {
        pthread_t thread;
        const struct link_settings *settings;
        struct handover *handover;
        struct channel *channel; /* NULL: not connected */
        uint64_t connection;     /* number of the current or last one, from 1 */
        struct publisher *publisher;
        struct acker *acker;
        struct answers *answers;
        struct subscriber *subscriber;
        struct declarer *declarer;
        struct gate *gate;
        msec read_at;   /* time of the last read from the socket */
        bool read_more; /* the last read ended before the socket was empty */
        bool blocked;   /* the broker's alarm */
        bool told_up;
        bool draining;
        msec drain_deadline; /* 0: over */
        size_t address;      /* index of the one to try next */
        msec connect_at, backoff;
        bool told_down;
        struct node_list notices; /* to be handed over */
};

/* Updates the state that callers read in the handover. */
void parts_tell_state(struct link_thread *t);
void parts_tell_down(struct link_thread *t, const struct err *why);
void parts_set_blocked(struct link_thread *t, bool blocked);
/* Reports ended publishes: calls `direct` callbacks here, leaves the others to the loop. */
void parts_report_ended(struct link_thread *t);
/* Passes the results of ended declarations to the loop, subscriber or gate. */
int parts_answer_ended(struct link_thread *t, struct err *e) MUST_CHECK;
/* Does what the gate wants next. */
int parts_step(struct link_thread *t, msec now, struct err *e) MUST_CHECK;

/* -1, here too: disconnect. Writes a batch of each kind of work, if connected. */
int link_io_write(struct link_thread *t, struct err *e) MUST_CHECK;
/* Waits until the broker sends, callers hand over or `deadline` has come, then reads a batch. */
int link_io_wait(struct link_thread *t, msec deadline, struct err *e) MUST_CHECK;
