/* SPDX-License-Identifier: Apache-2.0
 *
 * letters.h: reads the archive: lists, groups and single letters as the JSON of the API. Any
 * thread; each call opens a connection of its own.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/base/json_mask.h"
#include "dlx-monitor/archive.h"

enum { LETTERS_LIMIT_DEFAULT = 50, LETTERS_LIMIT_MAX = 500 };

/* NULL: any. */
struct letter_filter {
        const char *tenant, *job, *type, *reason, *state, *group;
        const char *q;    /* occurs in payload or error, case-sensitive */
        const char *mask; /* words of members whose values q does not find; see letter_text.h */
        const char *cursor;
        int64_t limit;
};

/* Adds {"letters": […], "next_cursor": …}, newest first; of a search also {"search": …}: how far it
 * looked, since it is bounded in time, bytes and letters: its page may be short and have a next
 * one. A page begins after the cursor's letter, so letters archived in between do not shift it. */
int letters_list(const struct archive *a, const struct letter_filter *f, struct buffer *out,
                 struct err *e) MUST_CHECK;
/* Adds {"groups": […]}, the largest first. */
int letters_groups(const struct archive *a, const struct letter_filter *f, struct buffer *out,
                   struct err *e) MUST_CHECK;
/* Which letter to show, and to whom. */
struct letter_asked {
        const char *id;
        const char *tenant; /* NULL: any */
        /* Of payload, headers and properties; NULL, or without words: nothing is masked. */
        const struct mask_words *mask;
};
/* Adds one letter with properties, headers and payload. How many values were masked is a member
 * `masked`, unless it is 0; a payload that is no JSON counts as one. ERR_NOT_FOUND. */
int letters_get(const struct archive *a, const struct letter_asked *asked, struct buffer *out,
                struct err *e) MUST_CHECK;

/* What a replay is made from. letter_content_fini frees it. */
struct letter_content {
        char job_id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        int64_t run;
        bool replaying;
        int64_t replay_run;      /* 0: no replay was begun */
        int64_t replay_copy;     /* of it; 0: begun by a version that had none */
        struct replay_edit edit; /* of that replay, but its payload is in `edited` */
        msec dead_at;
        struct buffer exchange, routing_key, properties, body, edited;
};

/* *out must be {0}. ERR_NOT_FOUND. */
int letters_content(const struct archive *a, const char *id, const char *tenant,
                    struct letter_content *out, struct err *e) MUST_CHECK;
void letter_content_fini(struct letter_content *c);

/* The greatest run of the letter's job that the archive knows. */
int letters_greatest_run(const struct archive *a, const struct letter_content *c, int64_t *run,
                         struct err *e) MUST_CHECK;

/* Up to `limit` letters that are "replaying", in the order of their ids, after the id `after` ("":
 * from the first). */
int letters_replaying(const struct archive *a, char (*ids)[UUID_SIZE], size_t limit,
                      const char *after, size_t *count, struct err *e) MUST_CHECK;

/* Up to `limit` letters whose `buried` event has not been published, the oldest first: their ids,
 * and the events as lines. */
int letters_silent(const struct archive *a, size_t limit, char (*ids)[UUID_SIZE], size_t *count,
                   struct buffer *lines, struct err *e) MUST_CHECK;

/* Calls `each` for every group with letters in state dead. */
int letters_dead_by_group(const struct archive *a,
                          void (*each)(void *owner, const char *group, int64_t count), void *owner,
                          struct err *e) MUST_CHECK;
