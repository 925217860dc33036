/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_results.h: what became of the jobs of a batch, in their order, and the answer that says it.
 * One thread.
 */
#pragma once

#include "gateway/refusal.h"

enum { BATCH_JOBS_MAX = 1000 };

struct batch_results;

struct batch_results *batch_results_create(void);
void batch_results_destroy(struct batch_results **r);

/* Each job has one result. Its index counts from 0, below BATCH_JOBS_MAX. */

/* The caller adds the job's entry, an object, to the buffer. */
struct buffer *batch_results_accept(struct batch_results *r, size_t index);
/* REFUSED_UNKNOWN counts as unknown. */
void batch_results_refuse(struct batch_results *r, size_t index, const struct refusal *why);
/* Why not all of the body was read: an entry behind those of the jobs. */
void batch_results_cut(struct batch_results *r, const struct refusal *why);

/* Adds the answer; the caller may add members, and ends it. Every index below the highest has its
 * result by now. */
void batch_results_write(const struct batch_results *r, struct buffer *out);
