/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.c: the stream's states, and the pause of reading.
 */
#include "common/amqp/gate.h"

#include <stdlib.h>

#include "common/amqp/jitter.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define LOOK_AGAIN ((msec)100)
#define ANSWER_LIMIT ((msec)5 * MSEC_SECOND)
/* Past this its absence is no restart any more: it is told, and looked for once a second. */
#define QUIET_LIMIT ((msec)5 * MSEC_SECOND)

enum gate_state {
        GATE_SHUT,    /* not connected */
        GATE_WAITS,   /* to look for the stream at `at` */
        GATE_ASKED,   /* the answer must be here by `at` */
        GATE_PROBED,  /* likewise the confirm */
        GATE_REFUSED, /* the probe was not kept: the connection ends */
        GATE_OPEN,
};

struct gate {
        /* before start */
        const char *stream;
        size_t read_bytes;
        msec heartbeat;

        enum gate_state state;
        msec at, since;
        bool told;      /* that the stream is away */
        msec paused_at; /* reading; 0: it is not paused */
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
        g->state = g->stream == NULL ? GATE_OPEN : GATE_WAITS;
        g->at = g->since = now;
        g->told = false;
}

void gate_disconnected(struct gate *g)
{
        g->state = GATE_SHUT;
        g->paused_at = 0;
}

bool gate_is_open(const struct gate *g)
{
        return g->state == GATE_OPEN;
}

static bool is_settled(const struct gate *g)
{
        return g->state == GATE_OPEN || g->state == GATE_SHUT;
}

enum gate_step gate_step(struct gate *g, msec now, bool deaf, struct err *e)
{
        if (is_settled(g) || deaf || gate_is_paused(g) || now < g->at)
                return GATE_NOTHING;
        if (g->state == GATE_WAITS) {
                g->state = GATE_ASKED;
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
        bool late = now - g->since > QUIET_LIMIT;

        g->state = GATE_WAITS;
        g->at = now + jittered(late ? MSEC_SECOND : LOOK_AGAIN);
}

enum gate_step gate_found(struct gate *g, msec now, const struct err *why, struct err *e)
{
        if (g->state != GATE_ASKED)
                return GATE_NOTHING;
        if (why == NULL) {
                g->state = GATE_PROBED;
                g->at = now + ANSWER_LIMIT;
                return GATE_PROBE;
        }
        look_later(g, now);
        if (g->told || g->at - g->since <= QUIET_LIMIT)
                return GATE_NOTHING;
        g->told = true;
        err_set(e, why->code, "stream %s: %s%s", g->stream, why->text,
                why->code == ERR_NOT_FOUND ? "; if it stays away, `warren topology apply` makes it"
                                           : "");
        return GATE_AWAY;
}

/* When it was not kept, this channel's numbers are no longer the stream's: gate_step ends it. */
void gate_probed(struct gate *g, enum link_result result)
{
        if (g->state != GATE_PROBED)
                return;
        g->state = result == LINK_CONFIRMED ? GATE_OPEN : GATE_REFUSED;
        g->at = 0;
}

void gate_wait_anew(struct gate *g, msec now)
{
        if (g->state == GATE_ASKED || g->state == GATE_PROBED)
                g->at = now + ANSWER_LIMIT;
}

msec gate_deadline(const struct gate *g, bool deaf)
{
        /* 1: at once */
        return is_settled(g) || deaf || gate_is_paused(g) ? 0 : g->at == 0 ? 1 : g->at;
}

bool gate_is_spent(const struct gate *g, size_t bytes)
{
        return g->read_bytes != 0 && bytes > g->read_bytes;
}

bool gate_is_paused(const struct gate *g)
{
        return g->paused_at != 0;
}

msec gate_weigh(struct gate *g, size_t bytes, msec now)
{
        msec since = g->paused_at;

        if (gate_is_spent(g, bytes) == gate_is_paused(g))
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
