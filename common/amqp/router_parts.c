/* SPDX-License-Identifier: Apache-2.0
 *
 * router_parts.c: calls one part for another, and makes notices for the loop.
 */
#include "common/amqp/router_parts.h"

#include <stdlib.h>

#include "common/base/own.h"
#include "common/model/event.h"

#define LOOK_FOR_STREAM UINT64_MAX

void parts_tell_state(struct router *r)
{
        const struct link_state s = {
                .connected = r->channel != NULL,
                .open = gate_is_open(r->gate),
                .blocked = r->blocked,
        };

        handover_set_state(r->handover, s);
}

void parts_tell_down(struct router *r, const struct err *why)
{
        subscriber_take_notices(r->subscriber, &r->notices);
        notice_add(&r->notices, NOTICE_DOWN)->why = *why;
}

/* An ended publish: its callback runs here if `direct`, else on the loop. */
static void report(struct router *r, struct outgoing *o)
{
        if (o->wait.done != NULL && !o->wait.direct) {
                o->notice.kind = NOTICE_PUBLISHED;
                node_list_add(&r->notices, &o->notice.node);
                return;
        }
        handover_leave(r->handover, o->cost);
        if (o->wait.done != NULL)
                o->wait.done(o->wait.owner, o->result);
        free(o);
}

void parts_report_ended(struct router *r)
{
        struct outgoing *o;

        while ((o = publisher_take_ended(r->publisher)) != NULL) {
                if (!o->probe) {
                        report(r, o);
                        continue;
                }
                gate_probed(r->gate, o->result);
                parts_tell_state(r);
                free(o);
        }
}

void parts_set_blocked(struct router *r, bool blocked)
{
        msec now = clock_mono();

        if (r->blocked == blocked)
                return;
        r->blocked = blocked;
        parts_tell_state(r);
        notice_add(&r->notices, blocked ? NOTICE_BLOCKED : NOTICE_UNBLOCKED);
        if (blocked)
                return;
        gate_restart_wait(r->gate, now);
        if (r->settings->resend) /* the time for confirms does not run while blocked */
                publisher_skip_time(r->publisher, 0, now);
}

/* See gate.h. */
static int send_probe(struct router *r, struct err *e)
{
        const struct message m = {.exchange = bytes_of_text(r->settings->stream),
                                  .routing_key = bytes_of_text(""),
                                  .type = bytes_of_text("probe"),
                                  /* of an empty batch of events */
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .timestamp = -1,
                                  .delivery_mode = 2,
                                  .mandatory = true,
                                  .body = bytes_of_text("")};
        struct outgoing *o = outgoing_create(&m, r->settings->login, e);

        return o == NULL ? -1 : publisher_probe(r->publisher, r->channel, o, e);
}

int parts_take_step(struct router *r, enum gate_step step, const struct err *why, struct err *e)
{
        switch (step) {
        case GATE_LOOK:
                declarer_look_for(r->declarer, r->settings->stream, LOOK_FOR_STREAM);
                return 0;
        case GATE_PROBE:
                return send_probe(r, e);
        case GATE_AWAY:
                parts_tell_down(r, why);
                return 0;
        case GATE_FAIL:
                return err_set(e, why->code, "%s", why->text);
        case GATE_NOTHING:
                break;
        }
        return 0;
}

/* Passes the result of a declaration to the loop, subscriber or gate. */
static int answer(struct router *r, struct request *q, struct err *e)
{
        const struct err *failed = err_is_set(&q->why) ? &q->why : NULL;
        struct err why = {0};

        if (q->look == 0) {
                q->notice.kind = NOTICE_DECLARED;
                node_list_add(&r->notices, &q->notice.node);
                return 0;
        }
        AUTO_FREE struct request *own = q;
        if (own->look != LOOK_FOR_STREAM)
                return subscriber_found(r->subscriber, own->look, failed, r->channel, e);
        enum gate_step step = gate_found(r->gate, clock_mono(), failed, &why);
        return parts_take_step(r, step, &why, e);
}

int parts_answer_ended(struct router *r, struct err *e)
{
        struct request *q;
        int result = 0;

        while ((q = declarer_take_ended(r->declarer)) != NULL) {
                if (answer(r, q, e) < 0)
                        result = -1;
        }
        return result;
}
