/* SPDX-License-Identifier: Apache-2.0
 *
 * accepted.h: what the answer to an accepted submission says of its job. Pure.
 */
#pragma once

#include "common/model/job.h"

/* The job waits for its time; else it is pending. published: wall clock. */
bool accepted_is_scheduled(const struct job *job, msec published);
/* Begins an object with the members of a 202; the caller may add more, and ends it. scheduled: the
 * status that the first answer had. */
void accepted_write(const struct job *job, bool scheduled, struct buffer *out);
/* As accepted_write, for a dry run: no job has an id. */
void accepted_write_dry(const struct job *job, bool scheduled, struct buffer *out);
