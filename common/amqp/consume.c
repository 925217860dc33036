/* SPDX-License-Identifier: Apache-2.0
 *
 * consume.c: writes basic.consume and basic.cancel.
 */
#include "common/amqp/consume.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/own.h"

/* "q12", or "s12" for a stream: tells how to settle a delivery whose subscription is gone. */
static amqp_bytes_t tag_of(const struct subscription *sub, char out[CONSUMER_TAG_SIZE])
{
        snprintf(out, CONSUMER_TAG_SIZE, "%c%" PRIu64, sub->source.stream ? 's' : 'q', sub->id);
        return amqp_cstring_bytes(out);
}

uint64_t consume_tag_id(struct bytes tag)
{
        uint64_t id = 0;

        for (size_t i = 1; i < tag.length && i < CONSUMER_TAG_SIZE; i++)
                id = id * 10 + (uint64_t)(tag.data[i] - '0');
        return id;
}

bool consume_tag_is_stream(struct bytes tag)
{
        return tag.length > 0 && tag.data[0] == 's';
}

static amqp_table_entry_t offset_argument(enum source_start start, int64_t offset)
{
        amqp_table_entry_t a = {.key = amqp_cstring_bytes("x-stream-offset")};

        a.value.kind = start == SOURCE_OFFSET ? AMQP_FIELD_KIND_I64 : AMQP_FIELD_KIND_UTF8;
        switch (start) {
        case SOURCE_NEXT:
                a.value.value.bytes = amqp_cstring_bytes("next");
                break;
        case SOURCE_FIRST:
                a.value.value.bytes = amqp_cstring_bytes("first");
                break;
        case SOURCE_OFFSET:
                a.value.value.i64 = offset;
                break;
        }
        return a;
}

int consume_send(const struct subscription *sub, const struct order *where, struct channel *ch,
                 struct err *e)
{
        char tag[CONSUMER_TAG_SIZE];
        amqp_table_entry_t arguments[2];
        int count = 0;

        if (sub->source.stream)
                arguments[count++] = offset_argument(where->start, where->offset);
        if (sub->source.priority != 0)
                arguments[count++] = (amqp_table_entry_t){
                        .key = amqp_cstring_bytes("x-priority"),
                        .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = sub->source.priority},
                };
        amqp_basic_consume_t m = {
                .queue = amqp_cstring_bytes(sub->queue),
                .consumer_tag = tag_of(sub, tag),
                .arguments = {.num_entries = count, .entries = arguments},
        };
        return channel_send(ch, sub->channel, AMQP_BASIC_CONSUME_METHOD, &m, e);
}

int consume_cancel_tag(uint16_t channel, amqp_bytes_t tag, struct channel *ch, struct err *e)
{
        amqp_basic_cancel_t m = {.consumer_tag = tag, .nowait = 1};

        return channel_send(ch, channel, AMQP_BASIC_CANCEL_METHOD, &m, e);
}

int consume_cancel(const struct subscription *sub, struct channel *ch, struct err *e)
{
        char tag[CONSUMER_TAG_SIZE];

        return consume_cancel_tag(sub->channel, tag_of(sub, tag), ch, e);
}

int consume_give_back(struct incoming *in, struct channel *ch, struct err *e)
{
        AUTO_FREE struct incoming *unowned = in;

        if (consume_tag_is_stream(bytes_of_text(unowned->consumer_tag)))
                return channel_ack(ch, unowned, false, e);
        return channel_requeue(ch, unowned, e);
}
