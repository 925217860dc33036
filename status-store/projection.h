/* SPDX-License-Identifier: Apache-2.0
 *
 * projection.h: folds messages of the stream in memory and writes each job that changed once, with
 * the position, in one transaction. Loop thread only.
 */
#ifndef WARREN_STATUS_STORE_PROJECTION_H
#define WARREN_STATUS_STORE_PROJECTION_H

#include "common/model/event.h"
#include "status-store/store.h"

struct projection;

/* After a commit, for every job in it that changed. */
typedef void job_changed_fn(void *owner, const char *tenant, const char *id);

/* After a commit, for every marker in it (see markers.h). */
typedef void marker_passed_fn(void *owner, const char *id);

/* store is borrowed. */
struct projection *projection_create(struct store *store, size_t payload_max,
                                     struct err *e) MUST_CHECK;
void projection_destroy(struct projection **p);
void projection_on_change(struct projection *p, job_changed_fn *changed, void *owner);
void projection_on_marker(struct projection *p, marker_passed_fn *passed, void *owner);

/* Copies what it needs of m. What fails here fails the commit. */
void projection_fold(struct projection *p, const struct message *m, int64_t offset);
/* Messages and bytes of them folded since the last commit. */
size_t projection_messages(const struct projection *p);
size_t projection_bytes(const struct projection *p);
/* -1: nothing was written and all since the last commit is forgotten: read again from there. */
int projection_commit(struct projection *p, struct err *e) MUST_CHECK;
void projection_forget(struct projection *p);

/* As of the last commit. */
const struct position *projection_position(const struct projection *p);
/* With what has been folded since. */
const struct position *projection_next(const struct projection *p);
/* The stream was rewound: it is folded from its start on what there is, and what it tells again
 * changes no row and is not counted again. */
int projection_rewind(struct projection *p, struct err *e) MUST_CHECK;
/* Notes that offsets from..to inclusive were never seen; written with the next commit. */
void projection_note_gap(struct projection *p, int64_t from, int64_t to);

/* What is stored of the last message, to know it again. */
int64_t message_fingerprint(const struct message *m);

#endif
