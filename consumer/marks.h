/* SPDX-License-Identifier: Apache-2.0
 *
 * marks.h: the marks that are in force (common/model/mark.h): of each job the greatest, and the
 * bulk marks. It holds at most so many bytes: beyond that the oldest are dropped, and messages that
 * those may have been about are to be asked about. It knows no network. Loop thread only.
 */
#pragma once

#include <stddef.h>

#include "common/model/mark.h"

struct marks;

enum {
        MARKS_BULK_MAX = 1024,
        MARKS_CLOCKS = 60000, /* ms by which the clocks of two machines may differ */
};

/* keep: how long the stream keeps a mark; what is older is dropped here too. A message that is
 * older than half of it is asked about, so no mark is missed. */
struct marks *marks_create(size_t max_bytes, msec keep);
void marks_destroy(struct marks **m);

/* now: wall clock. False: it changes nothing: it is too old, or there is a greater one. */
bool marks_note(struct marks *m, const struct mark *mark, msec now);
void marks_drop_old(struct marks *m, msec now);
/* Of a message that has not started its attempt. */
enum mark_verdict marks_judge(const struct marks *m, const struct job *job);

size_t marks_count(const struct marks *m);
size_t marks_bytes(const struct marks *m);
