/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_progress.h: the progress of a batch on standard error: a bar on a terminal, else a line in
 * 10 s.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "ui/cli/progress.h"

struct batch_counts {
        uint64_t accepted, refused; /* with those of earlier runs */
        uint64_t earlier;           /* accepted by earlier runs */
        uint64_t replayed;          /* accepted, of which were accepted before under their key */
        uint64_t answered;          /* in this run */
        uint64_t begun, read, size; /* bytes: before this run, now, in all; size 0: unknown */
};

struct batch_progress {
        struct progress line;
        bool waiting; /* a wait was shown last */
};

void batch_progress_begin(struct batch_progress *p, bool shown);
/* At most 5 times a second. wait: why it waits, or NULL. Not on a terminal: the first wait is shown
 * at once. */
void batch_progress_show(struct batch_progress *p, const struct batch_counts *counts,
                         const char *wait);
/* Clears the bar; call it before anything else is written to the terminal. */
void batch_progress_clear(struct batch_progress *p);

/* Adds "42 %  4210 accepted, 2 refused  1m20s left  1234 jobs/s", and for a width before it a bar
 * that fills the width. Pure. */
void batch_progress_render(const struct batch_counts *counts, msec elapsed, const char *wait,
                           unsigned width, struct buffer *out);
