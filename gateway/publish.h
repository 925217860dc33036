/* SPDX-License-Identifier: Apache-2.0
 *
 * publish.h: a submission's publish, and what its end means.
 */
#ifndef WARREN_GATEWAY_PUBLISH_H
#define WARREN_GATEWAY_PUBLISH_H

#include "gateway/doubts.h"

/* As link_publish. */
int publish_submission(struct link *l, const struct job *job, msec now,
                       const struct publish_wait *wait, struct err *e) MUST_CHECK;
/* Why it was not confirmed. True: it may be kept all the same, and d knows of it. `losses`: as
 * noted before it was published. */
bool publish_is_unknown(struct doubts *d, unsigned losses, const struct job *job,
                        enum link_result result, struct err *e);

#endif
