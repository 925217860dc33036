/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.c: publishing a submission, and judging how that ended.
 */
#include "gateway/publisher.h"

#include "common/amqp/wait.h"

enum publish_end publisher_submit(struct link *l, struct doubts *d, const struct job *job, msec now,
                                  struct err *e)
{
        struct job_message m;
        enum link_result result = LINK_CLOSED;

        job_encode_submission(job, now, &m);
        if (publish_and_wait(l, &m.message, &result, e) < 0)
                return PUBLISH_NOT;

        switch (result) {
        case LINK_CONFIRMED:
                return PUBLISH_KEPT;
        case LINK_RETURNED:
                err_set(e, ERR_UNAVAILABLE, "the broker has no queue for this job");
                return PUBLISH_NOT;
        case LINK_NACKED:
                doubts_add(d, l, job, DOUBT_NACK);
                err_set(e, ERR_UNAVAILABLE, "the broker did not take the job");
                return PUBLISH_UNKNOWN;
        case LINK_EXPIRED:
                doubts_add(d, l, job, DOUBT_LATE);
                err_set(e, ERR_TIMEOUT, "the broker did not confirm in time");
                return PUBLISH_UNKNOWN;
        case LINK_CLOSED:
                doubts_add(d, l, job, DOUBT_LOST);
                err_set(e, ERR_UNAVAILABLE, "the connection to the broker was lost");
                return PUBLISH_UNKNOWN;
        }
        return PUBLISH_UNKNOWN;
}
