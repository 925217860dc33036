/* SPDX-License-Identifier: Apache-2.0
 *
 * list_rig.h: jobs of many tenants, and a walk through the pages of a list.
 */
#pragma once

#include "tests/unit/status_rig.h"

#include <jansson.h>

#include "status-store/jobs/list.h"

enum { BORN = 1700000000 };

static inline struct job job_of(unsigned tenant, msec at)
{
        char id[UUID_SIZE];
        uuid7(id);
        struct job j = rig_job(id, at);
        snprintf(j.tenant, sizeof(j.tenant), "tenant-%u", tenant);
        snprintf(j.type, sizeof(j.type), "type%u", tenant % 3);
        return j;
}

/* What a walk through the pages has seen. */
struct walk {
        struct list_query query;
        json_t *seen; /* ids */
        msec last;
        bool ended;
};

static inline void see(struct walk *w, const json_t *job)
{
        const char *id = json_string_value(json_object_get(job, "id"));
        msec created = 0;
        struct err e = {0};
        assert_null(json_object_get(w->seen, id)); /* no job is seen twice */
        json_object_set_new(w->seen, id, json_true());
        const char *text = json_string_value(json_object_get(job, "created_at"));
        assert_int_equal(time_parse(text, &created, &e), 0);
        if (w->last != 0)
                assert_true(w->query.after.ascending ? created >= w->last : created <= w->last);
        w->last = created;
}

/* The caller owns it. */
static inline json_t *page_of(const struct list_query *q, struct readers *readers)
{
        struct err e = {0};
        json_error_t fault;
        AUTO_BUFFER out = {0};
        AUTO_READER *r = readers_take(readers, &e);
        buffer_add_char(&out, '{');
        if (list_write(r, q, &out, &e) != 0)
                fail_msg("%s", e.text);
        buffer_add_char(&out, '}');
        json_t *page = json_loadb(out.data, out.length, 0, &fault);
        assert_non_null(page);
        return page;
}

static inline void next_page(struct walk *w, struct readers *readers)
{
        size_t at;
        json_t *job, *page = page_of(&w->query, readers);
        json_array_foreach(json_object_get(page, "jobs"), at, job) see(w, job);
        const char *cursor = json_string_value(json_object_get(page, "next_cursor"));
        w->ended = cursor == NULL;
        if (cursor != NULL)
                assert_true(cursor_read(cursor, &w->query.after));
        json_decref(page);
}

static inline struct walk walk_of(const char *tenant, int status, const char *type, bool ascending)
{
        struct walk w = {.query = {.filter = {.tenant = tenant},
                                   .after = cursor_start(ascending),
                                   .limit = 37},
                         .seen = json_object()};
        if (status >= 0)
                w.query.filter.statuses = 1u << status;
        if (type != NULL) {
                w.query.filter.type_count = 1;
                snprintf(w.query.filter.types[0], JOB_TYPE_SIZE, "%s", type);
        }
        return w;
}
