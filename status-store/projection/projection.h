/* SPDX-License-Identifier: Apache-2.0
 *
 * projection.h: folds a batch of messages in memory, then writes every changed job once, together
 * with the position, in one transaction. Loop thread only.
 */
#pragma once

#include "common/model/event.h"
#include "status-store/projection/store.h"

struct projection;

/* A job that was submitted with an idempotency key; borrowed. */
struct keyed_job {
        const char *tenant, *key, *id;
};

/* Each may be NULL. Called after a commit, but for `acts`. */
struct projection_events {
        /* Before the commit: the lines of administrative acts in it, as gateways told them. -1: the
         * batch fails, and is read again. A batch may come again after this, too. */
        int (*acts)(void *owner, struct bytes lines, struct err *e);
        /* For every job that it changed. */
        void (*changed)(void *owner, const char *tenant, const char *id);
        /* For every marker in it (markers.h). */
        void (*passed)(void *owner, const char *id);
        /* Once for every job with a key: when its row is shown and its submission is known. A
         * database that is built anew names all again. */
        void (*keyed)(void *owner, const struct keyed_job *job);
        /* For every consumer that told in it how far it has read stream `marks`. */
        void (*seen)(void *owner, struct bytes worker, int64_t mark);
};

/* Borrows store. */
struct projection *projection_create(struct store *store, size_t payload_max,
                                     struct err *e) MUST_CHECK;
void projection_destroy(struct projection **p);
void projection_on_commit(struct projection *p, const struct projection_events *on, void *owner);

/* Copies what it needs from m. An error is reported by the next commit. */
void projection_fold(struct projection *p, const struct message *m, int64_t offset);
/* Messages, those of packs each, and their bytes, folded since the last commit. */
size_t projection_messages(const struct projection *p);
size_t projection_bytes(const struct projection *p);
/* -1: nothing was written, and the batch is dropped: read again from projection_position. */
int projection_commit(struct projection *p, struct err *e) MUST_CHECK;
/* Drops the batch. */
void projection_forget(struct projection *p);

/* As of the last commit. */
const struct position *projection_position(const struct projection *p);
/* With the batch. */
const struct position *projection_next(const struct projection *p);
/* The oldest minute that commits counted in since this was asked last; INT64_MAX: none did. */
int64_t projection_take_oldest_minute(struct projection *p);
/* The stream was rewound: the next message is its first. Rows stay; events that are folded again
 * change no row and are not counted again. */
int projection_rewind(struct projection *p, struct err *e) MUST_CHECK;
/* Notes that offsets from..to (inclusive) are missing; written with the next commit. */
void projection_note_gap(struct projection *p, int64_t from, int64_t to);
