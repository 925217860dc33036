/* SPDX-License-Identifier: Apache-2.0
 *
 * job_headers.h: the headers of a job message (docs/amqp.md), read and written from one table.
 */
#ifndef WARREN_MODEL_JOB_HEADERS_H
#define WARREN_MODEL_JOB_HEADERS_H

#include "common/base/err.h"
#include "common/model/job.h"

/* Fills the members of job that stand in headers. Of a message from outside (job->from_outside)
 * only the public ones count, the others get their defaults. Numbers are brought into their range;
 * what has another type is as if it were absent. Texts are copied, job->error and job->original are
 * borrowed from m. Not read here, as they depend on more than one member: x-delay, x-priority. */
void job_headers_read(const struct message *m, struct job *job);
/* -1: a public header has another type than the contract's; e says which. */
int job_headers_check(const struct message *m, struct err *e) MUST_CHECK;
/* Adds the headers of that station, but for members at their default. Left to the caller, who
 * knows their values: x-priority, x-queued-at, x-due-at, x-hop. */
void job_headers_write(const struct job *job, enum job_station station, struct message *m);

/* The name, when it is one of those that are ever looked at: the contract's, and the broker's own.
 * Else NULL. */
const char *job_header_known(struct bytes name);

#endif
