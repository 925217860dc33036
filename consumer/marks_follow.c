/* SPDX-License-Identifier: Apache-2.0
 *
 * marks_follow.c: reads the stream from its first message at every connection. Marks of an earlier
 * connection stay in force, so what is read again changes nothing.
 */
#include "consumer/marks_follow.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/clients/catch_up.h"

enum { PREFETCH = 64 };

struct marks_follow {
        struct marks_follow_config on;
        struct catch_up *catch_up;
        bool caught_up;      /* with the last marker */
        bool doubted;        /* a new marker is to be published, once a record is confirmed */
        int64_t read, told;  /* x-mark of the last message read, and as told by `seen` */
        msec told_at;        /* monotonic; of the last record known to be confirmed; 0: none */
        msec record_at;      /* monotonic; of the last record that was looked at */
        msec unconfirmed_at; /* monotonic; of the record in `batch`; 0: none */
        uint64_t batch;
        bool warned;  /* of a message that is none of marks */
        bool changed; /* by the message that is read */
};

static void note(void *owner, const struct mark *m)
{
        struct marks_follow *f = owner;

        if (marks_note(f->on.marks, m, clock_wall()))
                f->changed = true;
}

static void warn(struct marks_follow *f, const char *what)
{
        if (!f->warned)
                LOG_WARN("a message of stream marks, or a part of it, was skipped",
                         log_text("why", what));
        f->warned = true;
}

static void on_message(void *owner, const struct message *m)
{
        struct marks_follow *f = owner;
        unsigned skipped = 0;

        if (!bytes_equal_text(m->user_id, MARKS_LOGIN) || !bytes_equal_text(m->type, MARK_TYPE)) {
                if (bytes_equal_text(m->exchange, "marks"))
                        warn(f, "it is not of the operator login, or no mark");
                return; /* else a marker of another program */
        }
        int64_t number = message_header_int(m, MARK_HEADER, 0);
        f->changed = false;
        if (marks_each(m->body, note, f, &skipped) != 0) {
                warn(f, "it is too large");
                return; /* its number is not told: its marks were not read */
        }
        if (skipped > 0)
                warn(f, "it has lines that are no marks");
        if (number > f->read)
                f->read = number;
        if (f->changed)
                f->on.applied(f->on.owner);
}

static void on_caught_up(void *owner)
{
        struct marks_follow *f = owner;

        f->caught_up = true;
        LOG_DEBUG("the marks were read", log_int("marks", (int64_t)marks_count(f->on.marks)));
        if (!marks_follow_is_blind(f))
                f->on.caught_up(f->on.owner);
}

static void on_lost(void *owner)
{
        struct marks_follow *f = owner;

        f->caught_up = false;
        LOG_INFO("the stream of marks is not read now: a status-store is asked before each start");
}

struct marks_follow *marks_follow_create(const struct marks_follow_config *c, uv_loop_t *loop,
                                         struct err *e)
{
        static const struct catch_up_events on = {
                .message = on_message, .caught_up = on_caught_up, .lost = on_lost};
        const struct catch_up_config config = {
                .link = c->link, .stream = "marks", .prefetch = PREFETCH, .every_connection = true};
        AUTO(marks_follow) f = xcalloc(1, sizeof(*f));

        f->on = *c;
        f->doubted = true;
        f->catch_up = catch_up_create(&config, &on, f, loop, e);
        return f->catch_up == NULL ? NULL : TAKE(f);
}

void marks_follow_destroy(struct marks_follow **f)
{
        if (*f == NULL)
                return;
        catch_up_destroy(&(*f)->catch_up);
        free(*f);
        *f = NULL;
}

static bool is_told(const struct marks_follow *f)
{
        return f->told_at != 0 && clock_mono() - f->told_at < MARKS_UNTOLD_MAX;
}

bool marks_follow_is_blind(const struct marks_follow *f)
{
        return !f->caught_up || f->doubted || !is_told(f);
}

void marks_follow_stood_still(struct marks_follow *f)
{
        f->doubted = true;
}

/* One record at a time is waited for: a later one would never be confirmed when confirms take
 * longer than the time between two. */
static void look_for_records(struct marks_follow *f, msec recorded_at)
{
        if (f->unconfirmed_at == 0 && recorded_at != f->record_at) {
                f->record_at = f->unconfirmed_at = recorded_at;
                f->batch = events_last(f->on.events);
        }
        if (f->unconfirmed_at != 0 && events_are_confirmed(f->on.events, f->batch)) {
                f->told_at = f->unconfirmed_at;
                f->unconfirmed_at = 0;
        }
}

/* Only what has been acted on is told. */
static void tell_seen(struct marks_follow *f)
{
        if (f->read == f->told || !f->caught_up)
                return;
        f->told = f->read;
        const struct event e = {
                .kind = EVENT_SEEN,
                .worker = bytes_of_text(f->on.worker),
                .at = clock_wall(),
                .mark = f->read,
        };
        events_add(f->on.events, &e, NULL);
}

void marks_follow_turn(struct marks_follow *f, msec recorded_at)
{
        look_for_records(f, recorded_at);
        if (!is_told(f))
                f->doubted = true;
        if (f->doubted && is_told(f)) {
                f->doubted = f->caught_up = false;
                catch_up_again(f->catch_up);
        }
        tell_seen(f);
}
