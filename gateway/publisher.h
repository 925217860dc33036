/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.h: a submission's publish, and what its end means. Blocks for the broker's confirm: not
 * on the loop's thread.
 */
#ifndef WARREN_GATEWAY_PUBLISHER_H
#define WARREN_GATEWAY_PUBLISHER_H

#include "gateway/doubts.h"

enum publish_end {
        PUBLISH_KEPT,    /* the job's queue and the event stream have it */
        PUBLISH_NOT,     /* nothing was sent; e says why */
        PUBLISH_UNKNOWN, /* it may run, or may not; e says why */
};

enum publish_end publisher_submit(struct link *l, struct doubts *d, const struct job *job, msec now,
                                  struct err *e);

#endif
