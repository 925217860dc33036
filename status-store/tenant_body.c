/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_body.c: bodies about tenants and keys, judged member by member.
 */
#include "status-store/tenant_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/own.h"

enum { BODY_DEPTH = 4, TEXT_SIZE = 64 };
#define NUMBER_MAX ((int64_t)1000000000)
#define WEIGHT_MAX 1000

/* One member being read. */
struct reading {
        struct bytes body;
        struct scan_item item;
        struct scan_fault *fault;
        enum body_kind kind;
        bool has_name, has_rate, has_burst;
};

static int refuse(struct reading *r, const char *detail)
{
        struct bytes key = r->item.key;
        r->fault->pointer[0] = '\0';
        if (key.data != NULL)
                snprintf(r->fault->pointer, sizeof(r->fault->pointer), "/%.*s",
                         (int)(key.length < 64 ? key.length : 64), key.data);
        snprintf(r->fault->detail, sizeof(r->fault->detail), "%s", detail);
        const char *at = key.data != NULL ? r->item.value.raw.data : r->body.data;
        r->fault->offset = (size_t)(at - r->body.data);
        scan_locate(r->body, at, &r->fault->line, &r->fault->column);
        return 422;
}

static bool text_of(struct scan_value value, char *out, size_t size)
{
        return value.kind == SCAN_STRING &&
               bytes_to_text(bytes_of(value.raw.data + 1, value.raw.length - 2), out, size) == 0;
}

static bool is_unlimited(struct scan_value value)
{
        char text[TEXT_SIZE];
        return text_of(value, text, sizeof(text)) && strcmp(text, "unlimited") == 0;
}

static int read_number(struct reading *r, int64_t max, int64_t *out)
{
        char why[TEXT_SIZE];
        int64_t value = 0;
        if (r->item.value.kind == SCAN_NUMBER && scan_int(r->item.value, &value) && value >= 1 &&
            value <= max) {
                *out = value;
                return 0;
        }
        snprintf(why, sizeof(why), "must be an integer from 1 to %lld", (long long)max);
        return refuse(r, why);
}

/* "10/1m", or "unlimited". */
static int read_rate(struct reading *r, struct tenant *tenant)
{
        struct tenant_record *t = &tenant->record;
        static const char *const form = "must be \"unlimited\" or \"<count>/<duration>\", "
                                        "like \"10/1m\", with d, h, m, s or ms";
        char text[TEXT_SIZE];
        r->has_rate = true;
        if (is_unlimited(r->item.value)) {
                t->rate_count = RECORD_UNLIMITED;
                return 0;
        }
        if (!text_of(r->item.value, text, sizeof(text)))
                return refuse(r, form);
        char *slash = strchr(text, '/');
        char *end = NULL;
        long long count = strtoll(text, &end, 10);
        struct err why = {0};
        msec per = 0;
        if (slash == NULL || end != slash || text[0] < '0' || text[0] > '9' ||
            duration_parse(slash + 1, &per, &why) != 0)
                return refuse(r, form);
        if (count < 1 || count > NUMBER_MAX || per < 1 || per > (msec)31 * MSEC_DAY)
                return refuse(r, "count 1 to 1000000000, duration 1 ms to 31 days");
        t->rate_count = count;
        t->rate_per = per;
        return 0;
}

static int read_flag(struct reading *r, bool *out)
{
        if (r->item.value.kind != SCAN_TRUE && r->item.value.kind != SCAN_FALSE)
                return refuse(r, "must be true or false");
        *out = r->item.value.kind == SCAN_TRUE;
        return 0;
}

static int read_name(struct reading *r, struct tenant *tenant)
{
        struct tenant_record *t = &tenant->record;

        r->has_name = true;
        if (r->kind == BODY_TENANT_CHANGE)
                return refuse(r, "a tenant cannot be renamed");
        if (text_of(r->item.value, t->name, sizeof(t->name)) &&
            tenant_name_is_valid(bytes_of_text(t->name)))
                return 0;
        return refuse(r, "must match [a-z0-9][a-z0-9-]{0,31} and not begin with \"warren\"");
}

static int read_burst(struct reading *r, struct tenant *t)
{
        r->has_burst = true;
        return read_number(r, NUMBER_MAX, &t->record.burst);
}

static int read_max_running(struct reading *r, struct tenant *t)
{
        (void)t;
        return is_unlimited(r->item.value)
                       ? 0
                       : refuse(r, "only \"unlimited\": running limits (slots) are not available "
                                   "in this version");
}

static int read_max_pending(struct reading *r, struct tenant *t)
{
        if (!is_unlimited(r->item.value))
                return read_number(r, NUMBER_MAX, &t->record.max_pending);
        t->record.max_pending = RECORD_UNLIMITED;
        return 0;
}

static int read_weight(struct reading *r, struct tenant *t)
{
        return read_number(r, WEIGHT_MAX, &t->record.weight);
}

static int read_login(struct reading *r, struct tenant *t)
{
        return read_flag(r, &t->amqp_login);
}

