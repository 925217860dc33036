/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.c: a ring of unconfirmed publishes, indexed by the tag that the broker confirms.
 */
#include "common/amqp/publisher.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"

enum { BATCH = 256 /* publishes written before the socket is read */, RING_MIN = 1024 };

struct publisher {
        /* before start */
        bool resend;
        msec confirm_timeout;

        struct node_list waiting; /* not yet written */
        struct outgoing **ring;   /* unconfirmed, by tag & (ring_size - 1) */
        size_t ring_size;
        uint64_t first_tag, next_tag; /* first_tag <= tag < next_tag are in the ring */
        size_t suspects;              /* publishes to be sent one by one, see find_refused */
        struct node_list ended;
};

struct publisher *publisher_create(bool resend, msec confirm_timeout)
{
        struct publisher *p = xcalloc(1, sizeof(*p));

        p->resend = resend;
        p->confirm_timeout = confirm_timeout;
        p->first_tag = p->next_tag = 1;
        return p;
}

static void finish(struct publisher *p, struct outgoing *o, enum link_result result)
{
        o->result = result;
        node_list_add(&p->ended, &o->notice.node);
}

static void finish_all(struct publisher *p, struct node_list *list, enum link_result result)
{
        struct node *n;

        while ((n = node_list_take(list)) != NULL)
                finish(p, (struct outgoing *)n, result);
}

static struct outgoing **slot(const struct publisher *p, uint64_t tag)
{
        return &p->ring[tag & (p->ring_size - 1)];
}

static void ring_grow(struct publisher *p)
{
        size_t size = p->ring_size == 0 ? RING_MIN : p->ring_size * 2;
        struct outgoing **ring = xcalloc(size, sizeof(struct outgoing *));

        for (uint64_t tag = p->first_tag; tag < p->next_tag; tag++)
                ring[tag & (size - 1)] = *slot(p, tag);
        free(p->ring);
        p->ring = ring;
        p->ring_size = size;
}

static void ring_add(struct publisher *p, struct outgoing *o)
{
        if (p->next_tag - p->first_tag >= p->ring_size)
                ring_grow(p);
        *slot(p, p->next_tag++) = o;
}

static void ring_advance(struct publisher *p)
{
        while (p->first_tag < p->next_tag && *slot(p, p->first_tag) == NULL)
                p->first_tag++;
}

static void finish_tag(struct publisher *p, uint64_t tag, enum link_result result)
{
        struct outgoing *o = TAKE(*slot(p, tag));

        if (o == NULL)
                return;
        if (p->suspects > 0 && !o->probe)
                p->suspects--;
        finish(p, o, o->returned && result == LINK_CONFIRMED ? LINK_RETURNED : result);
}

void publisher_confirm(struct publisher *p, uint64_t tag, bool multiple, enum link_result result)
{
        if (multiple && tag == 0)
                tag = p->next_tag - 1;
        if (tag < p->first_tag || tag >= p->next_tag)
                return; /* of a publish that expired */
        for (uint64_t t = multiple ? p->first_tag : tag; t <= tag; t++)
                finish_tag(p, t, result);
        ring_advance(p);
}

/* Returns come in the order of publishing: r is of the oldest publish that looks like it. */
void publisher_return(struct publisher *p, const struct returned *r)
{
        for (uint64_t tag = p->first_tag; tag < p->next_tag; tag++) {
                struct outgoing *o = *slot(p, tag);
                if (o != NULL && !o->returned && outgoing_looks_like(o, r)) {
                        o->returned = true;
                        return;
                }
        }
}

void publisher_take(struct publisher *p, struct node_list *more, msec now)
{
        if (!p->resend) {
                for (struct node *n = more->first; n != NULL; n = n->next)
                        ((struct outgoing *)n)->since = now;
        }
        node_list_append(&p->waiting, more);
}

struct outgoing *publisher_take_ended(struct publisher *p)
{
        return (struct outgoing *)node_list_take(&p->ended);
}

bool publisher_is_ready(const struct publisher *p)
{
        return p->waiting.first != NULL && (p->suspects == 0 || p->first_tag == p->next_tag);
}

static int write_one(struct publisher *p, struct channel *ch, struct outgoing *o, struct err *e)
{
        ring_add(p, o);
        return channel_publish(ch, o, e);
}

