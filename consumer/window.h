/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h: how many deliveries of one queue a consumer may hold: enough to keep every worker busy,
 * plus about 100 ms of work. With more, jobs would wait here while another consumer is idle. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

enum {
        WINDOW_MAX = 256,
        WINDOW_AHEAD_US = 100000,   /* work to hold beyond what runs */
        WINDOW_SAMPLES_MIN = 16,    /* attempts seen before a change */
        WINDOW_GROW_AFTER = 200,    /* ms since the last change */
        WINDOW_SHRINK_AFTER = 5000, /* ms since the last change */
        WINDOW_SPARE_MIN = 8,
        WINDOW_SPARE_MAX = 2048,
        WINDOW_HOLD_US = 500000, /* work that may be held until it is due */
};

struct window {
        uint16_t size;  /* in force */
        uint16_t spare; /* in force, in addition: for jobs that wait for their type's concurrency,
                           or until they are due */
        msec spared_at; /* when spare was changed */
        unsigned samples;
        double mean_us; /* of an attempt, moving average */
        msec changed_at;
};

void window_init(struct window *w, unsigned concurrency, msec now);
void window_note(struct window *w, int64_t us);
/* concurrency + concurrency × 100 ms ÷ mean duration; 1 to WINDOW_MAX. */
uint16_t window_wanted(const struct window *w, unsigned concurrency);
/* True when the size was changed. Changes are rare, as each costs a cancel and a consume: only to
 * at most half, at least double, or WINDOW_MAX, and only some time after the last. */
bool window_adjust(struct window *w, unsigned concurrency, msec now);

/* How many jobs may be held for longer than DELAY_HOLD_MAX until they are due: concurrency +
 * concurrency × 500 ms ÷ mean duration, at most WINDOW_SPARE_MAX. What is held here, no other
 * consumer can run when it is due. */
unsigned window_hold_most(const struct window *w, unsigned concurrency);
/* How many of those held until they are due take no place in the window: as many at most. */
unsigned window_due_spare(const struct window *w, unsigned concurrency, unsigned due);

/* True when the spare was changed, to fit `limited` waiting jobs. */
bool window_spare(struct window *w, unsigned limited, msec now);
/* The prefetch of the subscription. */
uint16_t window_prefetch(const struct window *w);

/* No run has ended for `us`: shrinks the window to one delivery for each worker. */
void window_collapse(struct window *w, unsigned concurrency, int64_t us, msec now);
