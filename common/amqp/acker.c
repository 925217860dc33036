/* SPDX-License-Identifier: Apache-2.0
 *
 * acker.c: which deliveries an ack covers, and when it is written.
 */
#include "common/amqp/acker.h"

#include <stdlib.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"

#define ACK_DELAY_MAX ((msec)5)

enum {
        BATCH_MIN_PREFETCH = 8, /* with a smaller one acks are not batched */
        PINNED_AFTER = 256,     /* acks written alone */
};

struct channel_acks {
        struct incoming *unsettled; /* in the order of tags */
        unsigned alone;             /* acks written alone since the oldest was last acked */
};

struct acker {
        struct channel_acks channels[DELIVERY_CHANNELS];
        size_t bytes;
        struct node_list acked; /* not yet written */
        uint32_t acked_count, acked_enough;
        msec acked_since; /* of the oldest ack on a queue; 0: no ack waits */
};

struct acker *acker_create(void)
{
        return xcalloc(1, sizeof(struct acker));
}

static struct channel_acks *acks_of(struct acker *a, uint16_t channel)
{
        return &a->channels[channel - DELIVERY_CHANNEL];
}

void acker_track(struct acker *a, struct incoming *in, uint16_t prefetch)
{
        in->batch = prefetch < BATCH_MIN_PREFETCH ? 1 : prefetch / 4;
        in->listed = true;
        a->bytes += in->size;
        DL_APPEND(acks_of(a, in->channel)->unsettled, in);
}

static void unlist(struct acker *a, struct incoming *in)
{
        DL_DELETE(acks_of(a, in->channel)->unsettled, in);
        in->listed = false;
}

static void release(struct acker *a, struct incoming *in)
{
        a->bytes -= in->size;
        free(in);
}

static void add_acked(struct acker *a, struct incoming *in, msec now)
{
        in->acked = true;
        node_list_add(&a->acked, &in->notice.node);
        if (a->acked_count++ == 0 || in->batch < a->acked_enough)
                a->acked_enough = in->batch;
        if (!in->stream && a->acked_since == 0)
                a->acked_since = now;
}

static struct node_list take_acked(struct acker *a)
{
        struct node_list taken = a->acked;

        a->acked = (struct node_list){0};
        a->acked_count = 0;
        a->acked_since = 0;
        return taken;
}

/* A requeue or a reject. */
static int write_back(struct channel *ch, const struct incoming *in, struct err *e)
{
        return in->how == SETTLE_REJECT ? channel_reject(ch, in, e) : channel_requeue(ch, in, e);
}

int acker_take(struct acker *a, struct node_list *settled, struct channel *ch, struct err *e)
{
        int result = 0;
        msec now = settled->first == NULL ? 0 : clock_mono();

        for (struct node *n; (n = node_list_take(settled)) != NULL;) {
                struct incoming *in = (struct incoming *)n;
                if (in->listed && (in->stream || in->how == SETTLE_ACK)) {
                        add_acked(a, in, now);
                        continue;
                }
                if (in->listed) {
                        unlist(a, in);
                        if (result == 0 && write_back(ch, in, e) < 0)
                                result = -1;
                }
                release(a, in);
        }
        return result;
}

/* One ack for a channel's oldest deliveries, up to the first that is unsettled. */
static int ack_oldest(struct acker *a, struct channel_acks *l, struct channel *ch, struct err *e)
{
        struct incoming last = {0};

        while (l->unsettled != NULL && l->unsettled->acked) {
                last.channel = l->unsettled->channel;
                last.tag = l->unsettled->tag;
                unlist(a, l->unsettled);
        }
        if (last.tag == 0)
                return 0;
        l->alone = 0;
        return channel_ack(ch, &last, true, e);
}

static int ack_alone(struct acker *a, struct incoming *in, struct channel *ch, struct err *e)
{
        unlist(a, in);
        if (in->batch > 1)
                acks_of(a, in->channel)->alone++;
        return channel_ack(ch, in, false, e);
}

/* Acks that are behind an unsettled delivery. */
static int ack_others(struct acker *a, struct channel *ch, bool all, struct err *e)
{
        struct node_list list = take_acked(a);
        int result = 0;

        for (struct node *n; (n = node_list_take(&list)) != NULL;) {
                struct incoming *in = (struct incoming *)n;
                if (in->listed && !in->waited && in->batch > 1 && !all) {
                        in->waited = true;
                        add_acked(a, in, clock_mono());
                        continue;
                }
                if (in->listed && result == 0)
                        result = ack_alone(a, in, ch, e);
                else if (in->listed)
                        unlist(a, in);
                release(a, in);
        }
        return result;
}

int acker_write(struct acker *a, struct channel *ch, bool all, struct err *e)
{
        if (a->acked_count == 0)
                return 0;
        bool late = a->acked_since != 0 && clock_mono() - a->acked_since >= ACK_DELAY_MAX;
        if (!all && !late && a->acked_count < a->acked_enough)
                return 0;
        for (size_t i = 0; i < DELIVERY_CHANNELS; i++) {
                if (ack_oldest(a, &a->channels[i], ch, e) < 0)
                        return -1;
        }
        return ack_others(a, ch, all, e);
}

msec acker_deadline(const struct acker *a)
{
        return a->acked_since == 0 ? 0 : a->acked_since + ACK_DELAY_MAX;
}

void acker_forget(struct acker *a, uint16_t channel)
{
        struct channel_acks *gone = acks_of(a, channel);
        struct node_list list = take_acked(a);

        while (gone->unsettled != NULL)
                unlist(a, gone->unsettled);
        gone->alone = 0;
        for (struct node *n; (n = node_list_take(&list)) != NULL;) {
                if (((struct incoming *)n)->listed)
                        add_acked(a, (struct incoming *)n, clock_mono());
                else
                        release(a, (struct incoming *)n);
        }
}

size_t acker_bytes(const struct acker *a)
{
        return a->bytes;
}

bool acker_is_pinned(const struct acker *a, uint16_t channel)
{
        return a->channels[channel - DELIVERY_CHANNEL].alone >= PINNED_AFTER;
}

bool acker_is_clear(const struct acker *a, uint16_t channel)
{
        return a->channels[channel - DELIVERY_CHANNEL].unsettled == NULL;
}

void acker_unpin(struct acker *a, uint16_t channel)
{
        acks_of(a, channel)->alone = 0;
}

void acker_destroy(struct acker **acker)
{
        struct acker *a = TAKE(*acker);

        if (a == NULL)
                return;
        for (struct node *n; (n = node_list_take(&a->acked)) != NULL;)
                free(n);
        free(a);
}
