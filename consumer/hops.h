/* SPDX-License-Identifier: Apache-2.0
 *
 * hops.h: for how long a job is sent away that cannot run here now, for other reasons than its
 * type's limit. Each hop is two messages in the stream, so of each type only so many come back in a
 * second: the more were sent away, the longer they are. Loop thread only.
 */
#ifndef WARREN_CONSUMER_HOPS_H
#define WARREN_CONSUMER_HOPS_H

#include "common/base/clock.h"
#include "common/model/job.h"

enum hop_why {
        HOP_PAUSED,    /* its type is paused */
        HOP_ELSEWHERE, /* another consumer has a handler for it */
        HOP_UNKNOWN,   /* whether one has is not known */
        HOP_UNHANDLED, /* none has */
};
enum { HOP_WHY_COUNT = HOP_UNHANDLED + 1, HOPS_TYPES_MAX = 1024 };
#define HOPS_LONGEST MSEC_HOUR

struct hops;

struct hops *hops_create(void);
void hops_destroy(struct hops **h);
const char *hop_why_word(enum hop_why why);
/* The time of a delay bucket. wanted: brought into the bounds of `why`. */
msec hops_wait(struct hops *h, const char *type, enum hop_why why, msec wanted, msec mono_now);
/* How long its last hop was; 0: it does not come from one. */
msec hops_last(const struct job *job);

#endif
