/* SPDX-License-Identifier: Apache-2.0
 *
 * feed.c: keeps publishes back until the stream that they all feed keeps them.
 *
 * RabbitMQ 3.10.8 opens its listener before its streams are back (measured: up to 0.7 s). Meanwhile
 * it confirms what it routes to no queue, and then numbers wrongly what it writes again for a
 * channel whose publishes did not all reach the stream: some are taken for duplicates and dropped,
 * confirmed. So first the stream is looked for by a passive declare, and then a probe is published,
 * the first message of its channel: its confirm comes from the stream's writer.
 */
#include "common/amqp/link_parts.h"

#define LOOK_AGAIN ((msec)100)
#define ANSWER_LIMIT ((msec)5 * MSEC_SECOND)
/* Past this its absence is no restart any more: it is told, and looked for once a second. */
#define QUIET_LIMIT ((msec)5 * MSEC_SECOND)

static void tell_callers(struct link *l, bool accepting, bool streamless)
{
        pthread_mutex_lock(&l->mutex);
        l->accepting = accepting;
        l->streamless = streamless;
        pthread_mutex_unlock(&l->mutex);
}

static void open_up(struct link *l)
{
        l->engine.feed = FEED_OPEN;
        atomic_store(&l->up, true);
        tell_callers(l, !l->engine.blocked, false);
}

static void look_later(struct link *l)
{
        struct engine *en = &l->engine;
        msec now = clock_mono();
        bool late = now - en->feed_since > QUIET_LIMIT;

        en->feed = FEED_WAITS;
        en->feed_at = now + engine_jittered(late ? MSEC_SECOND : LOOK_AGAIN);
}

void feed_begin(struct link *l)
{
        struct engine *en = &l->engine;

        if (l->stream == NULL) {
                open_up(l);
                return;
        }
        en->feed = FEED_WAITS;
        en->feed_at = en->feed_since = clock_mono();
        tell_callers(l, false, true);
}

void feed_end(struct link *l)
{
        l->engine.feed = FEED_SHUT;
        atomic_store(&l->up, false);
        tell_callers(l, false, false);
}

bool feed_is_open(const struct link *l)
{
        return l->engine.feed == FEED_OPEN;
}

/* A broker that has raised its alarm reads nothing, so neither does it answer. */
static bool is_deaf(const struct link *l)
{
        return l->engine.blocked || budget_is_pausing(l);
}

int feed_keep(struct link *l, msec now)
{
        struct engine *en = &l->engine;

        if (en->feed == FEED_OPEN || en->feed == FEED_SHUT || is_deaf(l) || now < en->feed_at)
                return 0;
        if (en->feed == FEED_REFUSED)
                return engine_fail(l, ERR_UNAVAILABLE,
                                   "stream %s does not get what is published: "
                                   "`warren topology apply` binds it",
                                   l->stream);
        if (en->feed != FEED_WAITS)
                return engine_fail(l, ERR_TIMEOUT, "stream %s does not answer", l->stream);
        declarations_look_for(l, l->stream);
        en->feed = FEED_ASKED;
        en->feed_at = now + ANSWER_LIMIT;
        return 0;
}

int feed_answered(struct link *l, const struct err *why)
{
        struct engine *en = &l->engine;

        if (en->feed != FEED_ASKED)
                return 0;
        if (why == NULL) {
                en->feed = FEED_PROBED;
                en->feed_at = clock_mono() + ANSWER_LIMIT;
                return publisher_probe(l);
        }
        const char *step = why->code == ERR_NOT_FOUND
                                   ? "; if it stays away, `warren topology apply` makes it"
                                   : "";
        look_later(l);
        if (!en->down_reported && en->feed_at - en->feed_since > QUIET_LIMIT) {
                engine_fail(l, why->code, "stream %s: %s%s", l->stream, why->text, step);
                engine_report_down(l);
                err_clear(&en->why);
        }
        return 0;
}

void feed_probed(struct link *l, enum link_result result)
{
        struct engine *en = &l->engine;

        if (en->feed != FEED_PROBED)
                return;
        if (result != LINK_CONFIRMED) {
                /* This channel's numbers are no longer the stream's: feed_keep ends it. */
                en->feed = FEED_REFUSED;
                en->feed_at = clock_mono();
                return;
        }
        open_up(l);
        subscriptions_count_down(l);
}

void feed_wait_anew(struct link *l)
{
        struct engine *en = &l->engine;

        if (en->feed == FEED_ASKED || en->feed == FEED_PROBED)
                en->feed_at = clock_mono() + ANSWER_LIMIT;
}

msec feed_deadline(const struct link *l)
{
        const struct engine *en = &l->engine;

        return en->feed == FEED_OPEN || en->feed == FEED_SHUT || is_deaf(l) ? 0 : en->feed_at;
}
