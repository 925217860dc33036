/* SPDX-License-Identifier: Apache-2.0
 *
 * projection_write.h: writes the jobs that a batch changed. Loop thread only.
 */
#pragma once

#include "status-store/projection/job_entry.h"
#include "status-store/projection/tally.h"

/* Writes the dirty ones of `jobs` in the open transaction, each with its attempts and payloads, and
 * adds the change of their shelves to the tally. */
int projection_write(struct store *store, struct tally *tally, struct job_entry *jobs,
                     struct err *e) MUST_CHECK;
