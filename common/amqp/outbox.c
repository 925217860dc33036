/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox.c: a queue in front of the link's window; publishes again what was not confirmed.
 */
#include "common/amqp/outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { RETRY_AFTER = 500 }; /* ms after a try that was not confirmed */

struct outbox {
        struct link *link;
        struct alarm *alarm;
        confirm_time_fn *confirm_time;
        void *owner;
        struct publication *waiting;
        unsigned in_flight;
        struct job_message *scratch; /* too large for the stack; encoders set its fields */
};

static void send_waiting(struct outbox *o);

static void on_alarm(void *owner)
{
        send_waiting(owner);
}

struct outbox *outbox_create(struct link *l, uv_loop_t *loop, confirm_time_fn *confirm_time,
                             void *owner)
{
        struct outbox *o = xcalloc(1, sizeof(*o));

        o->link = l;
        o->alarm = alarm_create(loop, on_alarm, o);
        o->confirm_time = confirm_time;
        o->owner = owner;
        o->scratch = xcalloc(1, sizeof(*o->scratch));
        return o;
}

void outbox_destroy(struct outbox **outbox)
{
        struct outbox *o = TAKE(*outbox);

        if (o == NULL)
                return;
        alarm_destroy(&o->alarm);
        free(o->scratch);
        free(o);
}

static const char *result_word(enum link_result r)
{
        switch (r) {
        case LINK_CONFIRMED:
                return "confirmed";
        case LINK_RETURNED:
                return "returned";
        case LINK_NACKED:
                return "nacked";
        case LINK_EXPIRED:
                return "expired";
        case LINK_CLOSED:
                return "closed";
        }
        return "";
}

/* True: the publication is its owner's again. */
static bool has_ended(struct outbox *o, struct publication *p, enum link_result result)
{
        if (result == LINK_RETURNED)
                return p->returned != NULL && p->returned(p->owner, p);
        if (result != LINK_CONFIRMED)
                return false;
        if (o->confirm_time != NULL)
                o->confirm_time(o->owner, (double)(clock_mono_us() - p->sent_us) / 1e6);
        p->confirmed(p->owner, p);
        return true;
}

static void on_result(void *owner, enum link_result result)
{
        struct publication *p = owner;
        struct outbox *o = p->outbox;

        o->in_flight--;
        if (has_ended(o, p, result)) {
                if (o->waiting != NULL && !alarm_is_set(o->alarm))
                        send_waiting(o);
                return;
        }
        LOG_WARN("a publish was not confirmed; it is published again",
                 log_text("result", result_word(result)));
        p->again = true;
        DL_APPEND(o->waiting, p);
        if (!alarm_is_set(o->alarm))
                alarm_set(o->alarm, RETRY_AFTER);
}

static int send_one(struct outbox *o, struct publication *p)
{
        struct err why = {0};
        const struct publish_wait wait = {.done = on_result, .owner = p};

        p->encode(p, p->again, clock_wall(), o->scratch);
        p->sent_us = clock_mono_us();
        if (link_publish(o->link, &o->scratch->message, &wait, &why) != 0) {
                /* A window full of own publishes empties with their confirms; else wait. */
                if ((why.code != ERR_FULL || o->in_flight == 0) && !alarm_is_set(o->alarm))
                        alarm_set(o->alarm, RETRY_AFTER);
                return -1;
        }
        o->in_flight++;
        return 0;
}

static void send_waiting(struct outbox *o)
{
        while (o->waiting != NULL) {
                struct publication *p = o->waiting;
                if (send_one(o, p) != 0)
                        return;
                DL_DELETE(o->waiting, p);
        }
}

void outbox_post(struct outbox *o, struct publication *p)
{
        assert(p->encode != NULL && p->confirmed != NULL);
        p->outbox = o;
        p->again = false;
        if (o->waiting != NULL || send_one(o, p) != 0)
                DL_APPEND(o->waiting, p);
}