int publisher_write(struct publisher *p, struct channel *ch, msec now, struct err *e)
{
        int result = 0;

        channel_begin(ch);
        for (int i = 0; i < BATCH && result == 0 && publisher_is_ready(p); i++) {
                struct outgoing *o = (struct outgoing *)node_list_take(&p->waiting);
                if (p->resend)
                        o->since = now;
                result = write_one(p, ch, o, e);
        }
        return result < 0 ? -1 : channel_flush(ch, e);
}

int publisher_probe(struct publisher *p, struct channel *ch, struct outgoing *probe, struct err *e)
{
        probe->probe = true;
        probe->since = clock_mono();
        channel_begin(ch);
        return write_one(p, ch, probe, e) < 0 ? -1 : channel_flush(ch, e);
}

static void skip_time(struct outgoing *o, msec from, msec now)
{
        o->since = o->since < from ? o->since + (now - from) : now;
}

void publisher_skip_time(struct publisher *p, msec from, msec now)
{
        for (uint64_t tag = p->first_tag; tag < p->next_tag; tag++) {
                if (*slot(p, tag) != NULL)
                        skip_time(*slot(p, tag), from, now);
        }
        if (p->resend)
                return;
        for (struct node *n = p->waiting.first; n != NULL; n = n->next)
                skip_time((struct outgoing *)n, from, now);
}

static void take_unconfirmed(struct publisher *p, struct node_list *list)
{
        for (uint64_t tag = p->first_tag; tag < p->next_tag; tag++) {
                struct outgoing *o = TAKE(*slot(p, tag));
                if (o != NULL && o->probe)
                        free(o);
                else if (o != NULL)
                        node_list_add(list, &o->notice.node);
        }
        p->first_tag = p->next_tag = 1;
}

/* A refused publish closes the channel of all, and the broker does not say which one it was. So all
 * are sent again one by one: it is the one that is alone in flight when the channel is closed. */
static void find_refused(struct publisher *p, struct node_list *unconfirmed)
{
        if (unconfirmed->first != NULL && unconfirmed->first == unconfirmed->last) {
                finish_all(p, unconfirmed, LINK_RETURNED);
                if (p->suspects > 0)
                        p->suspects--;
                return;
        }
        for (struct node *n = unconfirmed->first; n != NULL; n = n->next)
                p->suspects++;
}

void publisher_end(struct publisher *p)
{
        struct node_list unconfirmed = {0};

        take_unconfirmed(p, &unconfirmed);
        p->suspects = 0;
        finish_all(p, &unconfirmed, LINK_CLOSED);
        finish_all(p, &p->waiting, LINK_CLOSED);
}

void publisher_disconnected(struct publisher *p, bool refused)
{
        struct node_list unconfirmed = {0};

        if (!p->resend) {
                publisher_end(p);
                return;
        }
        take_unconfirmed(p, &unconfirmed);
        if (refused)
                find_refused(p, &unconfirmed);
        for (struct node *n = unconfirmed.first; n != NULL; n = n->next) {
                struct outgoing *o = (struct outgoing *)n;
                outgoing_mark_again(o);
                o->returned = false;
        }
        node_list_prepend(&p->waiting, &unconfirmed);
}

/* With resend a waiting publish does not expire: it waits for the connection. */
static const struct outgoing *oldest_waiting(const struct publisher *p)
{
        return p->resend ? NULL : (const struct outgoing *)p->waiting.first;
}

void publisher_expire(struct publisher *p, msec now)
{
        msec oldest = now - p->confirm_timeout;

        while (p->first_tag < p->next_tag && (*slot(p, p->first_tag))->since <= oldest) {
                finish_tag(p, p->first_tag, LINK_EXPIRED);
                ring_advance(p);
        }
        while (oldest_waiting(p) != NULL && oldest_waiting(p)->since <= oldest)
                finish(p, (struct outgoing *)node_list_take(&p->waiting), LINK_EXPIRED);
}

msec publisher_deadline(const struct publisher *p)
{
        const struct outgoing *o =
                p->first_tag < p->next_tag ? *slot(p, p->first_tag) : oldest_waiting(p);

        return o == NULL ? 0 : o->since + p->confirm_timeout;
}

bool publisher_is_idle(const struct publisher *p)
{
        return p->waiting.first == NULL && p->first_tag == p->next_tag;
}

void publisher_destroy(struct publisher **publisher)
{
        struct publisher *p = TAKE(*publisher);

        if (p == NULL)
                return;
        free(p->ring);
        free(p);
}
