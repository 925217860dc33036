/* SPDX-License-Identifier: Apache-2.0
 *
 * publish.h: publishes a submission, and says what its outcome means.
 */
#ifndef WARREN_GATEWAY_PUBLISH_H
#define WARREN_GATEWAY_PUBLISH_H

#include "gateway/doubts.h"

/* Encodes the job; otherwise as link_publish. */
int publish_submission(struct link *l, const struct job *job, msec now,
                       const struct publish_wait *wait, struct err *e) MUST_CHECK;
/* Fills e unless the result is LINK_CONFIRMED. True: the broker may hold the job all the same; d
 * has noted it. `losses`: doubts_losses() before the publish. */
bool publish_is_unknown(struct doubts *d, unsigned losses, const struct job *job,
                        enum link_result result, struct err *e);

#endif
