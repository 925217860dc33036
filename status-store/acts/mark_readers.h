/* SPDX-License-Identifier: Apache-2.0
 *
 * mark_readers.h: the consumers that live and follow stream `marks`, by their records.
 */
#pragma once

#include "common/db/readers.h"
#include "common/model/event.h"

/* Starts as {0}. */
struct mark_readers {
        char (*names)[WORKER_NAME_SIZE];
        const char **workers; /* the names */
        size_t count;
};

/* Those alive at as_of, in the order of their names. */
int mark_readers_list(struct readers *readers, msec as_of, struct mark_readers *out,
                      struct err *e) MUST_CHECK;
void mark_readers_fini(struct mark_readers *m);
#define AUTO_MARK_READERS __attribute__((cleanup(mark_readers_fini))) struct mark_readers
