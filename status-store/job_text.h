/* SPDX-License-Identifier: Apache-2.0
 *
 * job_text.h: whether a text occurs in a job's payload or error.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/schema.h"

/* 1, 0; -1: failed. *searched grows by the bytes looked at. */
int job_text_holds(struct reader *r, const struct stored_job *job, const char *text,
                   size_t *searched, struct err *e) MUST_CHECK;
