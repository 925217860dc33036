/* SPDX-License-Identifier: Apache-2.0
 *
 * sweeper.c: the thread of a sweep: find, make sure, publish.
 */
#include "status-store/sweeper.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/rounds.h"

enum { CURRENT_WAIT = 5000 }; /* ms, for the projection to become current */

struct sweeper {
        const struct sweep *sweep;
        struct readers *readers;
        struct markers *markers;
        struct provisioning *provisioning;
        struct rounds *rounds;
        bool warned; /* the thread's */
};

static void found_fini(struct sweep_found *f)
{
        buffer_fini(&f->lines);
}
#define AUTO_FOUND __attribute__((cleanup(found_fini))) struct sweep_found

void sweep_add(struct sweep_found *f, const struct job_row *row, struct event *event)
{
        event->run = row->winner.run;
        event->at = clock_wall();
        memcpy(event->id, row->id, sizeof(event->id));
        memcpy(event->tenant, row->tenant, sizeof(event->tenant));
        memcpy(f->worker, row->worker, sizeof(f->worker));
        event_write(event, &f->lines);
        f->count++;
}

static int find(struct sweeper *s, msec as_of, struct sweep_found *f, struct err *e)
{
        AUTO_READER *reader = readers_take(s->readers, e);

        return reader == NULL ? -1 : s->sweep->find(reader, as_of, f, e);
}

/* The rows may be old: the store was stopped, or is behind. So suspects are looked up again once
 * the projection is current, as of the time before the marker. *full: there may be more. */
static int sweep_once(struct sweeper *s, bool *full, struct err *e)
{
        AUTO_FOUND suspects = {.count = 0};
        AUTO_FOUND found = {.count = 0};
        char marker[UUID_SIZE];

        *full = false;
        if (provisioning_check(s->provisioning, e) != 0 || find(s, clock_wall(), &suspects, e) != 0)
                return -1;
        if (suspects.count == 0)
                return 0;
        msec as_of = clock_wall();
        if (provisioning_publish_marker(s->provisioning, marker, e) != 0)
                return -1;
        if (!markers_await(s->markers, marker, clock_mono() + CURRENT_WAIT))
                return 0;
        if (find(s, as_of, &found, e) != 0)
                return -1;
        if (found.count == 0)
                return 0;
        s->sweep->log(&found);
        *full = found.count == SWEEP_AT_ONCE;
        return provisioning_publish_events(s->provisioning, buffer_bytes(&found.lines), e);
}

static msec round_of(void *owner)
{
        struct sweeper *s = owner;
        bool full = false;
        struct err why = {0};
        int done = sweep_once(s, &full, &why);

        if (done != 0 && !s->warned)
                LOG_WARN(s->sweep->failure, log_err(&why));
        s->warned = done != 0;
        return full && done == 0 ? 0 : s->sweep->every;
}

struct sweeper *sweeper_create(const struct sweep *sweep, struct readers *readers,
                               struct markers *markers, struct provisioning *provisioning,
                               struct err *e)
{
        AUTO(sweeper) s = xcalloc(1, sizeof(*s));

        s->sweep = sweep;
        s->readers = readers;
        s->markers = markers;
        s->provisioning = provisioning;
        s->rounds = rounds_start("a sweep", sweep->every, round_of, s, e);
        return s->rounds == NULL ? NULL : TAKE(s);
}

void sweeper_destroy(struct sweeper **sweeper)
{
        struct sweeper *s = TAKE(*sweeper);

        if (s == NULL)
                return;
        rounds_end(&s->rounds);
        free(s);
}