static const struct {
        const char *name;
        int (*read)(struct reading *r, struct tenant *t);
} members[] = {
        {"name", read_name},
        {"rate", read_rate},
        {"burst", read_burst},
        {"max_running", read_max_running},
        {"max_pending", read_max_pending},
        {"weight", read_weight},
        {"amqp_login", read_login},
};

static int read_member(struct reading *r, struct tenant *t)
{
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                if (scan_key_is(r->item.key, members[i].name))
                        return r->item.value.kind == SCAN_NULL ? 0 : members[i].read(r, t);
        }
        return refuse(r, "unknown member");
}

/* 0, with *cursor at the first member; or a status. */
static int open_body(struct reading *r, struct scan_cursor *cursor)
{
        if (scan_check(r->body, BODY_DEPTH, r->fault) != 0)
                return 400;
        struct scan_value root = scan_root(r->body);
        if (root.kind != SCAN_OBJECT)
                return refuse(r, "must be an object");
        *cursor = scan_items(root);
        return 0;
}

int tenant_body_read(struct bytes body, enum body_kind kind, struct tenant *t,
                     struct scan_fault *fault)
{
        struct reading r = {.body = body, .fault = fault, .kind = kind};
        struct scan_cursor cursor;
        int status = open_body(&r, &cursor);
        while (status == 0 && scan_next(&cursor, &r.item))
                status = read_member(&r, t);
        r.item.key = (struct bytes){0};
        if (status == 0 && kind == BODY_NEW_TENANT && !r.has_name)
                status = refuse(&r, "member \"name\" is missing");
        if (status == 0 && r.has_rate && !r.has_burst && t->record.rate_count > 0)
                t->record.burst = t->record.rate_count;
        return status;
}

static int read_scopes(struct reading *r, unsigned *scopes)
{
        struct scan_item one;
        *scopes = 0;
        if (r->item.value.kind != SCAN_ARRAY)
                return refuse(r, "must be an array");
        for (struct scan_cursor at = scan_items(r->item.value); scan_next(&at, &one);) {
                char name[TEXT_SIZE];
                unsigned scope = 0;
                if (!text_of(one.value, name, sizeof(name)) ||
                    !scope_parse(bytes_of_text(name), &scope) || scope == SCOPE_ADMIN)
                        return refuse(r, "each is one of submit, read, operate");
                *scopes |= scope;
        }
        return *scopes != 0 ? 0 : refuse(r, "names no scope");
}

static int read_expires(struct reading *r, msec *expires)
{
        char text[TEXT_SIZE];
        struct err why = {0};
        if (!text_of(r->item.value, text, sizeof(text)) || time_parse(text, expires, &why) != 0)
                return refuse(r, "must be a time, like \"2030-01-01T00:00:00Z\"");
        return *expires > clock_wall() ? 0 : refuse(r, "is in the past");
}

int key_body_read(struct bytes body, unsigned *scopes, msec *expires, struct scan_fault *fault)
{
        struct reading r = {.body = body, .fault = fault};
        struct scan_cursor cursor;
        *scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE;
        *expires = 0;
        if (body.length == 0)
                return 0;
        int status = open_body(&r, &cursor);
        while (status == 0 && scan_next(&cursor, &r.item)) {
                bool absent = r.item.value.kind == SCAN_NULL;
                if (scan_key_is(r.item.key, "scopes"))
                        status = absent ? 0 : read_scopes(&r, scopes);
                else if (scan_key_is(r.item.key, "expires"))
                        status = absent ? 0 : read_expires(&r, expires);
                else
                        status = refuse(&r, "unknown member");
        }
        return status;
}

static json_t *limit_json(int64_t limit)
{
        return limit == RECORD_UNLIMITED ? json_string("unlimited") : json_integer(limit);
}

static json_t *time_json(msec at)
{
        char text[TIME_TEXT_SIZE];
        return at == 0 ? json_null() : json_string(time_format(at, text));
}

json_t *tenant_json(const struct tenant *t)
{
        const struct tenant_record *r = &t->record;
        char per[TIME_TEXT_SIZE];
        json_t *rate = r->rate_count == RECORD_UNLIMITED
                               ? json_string("unlimited")
                               : json_sprintf("%lld/%s", (long long)r->rate_count,
                                              duration_format(r->rate_per, per));
        return json_pack("{s:s, s:o, s:I, s:o, s:o, s:I, s:b, s:b, s:o}", "name", r->name, "rate",
                         rate, "burst", (json_int_t)r->burst, "max_running",
                         limit_json(r->max_running), "max_pending", limit_json(r->max_pending),
                         "weight", (json_int_t)r->weight, "paused", r->paused, "amqp_login",
                         t->amqp_login, "created_at", time_json(t->created_at));
}

json_t *key_json(const struct key *k)
{
        json_t *scopes = json_array();
        for (unsigned s = SCOPE_SUBMIT; s <= SCOPE_ADMIN; s <<= 1) {
                if ((k->record.scopes & s) != 0)
                        json_array_append_new(scopes, json_string(scope_name((enum scope)s)));
        }
        return json_pack("{s:s, s:o, s:o, s:o, s:b}", "id", k->record.id, "scopes", scopes,
                         "created_at", time_json(k->created_at), "expires",
                         time_json(k->record.expires), "revoked", k->record.revoked);
}
