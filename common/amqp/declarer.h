/* SPDX-License-Identifier: Apache-2.0
 *
 * declarer.h: sends declarations in order, on a channel of their own, without waiting for each
 * answer. Answers come in order. A refusal closes the channel: it concerns the oldest unanswered
 * declaration, and the others are sent again. Finished ones wait for declarer_take_ended. Link's
 * thread only, but for request_create.
 */
#pragma once

#include "common/amqp/channel.h"
#include "common/amqp/link_types.h"

struct declarer;

/* One allocation: the struct, its arguments, the strings. free() frees it. */
struct request {
        struct notice notice;
        enum declare_what what;
        amqp_bytes_t name, type, source, key;
        amqp_table_t arguments;
        bool counted;  /* DELETE_QUEUE: it has no consumers */
        uint64_t look; /* not 0: made by declarer_look_for */
        msec deadline; /* fails then if not sent; 30 s later if not answered */
        bool reported; /* its failure was reported; the broker's answer is still to come */
        declared_fn *done;
        void *owner;
        struct err why; /* set: it failed */
        uint32_t messages, consumers;
};

/* Any thread. Copies d. */
struct request *request_create(const struct declaration *d);

struct declarer *declarer_create(void);
/* All its requests end with ERR_UNAVAILABLE. */
void declarer_end(struct declarer *d);
void declarer_destroy(struct declarer **d);

/* Takes a list of struct request. */
void declarer_take(struct declarer *d, struct node_list *more);
/* Checks by a passive declare whether the queue exists. `look`: the caller's id for the answer, not
 * 0. There is no answer when the connection ends first. */
void declarer_look_for(struct declarer *d, const char *queue, uint64_t look);
bool declarer_has_work(const struct declarer *d);
int declarer_write(struct declarer *d, struct channel *ch, struct err *e) MUST_CHECK;
int declarer_answered(struct declarer *d, const amqp_method_t *m, struct err *e) MUST_CHECK;
/* The broker closed the channel. */
int declarer_refused(struct declarer *d, const amqp_channel_close_t *why, struct channel *ch,
                     struct err *e) MUST_CHECK;
void declarer_disconnected(struct declarer *d);
/* A finished request, which the caller then owns; NULL: none. */
struct request *declarer_take_ended(struct declarer *d);

/* paused: answers are not read now, so no answer is late. */
void declarer_expire(struct declarer *d, msec now, bool paused);
/* Answers were not read for `time`: extends the deadlines by it. */
void declarer_skip_time(struct declarer *d, msec time);
msec declarer_deadline(const struct declarer *d, bool paused); /* 0: none */
