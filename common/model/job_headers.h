/* SPDX-License-Identifier: Apache-2.0
 *
 * job_headers.h: the headers of a job message (docs/amqp.md), read and written from one table.
 */
#pragma once

#include "common/base/err.h"
#include "common/model/job.h"

static inline int64_t clamp(int64_t value, int64_t low, int64_t high)
{
        if (value < low)
                return low;
        return value > high ? high : value;
}

/* Fills the members of job that headers hold. Of a message from outside (job->from_outside) only
 * public headers are read; other members get their defaults. Numbers are clamped to their range; a
 * header of a wrong type counts as absent. Texts are copied; job->error and job->original borrow
 * from m. x-delay and x-priority are left to the caller: they depend on several members. */
void job_headers_read(const struct message *m, struct job *job);
/* -1: a public header has a wrong type; e names it. */
int job_headers_check(const struct message *m, struct err *e) MUST_CHECK;
/* Adds the station's headers, but for members at their default. The caller adds x-priority,
 * x-queued-at, x-due-at and x-hop. */
void job_headers_write(const struct job *job, enum job_station station, struct message *m);

/* The name, if Warren reads such a header (the contract's, and some of the broker's); else NULL. */
const char *job_header_known(struct bytes name);
