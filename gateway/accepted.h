/* SPDX-License-Identifier: Apache-2.0
 *
 * accepted.h: what the answer to an accepted submission says of its job. Pure.
 */
#pragma once

#include "common/model/job.h"

/* Begins an object with the members of a 202; the caller may add more, and ends it. published: wall
 * clock. */
void accepted_write(const struct job *job, msec published, struct buffer *out);
/* Adds the whole answer to a dry run, which is judged at `now`, wall clock: no job has an id. */
void accepted_write_dry(const struct job *job, msec now, struct buffer *out);
