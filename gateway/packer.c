/* SPDX-License-Identifier: Apache-2.0
 *
 * packer.c: one open pack, and the unconfirmed ones. Packs are reused, with their buffers.
 */
#include "gateway/packer.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/amqp/outbox.h"
#include "common/amqp/pack.h"
#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/turn.h"

enum { SPARE_MAX = 4 }; /* packs kept for reuse */

struct waiter {
        struct told_wait wait;
        msec since; /* monotonic clock */
};

struct pack {
        struct publication publication; /* first: the publication is the pack */
        struct buffer body;
        unsigned jobs;
        size_t bytes;                         /* as they entered in_flight */
        struct waiter waiters[PACK_JOBS_MAX]; /* in the order of `since` */
        unsigned waiter_count;
        unsigned late_count; /* the first of the waiters, which were told that the pack is late */
        struct pack *prev, *next;
};

struct packer {
        struct packer_config config;
        struct outbox *outbox;
        struct pack *open; /* NULL: it would be empty */
        struct pack *sent; /* not yet confirmed, the oldest first */
        struct pack *spare;
        unsigned spare_count;
        struct turn *turn;
        struct alarm
                *late; /* set while somebody waits: to when the first of them was late, or before */
        struct alarm *limit;
        packer_drained_fn *drained;
        void *drained_owner;
        /* written on the loop's thread, read on any */
        atomic_bool is_late; /* some pack was late, and none was confirmed since */
        atomic_uint untold;
};

static void pack_free(struct pack *pack)
{
        buffer_fini(&pack->body);
        free(pack);
}

static void recycle(struct packer *p, struct pack *pack)
{
        if (p->spare_count >= SPARE_MAX || pack->body.size > 2 * (size_t)PACK_BYTES_MAX) {
                pack_free(pack);
                return;
        }
        buffer_clear(&pack->body);
        pack->jobs = pack->waiter_count = pack->late_count = 0;
        pack->bytes = 0;
        LL_PREPEND(p->spare, pack);
        p->spare_count++;
}

static void end_drain(struct packer *p)
{
        packer_drained_fn *drained = TAKE(p->drained);

        alarm_stop(p->limit);
        drained(p->drained_owner);
}

static void on_limit(void *owner)
{
        end_drain(owner);
}

static void on_confirmed(void *owner, struct publication *publication)
{
        struct packer *p = owner;
        struct pack *pack = (struct pack *)publication;

        DL_DELETE(p->sent, pack);
        atomic_store(&p->is_late, false);
        atomic_fetch_sub(&p->untold, pack->jobs);
        metric_increment(p->config.meters->packs, 1);
        metric_increment(p->config.meters->packed, pack->jobs);
        in_flight_leave(p->config.in_flight, pack->jobs, pack->bytes);
        for (unsigned i = pack->late_count; i < pack->waiter_count; i++)
                pack->waiters[i].wait.done(pack->waiters[i].wait.owner, true);
        recycle(p, pack);
        if (p->drained != NULL && packer_untold(p) == 0)
                end_drain(p);
}

static void on_confirm_time(void *owner, double seconds)
{
        const struct packer *p = owner;

        metric_observe(p->config.meters->pack_confirm, seconds);
}

static void encode(const struct publication *publication, bool again, msec now,
                   struct job_message *out)
{
        const struct pack *pack = (const struct pack *)publication;
        const struct packer *p = publication->owner;
        struct message *m = &out->message;

        memset(m, 0, offsetof(struct message, headers));
        m->exchange = bytes_of_text("events");
        m->routing_key = bytes_of_text("");
        m->content_type = bytes_of_text(PACK_CONTENT_TYPE);
        m->app_id = bytes_of_text(p->config.app_id);
        m->timestamp = now / MSEC_SECOND;
        m->delivery_mode = 2;
        m->mandatory = true; /* without its stream the exchange would confirm and drop it */
        m->header_count = 0;
        m->properties = (struct bytes){0};
        m->body = buffer_bytes(&pack->body);
        if (again)
                message_add_int(m, "x-again", 1);
}

static void flush(struct packer *p)
{
        struct pack *pack = TAKE(p->open);

        if (pack == NULL)
                return;
        DL_APPEND(p->sent, pack);
        pack->publication =
                (struct publication){.encode = encode, .confirmed = on_confirmed, .owner = p};
        outbox_post(p->outbox, &pack->publication);
}

