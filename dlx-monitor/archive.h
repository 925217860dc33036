/* SPDX-License-Identifier: Apache-2.0
 *
 * archive.h: archive.db, where every dead letter is kept byte for byte, once. What a function here
 * has changed is on the disk when it returns 0. Any thread.
 */
#ifndef WARREN_DLX_MONITOR_ARCHIVE_H
#define WARREN_DLX_MONITOR_ARCHIVE_H

#include <sqlite3.h>

#include "common/base/err.h"
#include "dlx-monitor/letter.h"

struct archive;

/* Creates the file when it is not there. */
struct archive *archive_open(const char *path, struct err *e) MUST_CHECK;
void archive_destroy(struct archive **a);

/* A read-only connection of the caller's own; db_close it. */
sqlite3 *archive_reader(const struct archive *a, struct err *e) MUST_CHECK;

/* All in one transaction. *kept: how many were new; the rest had been archived before. */
int archive_put(struct archive *a, const struct letter *letters, size_t count, size_t *kept,
                struct err *e) MUST_CHECK;

/* What a replay changes; it is kept with the letter until it has been published. */
struct replay_edit {
        struct bytes payload; /* absent: as it was */
        const char *type;     /* NULL: as it was */
        int priority;         /* enum priority; -1: as it was */
        bool sets_run_at;     /* false: as it was */
        msec run_at;          /* 0: at once */
};

/* "Replaying as run *run": one more than any run of that job known here. ERR_CONFLICT when the
 * letter is being replayed, was, or was discarded; ERR_NOT_FOUND. */
int archive_begin_replay(struct archive *a, const char *letter, const struct replay_edit *edit,
                         int64_t *run, struct err *e) MUST_CHECK;
/* "Replayed". */
int archive_end_replay(struct archive *a, const char *letter, msec now, struct err *e) MUST_CHECK;
/* "Dead" again; a later replay is a run of its own all the same. */
int archive_abandon_replay(struct archive *a, const char *letter, struct err *e) MUST_CHECK;

/* The `buried` event of this letter has been published. */
int archive_set_announced(struct archive *a, char (*letters)[UUID_SIZE], size_t count,
                          struct err *e) MUST_CHECK;

/* It is told now that what was archived before that time goes; what was told before `matured` is
 * remembered in sum. */
int archive_note_warning(struct archive *a, msec now, msec before, msec matured,
                         struct err *e) MUST_CHECK;
/* What was archived before *before has been told of since `matured` at least; 0: nothing has. */
int archive_warned(struct archive *a, msec matured, msec *before, struct err *e) MUST_CHECK;

struct archive_expiry {
        const char *tenant;
        bool dead;       /* those that nobody touched; else those that were replayed or discarded */
        msec before;     /* when they were archived; when they were replayed or discarded */
        int64_t down_to; /* only until the tenant's letters take no more bytes than this; 0: all */
};

/* Deletes some of them, the oldest first. *gone 0: there are none left. A job's later replays are
 * runs of their own all the same. */
int archive_expire(struct archive *a, const struct archive_expiry *x, size_t *gone,
                   struct err *e) MUST_CHECK;
/* Gives the file system some of what deleted letters took. 1: there is more, 0, -1. */
int archive_give_back(struct archive *a, struct err *e) MUST_CHECK;

#endif
