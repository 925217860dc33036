/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.h: one line on standard error that says how far something is: drawn over again on a
 * terminal, else a new line from time to time.
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"

struct progress {
        bool shown;    /* false: nothing is ever written, as with --json */
        bool terminal; /* standard error is one */
        bool drawn;    /* the line is the terminal's last */
        unsigned width;
        msec began, last; /* when it was last shown; on the monotonic clock */
};

void progress_begin(struct progress *p, bool shown);
/* Whether to show it now: at most 5 times a second on a terminal, else each 10 s; at_once: now.
 * Then it counts as shown. */
bool progress_is_due(struct progress *p, bool at_once);
/* The columns that the line may take; 0: any. */
unsigned progress_room(const struct progress *p);
/* The line may not wrap: it is cut to the terminal, which "..." shows. */
void progress_show(struct progress *p, struct buffer *line);
/* Clears the line; call it before anything else is written to the terminal. */
void progress_clear(struct progress *p);

/* Adds "[====      ] " when the text after it, of that length, leaves enough of width. Pure. */
void progress_add_bar(unsigned percent, size_t text, unsigned width, struct buffer *out);
