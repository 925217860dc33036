/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.c: publishing a submission, and taking back what the broker refused.
 */
#include "gateway/publisher.h"

#include <stdio.h>

#include "common/amqp/wait.h"
#include "common/base/log.h"
#include "common/model/event.h"

/* The stream may hold a submission whose queue refused it: it would show as pending for ever. What
 * is started all the same outranks this. */
static void publish_rejected(struct link *l, const struct job *job)
{
        AUTO_BUFFER line = {0};
        struct err e = {0};
        struct event event = {.kind = EVENT_REJECTED,
                              .run = job->run,
                              .attempt = 1,
                              .at = clock_wall(),
                              .why = bytes_of_text("broker nack")};

        snprintf(event.id, sizeof(event.id), "%s", job->id);
        snprintf(event.tenant, sizeof(event.tenant), "%s", job->tenant);
        event_write(&event, &line);
        struct message m = {.exchange = bytes_of_text("events"),
                            .routing_key = bytes_of_text(""),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .timestamp = -1,
                            .delivery_mode = 2,
                            .body = buffer_bytes(&line)};
        if (link_publish(l, &m, NULL, &e) < 0)
                LOG_WARN("a nacked submission stays visible", log_text("job", job->id),
                         log_err(&e));
}

enum publish_end publisher_submit(struct link *l, const struct job *job, msec now, struct err *e)
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
                publish_rejected(l, job);
                err_set(e, ERR_UNAVAILABLE, "the broker did not take the job");
                return PUBLISH_UNKNOWN;
        case LINK_EXPIRED:
                err_set(e, ERR_TIMEOUT, "the broker did not confirm in time");
                return PUBLISH_UNKNOWN;
        case LINK_CLOSED:
                err_set(e, ERR_UNAVAILABLE, "the connection to the broker was lost");
                return PUBLISH_UNKNOWN;
        }
        return PUBLISH_UNKNOWN;
}
