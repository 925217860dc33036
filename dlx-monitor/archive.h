/* SPDX-License-Identifier: Apache-2.0
 *
 * archive.h: archive.db, which holds every dead letter once, byte for byte. When a function here
 * returns 0, its change is on the disk. Any thread.
 */
#pragma once

#include "common/db/database.h"
#include "dlx-monitor/edit.h"
#include "dlx-monitor/letter.h"

struct archive;

/* Opens the file; migrates or creates it. */
struct archive *archive_open(const char *path, struct err *e) MUST_CHECK;
void archive_destroy(struct archive **a);

/* A query on a new read-only connection, which AUTO_QUERY closes with it. It may call holds
 * (letter_text.h). A failure need not be
 * checked before db_step, as with database_query. */
sqlite3_stmt *archive_query(const struct archive *a, const char *sql, const struct db_value *values,
                            struct err *e) MUST_CHECK;
void archive_query_end_(sqlite3_stmt **s);
#define AUTO_QUERY __attribute__((cleanup(archive_query_end_))) sqlite3_stmt

/* Writes all in one transaction. *added: how many were new; the others had been archived before. */
int archive_put(struct archive *a, const struct letter *letters, size_t count, size_t *added,
                struct err *e) MUST_CHECK;

/* The numbers of a replay, as the primary status-store granted them. */
struct replay_run {
        int64_t run, copy;
};
/* Notes "replaying as run->run", which becomes more than any run of that job in the archive.
 * ERR_CONFLICT: the letter is being replayed, or was replayed or discarded; ERR_NOT_FOUND. */
int archive_begin_replay(struct archive *a, const char *letter, const struct replay_edit *edit,
                         struct replay_run *run, struct err *e) MUST_CHECK;
/* Notes "replayed". */
int archive_end_replay(struct archive *a, const char *letter, msec now, struct err *e) MUST_CHECK;
/* Notes "dead" again. The number of the run is not used a second time. */
int archive_abandon_replay(struct archive *a, const char *letter, struct err *e) MUST_CHECK;

/* Notes that the `buried` events of these letters have been published. */
int archive_set_announced(struct archive *a, char (*letters)[UUID_SIZE], size_t count,
                          struct err *e) MUST_CHECK;

/* Notes that users were warned, at `now`, of the deletion of letters archived before `before`. Of
 * the warnings up to `matured` only the last is kept. */
int archive_note_warning(struct archive *a, msec now, msec before, msec matured,
                         struct err *e) MUST_CHECK;
/* *before: letters archived before this time were warned of at `matured` or earlier; 0: none. */
int archive_warned(const struct archive *a, msec matured, msec *before, struct err *e) MUST_CHECK;

struct archive_expiry {
        const char *tenant;
        bool dead;       /* untouched letters; false: replayed and discarded ones */
        msec before;     /* archived, or replayed or discarded, before this time */
        int64_t down_to; /* stop when the tenant's letters take at most so many bytes; 0: delete all
                          */
};

/* Deletes some of these letters, the oldest first. *gone 0: none is left. Their jobs' run numbers
 * are not used a second time. */
int archive_expire(struct archive *a, const struct archive_expiry *x, size_t *gone,
                   struct err *e) MUST_CHECK;
/* Deletes all letters of a job. tenant NULL: of any tenant. ERR_CONFLICT: one is being replayed. */
int archive_forget_job(struct archive *a, const char *job, const char *tenant,
                       struct err *e) MUST_CHECK;
/* Gives some free pages of the file back to the file system. 1: there are more; 0; -1. */
int archive_give_back(struct archive *a, struct err *e) MUST_CHECK;
