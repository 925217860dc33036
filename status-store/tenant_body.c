/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_body.c: the members of bodies about tenants.
 */
#include "status-store/tenant_body.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "status-store/limit_json.h"

enum { BODY_DEPTH = 4 };
#define NUMBER_MAX 1000000000
#define WEIGHT_MAX 1000

/* A tenant being read from a body, with what the tenant itself does not have. */
struct tenant_body {
        struct tenant tenant;
        enum body_kind kind;
        bool has_rate;
        int64_t burst; /* 0: not given */
};

static int read_rate(struct json_reader *r, const struct json_place *p, void *out)
{
        struct tenant_body *b = out;
        struct tenant_record *t = &b->tenant.record;
        int64_t count = 0;
        msec per = t->rate_per;
        if (!limit_read_rate(p->value, &count, &per))
                return json_refuse_form(r, p);
        if (count != RECORD_UNLIMITED &&
            (count < 1 || count > NUMBER_MAX || per < 1 || per > (msec)MSEC_DAY))
                return json_refuse(r, p, "count must be 1 to 1000000000, duration 1 ms to 1 day");
        b->has_rate = true;
        t->rate_count = count;
        t->rate_per = per;
        return 0;
}

static int read_name(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct tenant_body *b = r->owner;

        if (b->kind == BODY_TENANT_CHANGE)
                return json_refuse(r, p, "a tenant cannot be renamed");
        if (json_copy_text(p->value, out, TENANT_SIZE) && tenant_name_is_valid(bytes_of_text(out)))
                return 0;
        return json_refuse_form(r, p);
}

/* clang-format off */
#define MEMBER(name, fn, field, ...) \
        {name, fn, JSON_AT(struct tenant_body, field), .flags = JSON_NULLABLE, __VA_ARGS__}
#define UP_TO(high) .least = 1, .most = (high)

static const struct json_member tenant_members[] = {
        MEMBER("name", read_name, tenant.record.name,
               .form = "must match [a-z0-9][a-z0-9-]{0,31} and not begin with \"warren\""),
        {"rate", read_rate, .flags = JSON_NULLABLE, .form = LIMIT_RATE_FORM},
        MEMBER("burst", json_read_int, burst, UP_TO(NUMBER_MAX)),
        MEMBER("max_running", limit_read, tenant.record.max_running, LIMIT_RUNNING),
        MEMBER("max_pending", limit_read, tenant.record.max_pending, UP_TO(NUMBER_MAX)),
        MEMBER("weight", json_read_int, tenant.record.weight, UP_TO(WEIGHT_MAX)),
        MEMBER("amqp_login", json_read_flag, tenant.amqp_login),
        {0},
};
/* clang-format on */

int tenant_body_read(struct bytes body, enum body_kind kind, struct tenant *t,
                     struct scan_fault *fault)
{
        struct tenant_body b = {.tenant = *t, .kind = kind};
        struct json_reader r = {.fault = fault, .owner = &b};
        struct json_place root;
        if (json_read_open(&r, body, BODY_DEPTH, &root) != 0)
                return 400;
        if (json_read_members(&r, &root, tenant_members, &b) != 0)
                return 422;
        struct tenant_record *record = &b.tenant.record;
        if (record->name[0] == '\0') {
                (void)json_refuse(&r, &root, "member \"name\" is missing");
                return 422;
        }
        if (b.burst > 0)
                record->burst = b.burst;
        else if (b.has_rate && record->rate_count > 0)
                record->burst = record->rate_count;
        *t = b.tenant;
        return 0;
}

json_t *tenant_json(const struct tenant *t)
{
        const struct tenant_record *r = &t->record;
        return json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:I, s:b, s:o, s:s?, s:b, s:o}", "name",
                         r->name, "rate", limit_rate_json(r->rate_count, r->rate_per), "burst",
                         (json_int_t)r->burst, "max_running", limit_json(r->max_running),
                         "slots_version", limit_version_json(r->max_running, r->slots_version),
                         "max_pending", limit_json(r->max_pending), "weight", (json_int_t)r->weight,
                         "paused", r->paused, "paused_at",
                         limit_time_json(r->paused ? r->paused_at : 0), "paused_by",
                         r->paused && r->by[0] != '\0' ? r->by : NULL, "amqp_login", t->amqp_login,
                         "created_at", limit_time_json(t->created_at));
}
