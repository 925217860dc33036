/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup_api.c: GET /lookup of the internal API.
 */
#include "status-store/api.h"
#include "status-store/jobs/lookup_find.h"

static int scan(struct api *a, const char *tenant, const struct find_text *what,
                struct buffer *members, struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        return reader == NULL ? -1 : lookup_find_scan(reader, tenant, what, members, e);
}

static void answer_scan(struct api *a, struct http_request *r, const char *tenant,
                        const struct find_text *what)
{
        struct err why = {0};
        AUTO_BUFFER members = {0};
        AUTO_PLACE place = {.of = NULL};
        if (!api_take_place(a->scans, tenant, r, &place))
                return;
        int done = scan(a, tenant, what, &members, &why);
        api_give_place(&place);
        if (done != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}

/* 1: a whole id, the members are filled; 0: it must be scanned; -1. */
static int find_id(struct api *a, const char *tenant, const struct find_text *what,
                   struct buffer *members, struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        return reader == NULL ? -1 : lookup_find_id(reader, tenant, what, members, e);
}

void lookup_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "q", NULL};
        struct api *a = owner;
        struct find_text what;
        if (!http_query_only(r, allowed))
                return;
        const char *tenant = api_tenant(r);
        const char *text = http_query(r, "q");
        if (tenant == NULL)
                return;
        if (text == NULL || !find_text_read(text, &what)) {
                http_problem(r, 400, "q: must have 1 to %d bytes", FIND_TEXT_MAX);
                return;
        }
        struct err why = {0};
        AUTO_BUFFER members = {0};
        int found = find_id(a, tenant, &what, &members, &why);
        if (found == 1)
                api_answer(a, r, &members);
        else if (found == 0)
                answer_scan(a, r, tenant, &what);
        else
                http_problem_err(r, &why);
}
