/* SPDX-License-Identifier: Apache-2.0
 *
 * live_event.h: an event of a job as the live feed tells it (docs/http.md). Pure.
 */
#pragma once

#include "common/model/event.h"
#include "common/model/status.h"

enum live_kind {
        LIVE_SUBMITTED,
        LIVE_STARTED,
        LIVE_COMPLETED,
        LIVE_FAILED, /* an attempt failed, and a retry follows */
        LIVE_RETRY,  /* another attempt can start, or waits for its time */
        LIVE_DLQ,
        LIVE_PROGRESS,
        LIVE_CANCELLED,
        LIVE_FORGOTTEN, /* the job is not shown any more */
};
enum { LIVE_KIND_COUNT = LIVE_FORGOTTEN + 1 };

const char *live_kind_name(enum live_kind k); /* "job_submitted" */
bool live_kind_parse(struct bytes name, enum live_kind *out);

/* What filters ask of an event. */
struct live_tags {
        enum live_kind kind;
        bool shown; /* false: a row whose greatest event this is has no status */
        enum status status;
        bool quotes; /* its error quotes a payload, which not everybody may see */
        char id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        char type[JOB_TYPE_SIZE]; /* "": the event does not say it */
};

/* False: the event is no transition. Such are: a request to cancel; a submission in doubt, which is
 * not shown; a move, whose copy is a message of its own; and all that is not about a job. */
bool live_tags_of(const struct event *e, struct live_tags *out);
/* Appends the event as an element of an array. now: its time, if no service gave it one. masked:
 * for readers who may not see payloads whole. */
void live_event_write(const struct event *e, const struct live_tags *tags, msec now, bool masked,
                      struct buffer *out);
