/* SPDX-License-Identifier: Apache-2.0
 *
 * broker_state.c: what the links told, and what became of the last probe.
 */
#include "gateway/broker_state.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"

#define PROBE_EVERY ((msec)MSEC_SECOND)
#define PROBE_WAIT ((msec)300)
/* A probe without a confirm for so long: the broker takes no messages, whatever it says. */
#define PROBE_LATE ((msec)5 * MSEC_SECOND)

struct broker_state {
        pthread_mutex_t mutex;
        pthread_cond_t news;
        /* guarded by mutex */
        struct {
                msec down_at, blocked_at; /* wall clock; 0: it is up, not blocked */
        } links[BROKER_LINKS];
        bool probing;           /* the end of a probe is to come */
        msec probed_at, probed; /* the last one: wall clock, clock_mono; 0: none */
};

struct broker_state *broker_state_create(void)
{
        struct broker_state *s = xcalloc(1, sizeof(*s));

        pthread_mutex_init(&s->mutex, NULL);
        condition_init(&s->news);
        for (int i = 0; i < BROKER_LINKS; i++)
                s->links[i].down_at = clock_wall();
        return s;
}

void broker_state_destroy(struct broker_state **state)
{
        struct broker_state *s = TAKE(*state);

        if (s == NULL)
                return;
        pthread_cond_destroy(&s->news);
        pthread_mutex_destroy(&s->mutex);
        free(s);
}

/* 0: it is up. */
static void set_link(struct broker_state *s, enum broker_link link, msec down_at, msec blocked_at)
{
        pthread_mutex_lock(&s->mutex);
        if (down_at == 0 || s->links[link].down_at == 0)
                s->links[link].down_at = down_at;
        if (blocked_at == 0 || s->links[link].blocked_at == 0)
                s->links[link].blocked_at = blocked_at;
        pthread_cond_broadcast(&s->news);
        pthread_mutex_unlock(&s->mutex);
}

void broker_state_up(struct broker_state *s, enum broker_link link)
{
        set_link(s, link, 0, 0);
}

void broker_state_down(struct broker_state *s, enum broker_link link)
{
        set_link(s, link, clock_wall(), 0);
}

void broker_state_blocked(struct broker_state *s, enum broker_link link, bool blocked)
{
        set_link(s, link, 0, blocked ? clock_wall() : 0);
}

const char *broker_verdict_name(enum broker_verdict v)
{
        switch (v) {
        case BROKER_UP:
                return "up";
        case BROKER_BLOCKED:
                return "blocked";
        case BROKER_DOWN:
                return "down";
        }
        return NULL;
}

static void on_probed(void *owner, enum link_result result)
{
        struct broker_state *s = owner;

        (void)result;
        pthread_mutex_lock(&s->mutex);
        s->probing = false;
        pthread_cond_broadcast(&s->news);
        pthread_mutex_unlock(&s->mutex);
}

/* The earliest trouble of a link; being down outranks being blocked. */
static struct broker_seen seen_locked(const struct broker_state *s)
{
        struct broker_seen seen = {.verdict = BROKER_UP};

        for (int i = 0; i < BROKER_LINKS; i++) {
                msec down_at = s->links[i].down_at;
                msec blocked_at = s->links[i].blocked_at;
                bool is_down = down_at != 0;
                enum broker_verdict verdict = is_down           ? BROKER_DOWN
                                              : blocked_at != 0 ? BROKER_BLOCKED
                                                                : BROKER_UP;
                msec since = is_down ? down_at : blocked_at;
                if (verdict > seen.verdict ||
                    (verdict == seen.verdict && since != 0 && since < seen.since))
                        seen = (struct broker_seen){.verdict = verdict, .since = since};
        }
        if (seen.verdict == BROKER_UP && s->probing && clock_mono() - s->probed >= PROBE_LATE)
                seen = (struct broker_seen){.verdict = BROKER_BLOCKED, .since = s->probed_at};
        return seen;
}

/* Nobody reads a probe: it has no id. */
static void probe_locked(struct broker_state *s, struct link *packs)
{
        const struct publish_wait wait = {.done = on_probed, .owner = s};
        struct message m = {.exchange = bytes_of_text("events"),
                            .routing_key = bytes_of_text(""),
                            .type = bytes_of_text("probe"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .delivery_mode = 2};
        struct err e = {0};

        s->probed = clock_mono();
        s->probed_at = clock_wall();
        s->probing = link_publish(packs, &m, &wait, &e) == 0;
}

struct broker_seen broker_state_look(struct broker_state *s, struct link *packs)
{
        msec now = clock_mono();

        pthread_mutex_lock(&s->mutex);
        struct broker_seen seen = seen_locked(s);
        if (seen.verdict == BROKER_UP && !s->probing &&
            (s->probed == 0 || now - s->probed >= PROBE_EVERY))
                probe_locked(s, packs);
        while (seen.verdict == BROKER_UP && s->probing) {
                if (!condition_wait(&s->news, &s->mutex, now + PROBE_WAIT))
                        break;
                seen = seen_locked(s);
        }
        pthread_mutex_unlock(&s->mutex);
        return seen;
}
