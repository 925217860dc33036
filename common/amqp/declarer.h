/* SPDX-License-Identifier: Apache-2.0
 *
 * declarer.h: declarations in order, on a channel of their own. They are sent without waiting; the
 * answers come in order, and a refusal closes the channel, so it concerns the oldest one unanswered
 * and the others are sent again. Link's thread only, but for request_create. Those that have ended
 * wait until declarer_take_ended.
 */
#ifndef WARREN_AMQP_DECLARER_H
#define WARREN_AMQP_DECLARER_H

#include "common/amqp/channel.h"
#include "common/amqp/declaration.h"

struct declarer;

/* One allocation: the struct, its arguments, the strings. free() frees it. */
struct request {
        struct notice notice;
        enum declare_what what;
        amqp_bytes_t name, type, source, key;
        amqp_table_t arguments;
        bool if_unused;
        uint64_t look; /* not 0: asked by the thread itself, see declarer_look_for */
        msec deadline; /* to be answered by then, if it was not sent */
        bool reported; /* its owner was told that it is too late; its answer is still to come */
        declared_fn *done;
        void *owner;
        struct err why; /* set: it failed */
        uint32_t messages, consumers;
};

/* Any thread. Copies d. */
struct request *request_create(const struct declaration *d);

struct declarer *declarer_create(void);
/* Everything in it ends as failed. */
void declarer_end(struct declarer *d);
void declarer_destroy(struct declarer **d);

/* Takes a list of struct request. */
void declarer_take(struct declarer *d, struct node_list *more);
/* Asks by a passive declare whether the queue is there; `look` says for whom. Ends with its
 * connection, without an answer. */
void declarer_look_for(struct declarer *d, const char *queue, uint64_t look);
bool declarer_has_work(const struct declarer *d);
int declarer_write(struct declarer *d, struct channel *ch, struct err *e) MUST_CHECK;
int declarer_answered(struct declarer *d, const amqp_method_t *m, struct err *e) MUST_CHECK;
/* The channel was closed. */
int declarer_refused(struct declarer *d, const amqp_channel_close_t *why, struct channel *ch,
                     struct err *e) MUST_CHECK;
void declarer_disconnected(struct declarer *d);
/* NULL: none. The caller's. */
struct request *declarer_take_ended(struct declarer *d);

/* deaf: no answer can be heard now. */
void declarer_expire(struct declarer *d, msec now, bool deaf);
/* So long no answer could be heard: it does not count. */
void declarer_skip_time(struct declarer *d, msec time);
msec declarer_deadline(const struct declarer *d, bool deaf); /* 0: none */

#endif
