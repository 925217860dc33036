/* SPDX-License-Identifier: Apache-2.0
 *
 * history.h: the events of one job as they were told, packed in a column of its row. Pure.
 *
 *      version (1 byte), then entries in the order of (at, digest):
 *
 *      kind, flags   1 byte each
 *      at            varint; the difference to the entry before
 *      run, attempt, copy   varints
 *      digest        4 bytes
 *      then by flags: worker, by (length and bytes, at most 127), reason, error kind, run_at
 *
 * It is a set by digest: any order and any repetition of the events gives the same bytes. Of more
 * than HISTORY_MAX entries the first and the last ones are kept.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/model/event.h"

enum { HISTORY_MAX = 64, HISTORY_FIRST = 16 }; /* entries; of these at the beginning */

/* Adds the event, which happened at `at`. True when the bytes changed. `forgotten` empties it up to
 * its run. */
bool history_add(struct buffer *history, const struct event *e, msec at);

/* One entry; texts are borrowed. Members that the event did not have are 0 or empty. */
struct history_entry {
        enum event_kind kind;
        msec at, run_at;
        int64_t run, attempt, copy;
        struct bytes worker, by;
        enum reason reason;
        enum error_kind error_kind;
};
typedef void history_fn(void *owner, const struct history_entry *entry);
/* False: entries were left out. Bytes of an unknown version have no entries. */
bool history_each(struct bytes history, history_fn *each, void *owner);
