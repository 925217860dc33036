/* SPDX-License-Identifier: Apache-2.0
 *
 * history.h: the events of one job as they were told, packed in a column of its row. Pure.
 *
 *      version (1 byte; its top bit: entries were left out; the next: among them the first ones),
 *      then entries in the order of time:
 *
 *      kind, flags   1 byte each
 *      at            varint; the difference to the entry before
 *      run, attempt, copy   varints
 *      digest        4 bytes
 *      then by flags: worker, by, why (length and bytes, at most 127 each), reason, error kind (1
 *      byte each), run_at (varint)
 *
 * It is a set by digest: any order and any repetition of the events gives the same bytes. For that
 * three kinds are bounded apart: of `due`, which duplicates repeat, the first 4 and the last 12 are
 * kept; of `progress` the last; of the others the first 16 and the last 31. Ends of hops are not
 * kept (after nothing else it is a version without entries), nor is a cancel told again without its
 * author. (Where an event is `forgotten` or a cancel, and entries had been left out, the order may
 * matter.)
 */
#pragma once

#include "common/base/bytes.h"
#include "common/model/event.h"

enum { HISTORY_MAX = 64 }; /* entries */

/* Adds the event, which happened at `at`; `due`: when its delay queue was to let it go. True when
 * the bytes changed. `forgotten` removes what is of its run or an earlier one, and keeps such
 * events out. */
bool history_add(struct buffer *history, const struct event *e, msec at);
/* Earlier events of the job are not in it: its row was written before there were histories. */
void history_note_gap(struct buffer *history);
/* That was noted, or it is empty or of an unknown version. */
bool history_has_gap(struct bytes history);

/* One entry; texts are borrowed. Members that the event did not have are 0 or empty. */
struct history_entry {
        enum event_kind kind;
        msec at, run_at;
        int64_t run, attempt, copy;
        struct bytes worker, by, why;
        enum reason reason;
        enum error_kind error_kind;
        bool lost; /* RELEASED: because its worker died */
};
typedef void history_fn(void *owner, const struct history_entry *entry);
/* False: entries were left out. Bytes of an unknown version have no entries. */
bool history_each(struct bytes history, history_fn *each, void *owner);

/* "started"; never NULL. */
const char *history_word(enum event_kind kind);
