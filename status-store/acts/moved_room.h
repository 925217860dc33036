/* SPDX-License-Identifier: Apache-2.0
 *
 * moved_room.h: how many jobs the moved list (registry_acts.h) has, and who may be added to it. A
 * cancel always may: refused, it would let the job run. Jobs that are moved find room until the
 * list is full, or their tenant has half of it. Which tenant has, is looked at now and then (once a
 * minute): until the next look one may have more than half, or be refused with less.
 *
 * Any thread.
 */
#pragma once

#include "status-store/acts/registry_acts.h"

struct moved_room;

/* registry: borrowed. keep: see moved_terms. */
struct moved_room *moved_room_create(struct registry *registry, int64_t most, msec keep,
                                     struct err *e) MUST_CHECK;
void moved_room_destroy(struct moved_room **m);

/* 1: there is no room for the act, which must not be missing in the list; 0; -1. */
int moved_room_refuses(struct moved_room *m, const struct intent *i, msec now,
                       struct err *e) MUST_CHECK;
/* By which acts that end now are added. */
void moved_room_terms(struct moved_room *m, msec now, struct moved_terms *out);
void moved_room_add(struct moved_room *m, int64_t rows);
int64_t moved_room_rows(const struct moved_room *m);
/* Looks whether a tenant has half of the list. Reads the whole list when that is half full. */
int moved_room_look(struct moved_room *m, struct err *e) MUST_CHECK;