static void on_turn(void *owner)
{
        struct packer *p = owner;

        if (p->sent == NULL)
                flush(p);
}

static struct pack *open_pack(struct packer *p)
{
        if (p->open != NULL)
                return p->open;
        if (p->spare == NULL) {
                p->open = xcalloc(1, sizeof(*p->open));
                return p->open;
        }
        p->open = p->spare;
        LL_DELETE(p->spare, p->open);
        p->spare_count--;
        return p->open;
}

/* Returns the open pack, with m as its last job. */
static struct pack *append(struct packer *p, const struct message *m)
{
        struct err e = {0};
        int failed = pack_add(&open_pack(p)->body, m, &e);

        if (failed != 0 && e.code == ERR_FULL) {
                flush(p);
                failed = pack_add(&open_pack(p)->body, m, &e);
        }
        assert(failed == 0); /* the link has taken the same message for its queue */
        return p->open;
}

static void wait_in(struct packer *p, struct pack *pack, const struct told_wait *wait)
{
        pack->waiters[pack->waiter_count++] = (struct waiter){.wait = *wait, .since = clock_mono()};
        if (!alarm_is_set(p->late))
                alarm_set(p->late, p->config.late);
}

void packer_add(struct packer *p, const struct message *m, size_t bytes,
                const struct told_wait *wait)
{
        struct pack *pack = append(p, m);

        pack->jobs++;
        pack->bytes += bytes;
        atomic_fetch_add(&p->untold, 1);
        if (wait != NULL)
                wait_in(p, pack, wait);
        if (pack->jobs == PACK_JOBS_MAX || pack->body.length >= PACK_BYTES_MAX)
                flush(p);
}

/* Ends the waits that began at `until` or before. Returns when the next one began; 0: there is
 * none. */
static msec end_late(struct packer *p, struct pack *pack, msec until)
{
        while (pack->late_count < pack->waiter_count) {
                const struct waiter *w = &pack->waiters[pack->late_count];
                if (w->since > until)
                        return w->since;
                pack->late_count++;
                atomic_store(&p->is_late, true);
                w->wait.done(w->wait.owner, false);
        }
        return 0;
}

/* The packs, and the waiters of each, are in the order of time: the first that is not late is the
 * next one. */
static void on_late(void *owner)
{
        struct packer *p = owner;
        msec now = clock_mono(), until = now - p->config.late, next = 0;
        struct pack *pack;

        DL_FOREACH (p->sent, pack) {
                next = end_late(p, pack, until);
                if (next != 0)
                        break;
        }
        if (next == 0 && p->open != NULL)
                next = end_late(p, p->open, until);
        if (next != 0)
                alarm_set(p->late, next + p->config.late - now);
}

struct packer *packer_create(const struct packer_config *c, uv_loop_t *loop)
{
        struct packer *p = xcalloc(1, sizeof(*p));

        p->config = *c;
        p->outbox = outbox_create(c->link, loop, on_confirm_time, p);
        p->turn = turn_create(loop, on_turn, p);
        p->late = alarm_create(loop, on_late, p);
        p->limit = alarm_create(loop, on_limit, p);
        return p;
}

void packer_destroy(struct packer **packer)
{
        struct packer *p = TAKE(*packer);
        struct pack *pack, *next;

        if (p == NULL)
                return;
        if (p->open != NULL)
                pack_free(p->open);
        DL_FOREACH_SAFE (p->sent, pack, next)
                pack_free(pack);
        LL_FOREACH_SAFE (p->spare, pack, next)
                pack_free(pack);
        outbox_destroy(&p->outbox);
        turn_destroy(&p->turn);
        alarm_destroy(&p->late);
        alarm_destroy(&p->limit);
        free(p);
}

bool packer_is_ready(const struct packer *p, struct err *why)
{
        if (!link_is_ready(p->config.link, why))
                return false;
        if (!atomic_load(&p->is_late))
                return true;
        err_set(why, ERR_UNAVAILABLE, "the broker's stream events does not confirm in time");
        return false;
}

unsigned packer_untold(const struct packer *p)
{
        return atomic_load(&p->untold);
}

void packer_drain(struct packer *p, msec limit, packer_drained_fn *done, void *owner)
{
        p->drained = done;
        p->drained_owner = owner;
        if (packer_untold(p) == 0)
                end_drain(p);
        else
                alarm_set(p->limit, limit);
}
