/* SPDX-License-Identifier: Apache-2.0
 *
 * list_api.c: GET /jobs of the internal API.
 */
#include <string.h>

#include "common/http/mask_param.h"
#include "status-store/api.h"
#include "status-store/jobs/count.h"
#include "status-store/jobs/list.h"

static bool read_order(struct http_request *r, struct list_query *q)
{
        const char *sort = http_query(r, "sort");
        const char *cursor = http_query(r, "cursor");
        if (sort != NULL && strcmp(sort, "created_at") != 0 && strcmp(sort, "-created_at") != 0) {
                http_problem(r, 400, "sort: must be created_at (oldest first) or -created_at");
                return false;
        }
        q->after = cursor_start(sort != NULL && sort[0] != '-');
        bool ascending = q->after.ascending;
        if (cursor == NULL || (cursor_read(cursor, &q->after) && q->after.ascending == ascending))
                return true;
        http_problem(r, 400, "cursor: not a next_cursor of this list and order");
        return false;
}

static bool read_fields(struct http_request *r, struct job_view *view)
{
        const char *at = http_query(r, "fields");
        while (at != NULL) {
                size_t length = strcspn(at, ",");
                if (!job_view_add(view, bytes_of(at, length))) {
                        http_problem(r, 400, "fields: a job has no member \"%.*s\"",
                                     length < 64 ? (int)length : 64, at);
                        return false;
                }
                at = at[length] == ',' ? at + length + 1 : NULL;
        }
        return true;
}

static bool read_count(struct http_request *r, bool *out)
{
        const char *text = http_query(r, "count");
        *out = text != NULL && strcmp(text, "true") == 0;
        if (text == NULL || *out || strcmp(text, "false") == 0)
                return true;
        http_problem(r, 400, "count: must be true or false");
        return false;
}

static int read_list(struct api *a, const struct list_query *q, bool counts, struct buffer *members,
                     struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        if (reader == NULL || list_write(reader, q, members, e) != 0)
                return -1;
        return counts ? count_write(reader, &q->filter, members, e) : 0;
}

void jobs_list(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {
                "tenant", "status", "type",   "priority", "created_after", "created_before", "q",
                "sort",   "limit",  "cursor", "fields",   "count",         "mask",           NULL};
        struct api *a = owner;
        struct mask_words mask;
        struct list_query q = {.view.mask = &mask, .limit = LIST_LIMIT_DEFAULT};
        bool counts = false;
        if (!http_query_only(r, allowed) || !mask_param_read(r, &mask) ||
            !api_filter(r, &q.filter) || !read_order(r, &q) ||
            !api_limit(r, LIST_LIMIT_MAX, &q.limit) || !read_fields(r, &q.view) ||
            !read_count(r, &counts))
                return;
        struct err why = {0};
        AUTO_BUFFER members = {0};
        AUTO_PLACE place = {.of = NULL};
        if (q.filter.text != NULL && !api_take_place(a->searches, q.filter.tenant, r, &place))
                return;
        int done = read_list(a, &q, counts, &members, &why);
        api_give_place(&place);
        if (done != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}
