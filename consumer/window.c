/* SPDX-License-Identifier: Apache-2.0
 *
 * window.c: the moving average of a queue's attempts and the prefetch that follows from it.
 */
#include "consumer/window.h"

#define AVERAGE_SHARE (1.0 / 16) /* of the newest attempt */

static uint16_t clamp(double size)
{
        if (size < 1)
                return 1;
        return size > WINDOW_MAX ? WINDOW_MAX : (uint16_t)size;
}

void window_init(struct window *w, unsigned concurrency, msec now)
{
        *w = (struct window){.size = clamp(2.0 * concurrency), .changed_at = now};
}

void window_note(struct window *w, int64_t us)
{
        double sample = us < 1 ? 1 : (double)us;

        w->mean_us = w->samples == 0 ? sample : w->mean_us + (sample - w->mean_us) * AVERAGE_SHARE;
        w->samples++;
}

uint16_t window_wanted(const struct window *w, unsigned concurrency)
{
        if (w->samples == 0)
                return clamp(2.0 * concurrency);
        return clamp(concurrency + (double)concurrency * WINDOW_AHEAD_US / w->mean_us);
}

bool window_adjust(struct window *w, unsigned concurrency, msec now)
{
        uint16_t wanted = window_wanted(w, concurrency);
        bool grow = wanted >= 2 * w->size || (wanted == WINDOW_MAX && w->size < WINDOW_MAX);
        bool shrink = 2 * wanted <= w->size;

        if (w->samples < WINDOW_SAMPLES_MIN || !(grow || shrink))
                return false;
        if (now - w->changed_at < (grow ? WINDOW_GROW_AFTER : WINDOW_SHRINK_AFTER))
                return false;
        w->size = wanted;
        w->changed_at = now;
        return true;
}

unsigned window_hold_most(const struct window *w, unsigned concurrency)
{
        double work = w->samples == 0 ? 0 : (double)concurrency * WINDOW_HOLD_US / w->mean_us;
        double most = concurrency + work;

        return most > WINDOW_SPARE_MAX ? WINDOW_SPARE_MAX : (unsigned)most;
}

unsigned window_due_spare(const struct window *w, unsigned concurrency, unsigned due)
{
        unsigned most = window_hold_most(w, concurrency);

        return due < most ? due : most;
}

bool window_spare(struct window *w, unsigned limited, msec now)
{
        uint16_t wanted = limited == 0 ? 0 : WINDOW_SPARE_MIN;

        while (wanted < limited && wanted < WINDOW_SPARE_MAX)
                wanted = (uint16_t)(2 * wanted);
        if (wanted == w->spare || (wanted < w->spare && now - w->spared_at < WINDOW_SHRINK_AFTER))
                return false;
        w->spare = wanted;
        w->spared_at = now;
        return true;
}

uint16_t window_prefetch(const struct window *w)
{
        return (uint16_t)(w->size + w->spare);
}

void window_collapse(struct window *w, unsigned concurrency, int64_t us, msec now)
{
        *w = (struct window){
                .size = clamp(concurrency), .samples = 1, .mean_us = (double)us, .changed_at = now};
}
