/* SPDX-License-Identifier: Apache-2.0
 *
 * operator.h: what the primary publishes to act on jobs: copies, event lines, marks. The login of
 * its links may write what no other may.
 *
 * Has a loop thread of its own. Any other thread may call; the calls block until the broker has
 * confirmed all, 5 s at most.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/model/job.h"

struct operator;
struct registry;

enum { OPERATOR_JOBS_MAX = 200 }; /* of one call */

/* link: with the operator's login; several links are made from it. Borrows the registry. */
struct operator* operator_create(const struct link_config *link, struct registry *r,
                                 struct err *e) MUST_CHECK;
/* Ends what waits: publishes fail from then on. Call it before what uses the operator is joined. */
void operator_stop(struct operator* o);
void operator_destroy(struct operator** o);
/* ERR_UNAVAILABLE while the broker cannot be reached. Call it before an act is committed. */
int operator_check(const struct operator* o, struct err *e) MUST_CHECK;

/* All at once; 0: each was confirmed by its queue and by stream `events`. */
int operator_publish_jobs(struct operator* o, const struct job_message *jobs, size_t count,
                          struct err *e) MUST_CHECK;
/* Lines of one message to stream `events`. */
int operator_publish_lines(struct operator* o, struct bytes lines, struct err *e) MUST_CHECK;
/* Lines of one message to stream `marks` (mark.h). *number: its x-mark: who has read that message
 * has read all marks before it. */
int operator_publish_marks(struct operator* o, struct bytes lines, int64_t *number,
                           struct err *e) MUST_CHECK;

/* A copy number (mark.h) of now, above `highest`. */
int64_t operator_copy_number(int64_t highest);

/* For parts with links of their own on the same loop: runs `run` on its thread, and waits. */
void operator_run(struct operator* o, void (*run)(void *owner), void *owner);
uv_loop_t *operator_loop(const struct operator* o);
