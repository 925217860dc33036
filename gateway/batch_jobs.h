/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_jobs.h: the jobs of one batch, each judged, claimed if it has an idempotency key, published
 * and waited for. Jobs that come close together are claimed in one call. The thread of the batch's
 * handler.
 */
#pragma once

#include "common/base/json_split.h"
#include "gateway/batch_results.h"
#include "gateway/core.h"

struct batch_jobs;

/* The pointers are borrowed until batch_jobs_destroy. */
struct batch_jobs_config {
        struct gateway *g;
        const char *own;         /* the tenant of the API key; "": any */
        const char *key;         /* of the header Idempotency-Key: job i has <key>/<i>; "": none */
        const char *traceparent; /* of the request */
        bool lines;              /* the body has a job in each line, so it is no array */
        bool dry_run;            /* nothing is taken, claimed or published */
};

struct batch_jobs *batch_jobs_create(const struct batch_jobs_config *c);
/* After batch_jobs_finish. */
void batch_jobs_destroy(struct batch_jobs **b);

/* The next job; the element is copied. May wait for room in the window, or for jobs to end. */
void batch_jobs_add(struct batch_jobs *b, const struct split_element *element);
/* The next job is larger than `max` bytes: it is refused. */
void batch_jobs_add_large(struct batch_jobs *b, const struct split_element *element, size_t max);
/* Publishes what was added; else that happens when there are more. */
void batch_jobs_flush(struct batch_jobs *b);
/* After it every job has its result. */
void batch_jobs_finish(struct batch_jobs *b);
/* Lent until the end. */
struct batch_results *batch_jobs_results(struct batch_jobs *b);
/* Each job replays the answer to an earlier request. */
bool batch_jobs_all_replay(const struct batch_jobs *b);
