/* SPDX-License-Identifier: Apache-2.0
 *
 * hops.h: how long the hop is of a job that cannot run here now (for jobs over their type's
 * concurrency: type_limits.h). Each hop costs the broker a publish, and the job's return is a
 * message in the stream, so the rate at which jobs of a type come back is bounded: the more are
 * away, the longer they hop. Loop thread only.
 */
#pragma once

#include "common/base/clock.h"
#include "common/model/job.h"

enum hop_why {
        HOP_PAUSED,    /* its type is paused */
        HOP_ELSEWHERE, /* another consumer has a handler for it */
        HOP_UNKNOWN,   /* it is not known who has a handler */
        HOP_UNHANDLED, /* no consumer has a handler */
};
enum { HOP_WHY_COUNT = HOP_UNHANDLED + 1, HOPS_TYPES_MAX = 1024 };
#define HOPS_LONGEST MSEC_HOUR

struct hops;

/* chance: in [0,1), anew at each call. */
struct hops *hops_create(double (*chance)(void));
void hops_destroy(struct hops **h);
const char *hop_why_word(enum hop_why why);
/* The time of a delay bucket, at most HOPS_LONGEST. Up to half of wanted is taken off at
 * random, and one wait in four is that of the bucket below, within the bounds of `why`: two jobs
 * that come back together, each to the consumer that has no handler for it, would otherwise do so
 * for ever, as a queue serves its consumers in turn. */
msec hops_wait(struct hops *h, const char *type, enum hop_why why, msec wanted, msec mono_now);
/* How long the job's last hop was, in ms; 0: it does not come from one. */
msec hops_last(const struct job *job);
