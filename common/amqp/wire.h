/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.h: converts between rabbitmq-c's values and ours; property lists in their wire form.
 */
#pragma once

#include "common/amqp/rabbitmq.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/model/message.h"

enum {
        SHORT_STRING_MAX = 255,
        PROPERTIES_MAX = 124 * 1024,  /* bytes; fits into one frame of 128 KiB */
        BODY_MAX = 128 * 1024 * 1024, /* bytes; RabbitMQ's own limit */
        TABLE_DEPTH_MAX = 32,
        WIRE_POOL_PAGE = 4096, /* bytes; of a pool that property lists are decoded into */
};

struct bytes wire_view(amqp_bytes_t b);
amqp_bytes_t wire_bytes(struct bytes b);
amqp_bytes_t wire_text(const char *text); /* NULL: empty */
/* Copies b to *at, moves *at on, and points b to the copy. */
void wire_place(char **at, amqp_bytes_t *b);

/* Fills e from what the broker refused by closing a channel or connection. Always -1. */
int wire_refusal(uint16_t reply_code, amqp_bytes_t text, struct err *e);
/* Fills e from a status of rabbitmq-c. Always -1. */
int wire_fail(int status, const char *doing, struct err *e);

/* Fills m from the properties of a header frame. p's strings lie in raw; m's lie in copy, which
 * holds the same bytes. */
void wire_message(const amqp_basic_properties_t *p, amqp_bytes_t raw, const char *copy,
                  struct message *m);
/* Checks that the raw property list is whole and nests no deeper than TABLE_DEPTH_MAX. */
int wire_check_properties(struct bytes raw, struct err *e) MUST_CHECK;
/* Decodes a property list, after it was checked so. Its strings lie in raw, its headers in the
 * pool. NULL: failed. */
const amqp_basic_properties_t *wire_decode(struct bytes raw, amqp_pool_t *pool,
                                           struct err *e) MUST_CHECK;
/* See properties_as_published. */
int wire_as_published(struct bytes raw, struct buffer *out, struct err *e) MUST_CHECK;
/* The header x-stream-offset, found also when other headers cannot be decoded. -1: none. */
int64_t wire_stream_offset(struct bytes raw);
