/* SPDX-License-Identifier: Apache-2.0
 *
 * budget.c: pauses reading while the deliveries that are not settled hold more bytes than they may:
 * a prefetch counts messages, and how large those are is the publishers' choice. Meanwhile the
 * socket fills, then the broker waits; rabbitmq-c sends heartbeats only while it reads, so they are
 * sent here.
 */
#include <poll.h>

#include "common/amqp/link_parts.h"

bool budget_is_spent(const struct link *l)
{
        const struct engine *en = &l->engine;

        /* What comes while it drains is given back at once. */
        return l->read_bytes != 0 && en->unsettled_bytes > l->read_bytes && !en->draining;
}

bool budget_is_pausing(const struct link *l)
{
        return l->engine.paused_at != 0;
}

void budget_look(struct link *l)
{
        struct engine *en = &l->engine;

        if (budget_is_spent(l) == budget_is_pausing(l))
                return;
        msec now = clock_mono();
        if (!budget_is_pausing(l)) {
                en->paused_at = en->beat_at = now;
                return;
        }
        publisher_skip_time(l, en->paused_at, now);
        declarations_skip_time(l, now - en->paused_at);
        feed_wait_anew(l);
        en->paused_at = 0;
        en->read_more = true;
}

int budget_keep_alive(struct link *l, short events)
{
        struct engine *en = &l->engine;
        amqp_frame_t beat = {.frame_type = AMQP_FRAME_HEARTBEAT};

        if ((events & (POLLERR | POLLHUP)) != 0)
                return engine_fail(l, ERR_UNAVAILABLE, "the connection broke");
        if (clock_mono() < budget_deadline(l))
                return 0;
        en->beat_at = clock_mono();
        int status = amqp_send_frame(en->connection, &beat);
        return status == AMQP_STATUS_OK ? 0 : engine_fail_status(l, status, "heartbeat");
}

msec budget_deadline(const struct link *l)
{
        return l->engine.beat_at + l->heartbeat / 2;
}
