/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.h: what job messages say of a job. One id can be published again with another content; a
 * row knows the first few, so that it can show the one that runs, whichever that is.
 */
#ifndef WARREN_MODEL_FACTS_H
#define WARREN_MODEL_FACTS_H

#include "common/model/event.h"
#include "common/model/fold_key.h"

/* Different contents under one id that are kept; of further ones nothing is. */
enum { FACTS_MAX = 4 };

/* Of the messages with one content. Two registers: key and values, wait and run_at. */
struct job_facts {
        uint64_t content; /* event_content() */
        int64_t first;    /* the least offset of such a message */

        struct fold_key key; /* of a message's stage and place; run 0: none was seen */
        char type[JOB_TYPE_SIZE];
        enum priority priority;
        enum lane lane;
        int64_t max_retries;
        msec timeout;
        char traceparent[JOB_TRACEPARENT_SIZE];
        char idempotency_key[JOB_KEY_SIZE], key_hash[JOB_KEY_SIZE];
        struct buffer payload; /* JSON, but any bytes when malformed. Owned */

        struct fold_key wait; /* the greatest message that was to wait until run_at */
        msec run_at;

        struct job_facts *next;
};

/* The list holds those of one run, with the one to be shown in front. It is owned by the row. */
void facts_clear(struct job_facts **all);
/* True when it changed. The event has a job of the list's run. */
bool facts_fold(struct job_facts **all, const struct event *e, const struct fold_key *key,
                int64_t offset);
/* Brings to the front: the content that ran, when it is known, else the first told. True when
 * another is there now. */
bool facts_choose(struct job_facts **all, uint64_t ran);
struct job_facts *facts_find(struct job_facts *all, uint64_t content);

#endif
