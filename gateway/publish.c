/* SPDX-License-Identifier: Apache-2.0
 *
 * publish.c: publishes a submission, and says what its outcome means.
 */
#include "gateway/publish.h"

int publish_submission(struct link *l, const struct job *job, msec now,
                       const struct publish_wait *wait, struct err *e)
{
        struct job_message m;

        job_encode(job, STATION_SUBMISSION, now, &m);
        return link_publish(l, &m.message, wait, e);
}

bool publish_is_unknown(struct doubts *d, unsigned losses, const struct job *job,
                        enum link_result result, struct err *e)
{
        switch (result) {
        case LINK_CONFIRMED:
                return false;
        case LINK_RETURNED:
                err_set(e, ERR_UNAVAILABLE, "the broker has no queue for this job");
                return false;
        case LINK_NACKED:
                doubts_add(d, job, DOUBT_NACK, losses);
                err_set(e, ERR_UNAVAILABLE, "the broker did not take the job");
                return true;
        case LINK_EXPIRED:
                doubts_add(d, job, DOUBT_LATE, losses);
                err_set(e, ERR_TIMEOUT, "the broker did not confirm in time");
                return true;
        case LINK_CLOSED:
                doubts_add(d, job, DOUBT_LOST, losses);
                err_set(e, ERR_UNAVAILABLE, "the connection to the broker was lost");
                return true;
        }
        return true;
}
