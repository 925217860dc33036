/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_slots.h: the jobs of one batch that are on their way. A slot is free, held by the handler,
 * or dispatched; the loop's thread ends a dispatch, all else is the handler's.
 */
#pragma once

#include "common/base/json_split.h"
#include "gateway/dispatch.h"

enum { BATCH_SLOTS_MAX = 256 };

struct batch_slots;

struct batch_slot {
        struct dispatch dispatch; /* its job borrows from `text` */
        struct split_element at;  /* where it stands in the body; at.text is `text` */
        struct buffer text;
        struct tenant_record tenant; /* of the job */
        struct refusal *late;        /* its times are over: why it is refused if its key is new */
        struct refusal *held;        /* why it is refused unless its key replays, and that it has no
                                      * token of the rate; NULL: it is not */
        struct batch_slots *slots;
        struct batch_slot *next; /* free, or ended */
};

struct batch_slots *batch_slots_create(struct gateway *g);
/* None is dispatched any more. */
void batch_slots_destroy(struct batch_slots **s);

/* A slot for an element, which is copied; the dispatch is {0} but for its owner's members. The
 * handler holds it. NULL: all are in use. */
struct batch_slot *batch_slots_take(struct batch_slots *s, const struct split_element *element);
void batch_slots_free(struct batch_slots *s, struct batch_slot *slot);
/* As dispatch_begin; the handler holds the slot again when it fails. */
bool batch_slots_dispatch(struct batch_slots *s, struct batch_slot *slot,
                          struct refusal *why) MUST_CHECK;
/* The slots whose dispatches have ended, a list for the handler to hold; NULL: none. Waits until
 * `want` of them have, or all. */
struct batch_slot *batch_slots_ended(struct batch_slots *s, unsigned want);
