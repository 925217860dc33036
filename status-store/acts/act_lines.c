/* SPDX-License-Identifier: Apache-2.0
 *
 * act_lines.c: the event and the mark of an act.
 */
#include "status-store/acts/act_lines.h"

#include <string.h>

#include "common/model/event.h"
#include "common/model/mark.h"

static const struct {
        enum event_kind event;
        enum mark_why why;
} words[] = {
        [ACT_CANCEL] = {EVENT_CANCELLED, MARK_FOR_CANCEL},
        [ACT_STOP] = {EVENT_CANCEL_REQUESTED, MARK_FOR_CANCEL},
        [ACT_FORGET] = {EVENT_FORGOTTEN, MARK_FOR_FORGET},
        [ACT_RUN_NOW] = {EVENT_MOVED, MARK_FOR_RUN_NOW},
        [ACT_MOVE] = {EVENT_MOVED, MARK_FOR_RESCHEDULE},
        [ACT_PRIORITY] = {EVENT_MOVED, MARK_FOR_PRIORITY},
        [ACT_RETRY] = {EVENT_MOVED, MARK_FOR_RETRY},
};

void act_write_event(const struct intent *i, struct buffer *out)
{
        struct event e = {.kind = words[i->kind].event,
                          .run = i->run,
                          .attempt = i->kind == ACT_FORGET ? 0 : i->attempt,
                          .at = i->at,
                          .by = bytes_of_text(i->by),
                          .hint = {.priority = -1, .max_retries = -1}};
        memcpy(e.id, i->id, sizeof(e.id));
        memcpy(e.tenant, i->tenant, sizeof(e.tenant));
        if (e.kind == EVENT_MOVED) {
                e.copy = i->copy;
                e.why = bytes_of_text(mark_why_word(words[i->kind].why));
                e.hint.priority = i->priority;
                e.hint.run_at = i->run_at;
        }
        event_write(&e, out);
}

void act_write_mark(const struct intent *i, struct buffer *out)
{
        bool ends = act_ends_the_run(i->kind);
        struct mark m = {.run = i->run,
                         .attempt = ends ? JOB_COUNTER_MAX : i->attempt,
                         .copy = ends ? JOB_COUNTER_MAX : i->copy,
                         .at = i->at,
                         .why = words[i->kind].why};
        memcpy(m.tenant, i->tenant, sizeof(m.tenant));
        memcpy(m.id, i->id, sizeof(m.id));
        mark_write(&m, out);
}
