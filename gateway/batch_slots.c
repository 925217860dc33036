/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_slots.c: slots, made when first needed, and the list of those that have ended.
 */
#include "gateway/batch_slots.h"

#include <stdlib.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"

/* A slot that had a larger text gives its memory back. */
enum { TEXT_KEPT = 16 * 1024 };

struct batch_slots {
        struct gateway *g;
        /* the handler's thread */
        struct batch_slot *slots[BATCH_SLOTS_MAX];
        unsigned count;
        struct batch_slot *spare;
        unsigned dispatched; /* and not yet returned by batch_slots_ended */
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t enough; /* `wanted` have ended */
        struct batch_slot *ended;
        unsigned ended_count;
        unsigned wanted; /* 0: nobody waits */
};

struct batch_slots *batch_slots_create(struct gateway *g)
{
        struct batch_slots *s = xcalloc(1, sizeof(*s));

        s->g = g;
        pthread_mutex_init(&s->mutex, NULL);
        pthread_cond_init(&s->enough, NULL);
        return s;
}

void batch_slots_destroy(struct batch_slots **slots)
{
        struct batch_slots *s = TAKE(*slots);

        if (s == NULL)
                return;
        for (unsigned i = 0; i < s->count; i++) {
                buffer_fini(&s->slots[i]->text);
                free(s->slots[i]->late);
                free(s->slots[i]->held);
                free(s->slots[i]);
        }
        pthread_cond_destroy(&s->enough);
        pthread_mutex_destroy(&s->mutex);
        free(s);
}

static void on_ended(struct dispatch *d)
{
        struct batch_slot *slot = d->owner;
        struct batch_slots *s = slot->slots;

        pthread_mutex_lock(&s->mutex);
        LL_PREPEND(s->ended, slot);
        s->ended_count++;
        if (s->ended_count == s->wanted)
                pthread_cond_signal(&s->enough);
        pthread_mutex_unlock(&s->mutex);
}

static struct batch_slot *spare_slot(struct batch_slots *s)
{
        struct batch_slot *slot = s->spare;

        if (slot != NULL)
                LL_DELETE(s->spare, slot);
        else if (s->count < BATCH_SLOTS_MAX)
                slot = s->slots[s->count++] = xcalloc(1, sizeof(*slot));
        return slot;
}

struct batch_slot *batch_slots_take(struct batch_slots *s, const struct split_element *element)
{
        struct batch_slot *slot = spare_slot(s);

        if (slot == NULL)
                return NULL;
        slot->slots = s;
        slot->dispatch = (struct dispatch){.g = s->g, .ended = on_ended, .owner = slot};
        buffer_set(&slot->text, element->text);
        slot->at = *element;
        slot->at.text = buffer_bytes(&slot->text);
        return slot;
}

void batch_slots_free(struct batch_slots *s, struct batch_slot *slot)
{
        if (slot->text.size > TEXT_KEPT)
                buffer_fini(&slot->text);
        free(TAKE(slot->late));
        free(TAKE(slot->held));
        LL_PREPEND(s->spare, slot);
}

bool batch_slots_dispatch(struct batch_slots *s, struct batch_slot *slot, struct refusal *why)
{
        if (!dispatch_begin(&slot->dispatch, why))
                return false;
        s->dispatched++;
        return true;
}

struct batch_slot *batch_slots_ended(struct batch_slots *s, unsigned want)
{
        if (want > s->dispatched)
                want = s->dispatched;
        pthread_mutex_lock(&s->mutex);
        s->wanted = want;
        while (s->ended_count < want)
                pthread_cond_wait(&s->enough, &s->mutex);
        struct batch_slot *ended = TAKE(s->ended);
        s->dispatched -= s->ended_count;
        s->ended_count = s->wanted = 0;
        pthread_mutex_unlock(&s->mutex);
        return ended;
}
