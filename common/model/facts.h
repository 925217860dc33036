/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.h: a job's members as its messages give them. One id can be published again with another
 * content; a row keeps the first few contents, so that it can show the one that runs.
 */
#pragma once

#include "common/model/event.h"
#include "common/model/fold_key.h"

enum { FACTS_MAX = 4 }; /* contents kept of one id */

/* What the messages with one content say. It has two registers (fold.h): `key` guards the values
 * below it, `wait` guards run_at. */
struct job_facts {
        uint64_t content; /* event_content() */
        int64_t first;    /* lowest offset of such a message */

        struct fold_key key; /* see stage_key in facts.c; run 0: none was seen */
        char type[JOB_TYPE_SIZE];
        enum priority priority;
        enum lane lane;
        int64_t max_retries;
        msec timeout;
        msec expires_at; /* 0: never */
        char traceparent[JOB_TRACEPARENT_SIZE];
        char idempotency_key[JOB_KEY_SIZE], key_hash[JOB_KEY_SIZE];
        struct buffer payload; /* JSON; any bytes when malformed */

        struct fold_key wait; /* of the greatest message that waited, or waits, until run_at */
        msec run_at;

        struct job_facts *next;
};

/* A list holds the contents of one run, the one to be shown first. The row owns it. */
void facts_clear(struct job_facts **all);
/* True when the list changed. The event must have a job, of the list's run. */
bool facts_fold(struct job_facts **all, const struct event *e, const struct fold_key *key,
                int64_t offset);
/* Moves one to the front: the content `ran` if it is in the list, else the one with the lowest
 * offset. True when the front changed. */
bool facts_choose(struct job_facts **all, uint64_t ran);
struct job_facts *facts_find(struct job_facts *all, uint64_t content);
