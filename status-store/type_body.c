/* SPDX-License-Identifier: Apache-2.0
 *
 * type_body.c: the members of bodies about types.
 */
#include "status-store/type_body.h"

#include "common/base/json_read.h"
#include "status-store/limit_json.h"

enum { BODY_DEPTH = 4, PER_MIN = 100 };

/* At most 1000 a second: a count of at most `per` in ms. */
static int read_max_rate(struct json_reader *r, const struct json_place *p, void *out)
{
        struct type_record *t = out;
        int64_t count = 0;
        msec per = t->rate_per;
        if (!limit_read_rate(p->value, &count, &per))
                return json_refuse_form(r, p);
        if (count != RECORD_UNLIMITED && (count < 1 || count > LIMIT_TOKENS_MAX || per < PER_MIN ||
                                          per > (msec)MSEC_DAY || count > per))
                return json_refuse(r, p,
                                   "count must be 1 to %d, duration 100 ms to 1 day, and together "
                                   "at most 1000 a second",
                                   LIMIT_TOKENS_MAX);
        t->rate_count = count;
        t->rate_per = per;
        return 0;
}

static const struct json_member members[] = {
        {"max_running", limit_read, JSON_AT(struct type_record, max_running), LIMIT_RUNNING,
         .flags = JSON_NULLABLE},
        {"max_rate", read_max_rate, .flags = JSON_NULLABLE, .form = LIMIT_RATE_FORM},
        {0},
};

int type_body_read(struct bytes body, struct type *t, struct scan_fault *fault)
{
        struct type_record record = t->record;
        struct json_reader r = {.fault = fault};
        struct json_place root;
        if (json_read_open(&r, body, BODY_DEPTH, &root) != 0)
                return 400;
        if (json_read_members(&r, &root, members, &record) != 0)
                return 422;
        t->record = record;
        return 0;
}

json_t *type_json(const struct type *t)
{
        const struct type_record *r = &t->record;
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", r->name, "max_running",
                         limit_json(r->max_running), "slots_version",
                         limit_version_json(r->max_running, r->slots_version), "max_rate",
                         limit_rate_json(r->rate_count, r->rate_per), "rate_version",
                         limit_version_json(r->rate_count, r->rate_version), "created_at",
                         limit_time_json(t->created_at));
}
