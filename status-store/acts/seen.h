/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.h: which consumers have read stream `marks`, and how far.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/base/clock.h"

struct seen;

enum { SEEN_WORKERS_MAX = 10000, SEEN_BEHIND_MAX = 20 };

struct seen *seen_create(void);
void seen_destroy(struct seen **s);
/* The worker has read up to this mark. Of too many workers the one that told least recently is
 * dropped, and counts as behind. Any thread. */
void seen_note(struct seen *s, struct bytes worker, int64_t mark);
/* Waits until each of the workers has read up to the mark, or the clock_mono() deadline. Returns
 * how many have not; `behind` gets the first of these, in order. Any thread. */
size_t seen_await(struct seen *s, const char *const *workers, size_t count, int64_t mark,
                  msec deadline, const char *behind[SEEN_BEHIND_MAX]);
/* Ends all waits. */
void seen_close(struct seen *s);
