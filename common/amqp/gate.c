/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.c: the states of the wait for the stream, and the pause of reading.
 */
#include "common/amqp/gate.h"

#include <stdlib.h>

#include "common/amqp/jitter.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define LOOK_AGAIN ((msec)100)
#define ANSWER_LIMIT ((msec)5 * MSEC_SECOND)
/* A stream missing for longer is reported, and looked for once a second: it is no restart. */
#define REPORT_AFTER ((msec)5 * MSEC_SECOND)

enum gate_state {
        GATE_DISCONNECTED,
        GATE_LOOK_DUE, /* to look for the stream at `at` */
        GATE_LOOKING,  /* the answer must come by `at` */
        GATE_PROBING,  /* the confirm must come by `at` */
        GATE_REFUSED,  /* the stream does not get what is published: the connection ends */
        GATE_OPEN,
};

struct gate {
        /* before start */
        const char *stream;
        size_t read_bytes;
        msec heartbeat;

        enum gate_state state;
        msec at, since;
        bool reported;  /* that the stream is not there */
        msec paused_at; /* 0: reading is not paused */
        msec beat_at;   /* the last heartbeat since then */
};

struct gate *gate_create(const char *stream, size_t read_bytes, msec heartbeat)
{
        struct gate *g = xcalloc(1, sizeof(*g));

        g->stream = stream;
        g->read_bytes = read_bytes;
        g->heartbeat = heartbeat;
        return g;
}

void gate_destroy(struct gate **g)
{
        free(TAKE(*g));
}

void gate_connected(struct gate *g, msec now)
{
        g->state = g->stream == NULL ? GATE_OPEN : GATE_LOOK_DUE;
        g->at = g->since = now;
        g->reported = false;
}

void gate_disconnected(struct gate *g)
{
        g->state = GATE_DISCONNECTED;
        g->paused_at = 0;
}

bool gate_is_open(const struct gate *g)
{
        return g->state == GATE_OPEN;
}

static bool needs_no_step(const struct gate *g)
{
        return g->state == GATE_OPEN || g->state == GATE_DISCONNECTED;
}

enum gate_step gate_step(struct gate *g, msec now, bool blocked, struct err *e)
{
        if (needs_no_step(g) || blocked || gate_is_paused(g) || now < g->at)
                return GATE_NOTHING;
        if (g->state == GATE_LOOK_DUE) {
                g->state = GATE_LOOKING;
                g->at = now + ANSWER_LIMIT;
                return GATE_LOOK;
        }
        if (g->state == GATE_REFUSED)
                err_set(e, ERR_UNAVAILABLE,
                        "stream %s does not get what is published: "
                        "`warren topology apply` binds it",
                        g->stream);
        else
                err_set(e, ERR_TIMEOUT, "stream %s does not answer", g->stream);
        return GATE_FAIL;
}

static void look_later(struct gate *g, msec now)
{
        bool late = now - g->since > REPORT_AFTER;

        g->state = GATE_LOOK_DUE;
        g->at = now + jittered(late ? MSEC_SECOND : LOOK_AGAIN);
}

enum gate_step gate_found(struct gate *g, msec now, const struct err *why, struct err *e)
{
        if (g->state != GATE_LOOKING)
                return GATE_NOTHING;
        if (why == NULL) {
                g->state = GATE_PROBING;
                g->at = now + ANSWER_LIMIT;
                return GATE_PROBE;
        }
        look_later(g, now);
        if (g->reported || g->at - g->since <= REPORT_AFTER)
                return GATE_NOTHING;
        g->reported = true;
        err_set(e, why->code, "stream %s: %s%s", g->stream, why->text,
                why->code == ERR_NOT_FOUND ? "; if it stays away, `warren topology apply` makes it"
                                           : "");
        return GATE_AWAY;
}

/* Unless it was confirmed, the broker would number this channel's publishes wrongly (see gate.h):
 * gate_step ends the connection. */
void gate_probed(struct gate *g, enum link_result result)
{
        if (g->state != GATE_PROBING)
                return;
        g->state = result == LINK_CONFIRMED ? GATE_OPEN : GATE_REFUSED;
        g->at = 0;
}

void gate_returned(struct gate *g)
{
        if (g->stream == NULL || g->state != GATE_OPEN)
                return;
        g->state = GATE_REFUSED;
        g->at = 0;
}

void gate_restart_wait(struct gate *g, msec now)
{
        if (g->state == GATE_LOOKING || g->state == GATE_PROBING)
                g->at = now + ANSWER_LIMIT;
}

msec gate_deadline(const struct gate *g, bool blocked)
{
        /* 1: at once */
        return needs_no_step(g) || blocked || gate_is_paused(g) ? 0 : g->at == 0 ? 1 : g->at;
}

bool gate_is_over_limit(const struct gate *g, size_t bytes)
{
        return g->read_bytes != 0 && bytes > g->read_bytes;
}

bool gate_is_paused(const struct gate *g)
{
        return g->paused_at != 0;
}

msec gate_update_pause(struct gate *g, size_t bytes, msec now)
{
        msec since = g->paused_at;

        if (gate_is_over_limit(g, bytes) == gate_is_paused(g))
                return 0;
        g->paused_at = since == 0 ? now : 0;
        g->beat_at = now;
        return since;
}

bool gate_beat_is_due(struct gate *g, msec now)
{
        if (now < gate_beat_at(g))
                return false;
        g->beat_at = now;
        return true;
}

msec gate_beat_at(const struct gate *g)
{
        return g->beat_at + g->heartbeat / 2;
}
