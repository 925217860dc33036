/* SPDX-License-Identifier: Apache-2.0
 *
 * link_parts.c: calls one part for another, and makes notices for the loop.
 */
#include "common/amqp/link_parts.h"

#include <stdlib.h>

#include "common/base/own.h"
#include "common/model/event.h"

#define LOOK_FOR_STREAM UINT64_MAX

void parts_tell_state(struct link_thread *t)
{
        const struct link_state s = {
                .connected = t->channel != NULL,
                .open = gate_is_open(t->gate),
                .blocked = t->blocked,
        };

        handover_set_state(t->handover, s);
}

void parts_tell_down(struct link_thread *t, const struct err *why)
{
        subscriber_take_notices(t->subscriber, &t->notices);
        notice_add(&t->notices, NOTICE_DOWN)->why = *why;
}

/* An ended publish: its callback runs here if `direct`, else on the loop. */
static void report(struct link_thread *t, struct outgoing *o)
{
        if (o->wait.done != NULL && !o->wait.direct) {
                o->notice.kind = NOTICE_PUBLISHED;
                node_list_add(&t->notices, &o->notice.node);
                return;
        }
        handover_leave(t->handover, o->cost);
        if (o->wait.done != NULL)
                o->wait.done(o->wait.owner, o->result);
        free(o);
}

static void note_returned(struct link_thread *t)
{
        gate_returned(t->gate);
        parts_tell_state(t);
}

void parts_report_ended(struct link_thread *t)
{
        struct outgoing *o;

        while ((o = publisher_take_ended(t->publisher)) != NULL) {
                if (!o->probe) {
                        if (o->result == LINK_RETURNED)
                                note_returned(t);
                        report(t, o);
                        continue;
                }
                gate_probed(t->gate, o->result);
                parts_tell_state(t);
                free(o);
        }
}

void parts_set_blocked(struct link_thread *t, bool blocked)
{
        msec now = clock_mono();

        if (t->blocked == blocked)
                return;
        t->blocked = blocked;
        parts_tell_state(t);
        notice_add(&t->notices, blocked ? NOTICE_BLOCKED : NOTICE_UNBLOCKED);
        if (blocked)
                return;
        gate_restart_wait(t->gate, now);
        answers_restart_wait(t->answers, now);
        if (t->settings->resend) /* the time for confirms does not run while blocked */
                publisher_skip_time(t->publisher, 0, now);
}

/* See gate.h. */
static int send_probe(struct link_thread *t, struct err *e)
{
        const struct message m = {.exchange = bytes_of_text(t->settings->stream),
                                  .routing_key = bytes_of_text(""),
                                  .type = bytes_of_text("probe"),
                                  /* of an empty batch of events */
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .timestamp = -1,
                                  .delivery_mode = 2,
                                  .mandatory = true,
                                  .body = bytes_of_text("")};
        struct outgoing *o = outgoing_create(&m, t->settings->login, e);

        return o == NULL ? -1 : publisher_probe(t->publisher, t->channel, o, e);
}

/* why: as the gate filled it. */
static int take_step(struct link_thread *t, enum gate_step step, const struct err *why,
                     struct err *e)
{
        switch (step) {
        case GATE_LOOK:
                declarer_look_for(t->declarer, t->settings->stream, LOOK_FOR_STREAM);
                return 0;
        case GATE_PROBE:
                return send_probe(t, e);
        case GATE_AWAY:
                parts_tell_down(t, why);
                return 0;
        case GATE_FAIL:
                return err_set(e, why->code, "%s", why->text);
        case GATE_NOTHING:
                break;
        }
        return 0;
}

/* Passes the result of a declaration to the loop, subscriber or gate. */
static int answer(struct link_thread *t, struct request *q, struct err *e)
{
        const struct err *failed = err_is_set(&q->why) ? &q->why : NULL;
        struct err why = {0};

        if (q->look == 0) {
                q->notice.kind = NOTICE_DECLARED;
                node_list_add(&t->notices, &q->notice.node);
                return 0;
        }
        AUTO_FREE struct request *own = q;
        if (own->look != LOOK_FOR_STREAM)
                return subscriber_found(t->subscriber, own->look, failed, t->channel, e);
        enum gate_step step = gate_found(t->gate, clock_mono(), failed, &why);
        return take_step(t, step, &why, e);
}

int parts_answer_ended(struct link_thread *t, struct err *e)
{
        struct request *q;
        int result = 0;

        while ((q = declarer_take_ended(t->declarer)) != NULL) {
                if (answer(t, q, e) < 0)
                        result = -1;
        }
        return result;
}

int parts_step(struct link_thread *t, msec now, struct err *e)
{
        struct err why = {0};

        return take_step(t, gate_step(t->gate, now, t->blocked, &why), &why, e);
}
