/* SPDX-License-Identifier: Apache-2.0
 *
 * type_view.h: job types as the projection shows them: their jobs, who handles them, their last
 * hour.
 */
#pragma once

#include <jansson.h>
#include <uthash.h>

#include "common/db/readers.h"
#include "status-store/projection/schema.h"
#include "status-store/projection/type_tally.h"

enum { TYPE_HANDLERS_MAX = 20 };

/* One of a set by name. */
struct type_view {
        char name[JOB_TYPE_SIZE];
        int64_t jobs, counts[STATUS_COUNT];
        struct type_counts hour;
        int64_t workers; /* live ones that handle it, of which handled_by has the first */
        bool is_named;   /* a record of one of them names it */
        char (*handled_by)[WORKER_NAME_SIZE];
        json_t *paused_for; /* names of tenants with a pause of it of their own; NULL: none */
        UT_hash_handle hh;
};

/* Whose jobs are seen. */
struct type_scope {
        struct reader *reader;
        int64_t tenant; /* in `names`; TENANT_ALL; -1: nobody's */
        msec as_of, now;
};

struct type_view *type_view_add(struct type_view **set, const char *name);
void type_view_forget(struct type_view **set);
#define AUTO_TYPES __attribute__((cleanup(type_view_forget))) struct type_view

/* Adds the first `limit` types after a name that have jobs. */
int type_view_find(const struct type_scope *s, const char *after, int limit, struct type_view **set,
                   struct err *e) MUST_CHECK;
/* Adds the types after a name that records of live workers name. */
int type_view_find_handled(const struct type_scope *s, const char *after, struct type_view **set,
                           struct err *e) MUST_CHECK;
/* Sorts by name and drops all behind the first `limit`. True: some were dropped. */
bool type_view_cut(struct type_view **set, size_t limit);
/* Notes a pause of the type for this tenant, unless the set lacks the type. */
void type_view_note_pause(struct type_view *set, const char *type, const char *tenant);
/* Fills in all but the names and the pauses. */
int type_view_read(const struct type_scope *s, struct type_view *set, struct err *e) MUST_CHECK;
/* Adds members to a type's object. */
void type_view_write(const struct type_view *v, const struct type_scope *s, json_t *object);
