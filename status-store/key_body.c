/* SPDX-License-Identifier: Apache-2.0
 *
 * key_body.c: the members of bodies about keys.
 */
#include "status-store/key_body.h"

#include "common/base/json_read.h"
#include "status-store/limit_json.h"

enum { BODY_DEPTH = 4, TEXT_SIZE = 64 };

static int read_scope(struct json_reader *r, const struct json_place *p, void *out)
{
        char name[TEXT_SIZE];
        unsigned scope = 0;
        if (!json_copy_text(p->value, name, sizeof(name)) ||
            !scope_parse(bytes_of_text(name), &scope) || scope == SCOPE_ADMIN)
                return json_refuse(r, p->up, "each must be submit, read or operate");
        *(unsigned *)out |= scope;
        return 0;
}

static int read_scopes(struct json_reader *r, const struct json_place *p, void *out)
{
        unsigned *scopes = out;
        *scopes = 0;
        if (json_read_list(r, p, out) != 0)
                return -1;
        return *scopes != 0 ? 0 : json_refuse(r, p, "must name a scope");
}

static int read_expires(struct json_reader *r, const struct json_place *p, void *out)
{
        if (json_read_time(r, p, out) != 0)
                return -1;
        return *(msec *)out > clock_wall() ? 0 : json_refuse(r, p, "is in the past");
}

static const struct json_member key_members[] = {
        {"scopes", read_scopes, JSON_AT(struct key_record, scopes), .each = read_scope,
         .flags = JSON_NULLABLE},
        {"expires", read_expires, JSON_AT(struct key_record, expires), .flags = JSON_NULLABLE},
        {0},
};

int key_body_read(struct bytes body, unsigned *scopes, msec *expires, struct scan_fault *fault)
{
        struct key_record k = {.scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE};
        struct json_reader r = {.fault = fault};
        struct json_place root;
        if (body.length > 0 && json_read_open(&r, body, BODY_DEPTH, &root) != 0)
                return 400;
        if (body.length > 0 && json_read_members(&r, &root, key_members, &k) != 0)
                return 422;
        *scopes = k.scopes;
        *expires = k.expires;
        return 0;
}

json_t *key_json(const struct key *k)
{
        json_t *scopes = json_array();
        for (unsigned s = SCOPE_SUBMIT; s <= SCOPE_ADMIN; s <<= 1) {
                if ((k->record.scopes & s) != 0)
                        json_array_append_new(scopes, json_string(scope_name((enum scope)s)));
        }
        return json_pack("{s:s, s:o, s:o, s:o, s:b}", "id", k->record.id, "scopes", scopes,
                         "created_at", limit_time_json(k->created_at), "expires",
                         limit_time_json(k->record.expires), "revoked", k->record.revoked);
}
