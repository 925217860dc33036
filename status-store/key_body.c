/* SPDX-License-Identifier: Apache-2.0
 *
 * key_body.c: the members of bodies about keys.
 */
#include "status-store/key_body.h"

#include <string.h>

#include "common/base/json_read.h"
#include "common/base/memory.h"
#include "status-store/limit_json.h"

enum { BODY_DEPTH = 4, TEXT_SIZE = 64 };
#define OVERLAP_MAX ((msec)365 * MSEC_DAY)

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

static int read_name(struct json_reader *r, const struct json_place *p, void *out)
{
        char *name = out;
        bool is_printable = json_copy_text(p->value, name, KEY_NAME_SIZE) && name[0] != '\0';
        for (const char *c = name; is_printable && *c != '\0'; c++)
                is_printable = (unsigned char)*c >= 0x20 && *c != 0x7f;
        return is_printable ? 0
                            : json_refuse(r, p, "must be 1 to 64 bytes without control characters");
}

static int read_overlap(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[TEXT_SIZE];
        msec overlap = 0;
        bool is_text = json_copy_text(p->value, text, sizeof(text)) ||
                       (p->value.kind == SCAN_NUMBER &&
                        bytes_to_text(p->value.raw, text, sizeof(text)) == 0);
        if (!is_text || duration_parse(text, &overlap, NULL) != 0 || overlap > OVERLAP_MAX)
                return json_refuse(r, p, "must be " DURATION_FORM ", at most 365 days");
        *(msec *)out = overlap;
        return 0;
}

static const struct json_member key_members[] = {
        {"scopes", read_scopes, JSON_AT(struct key, record.scopes), .each = read_scope,
         .flags = JSON_NULLABLE},
        {"expires", read_expires, JSON_AT(struct key, record.expires), .flags = JSON_NULLABLE},
        {"name", read_name, JSON_AT(struct key, name), .flags = JSON_NULLABLE},
        {0},
};

static const struct json_member rotation_members[] = {
        {"overlap", read_overlap, JSON_AT(struct key_rotation, overlap), .flags = JSON_NULLABLE},
        {"expires", read_expires, JSON_AT(struct key_rotation, expires), .flags = JSON_NULLABLE},
        {0},
};

/* An empty body is as {}. */
static int read_optional(struct bytes body, const struct json_member *members, void *out,
                         struct scan_fault *fault)
{
        struct json_reader r = {.fault = fault};
        struct json_place root;
        if (body.length == 0)
                return 0;
        if (json_read_open(&r, body, BODY_DEPTH, &root) != 0)
                return 400;
        return json_read_members(&r, &root, members, out) != 0 ? 422 : 0;
}

int key_body_read(struct bytes body, struct key *k, struct scan_fault *fault)
{
        *k = (struct key){.record = {.scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE}};
        return read_optional(body, key_members, k, fault);
}

int key_rotation_read(struct bytes body, struct key_rotation *out, struct scan_fault *fault)
{
        *out = (struct key_rotation){.overlap = KEY_OVERLAP};
        return read_optional(body, rotation_members, out, fault);
}

struct uses_body {
        struct key_use *uses;
        size_t count;
};

static const struct json_member use_members[] = {
        {"id", json_read_copy, JSON_AT(struct key_use, id), .flags = JSON_REQUIRED},
        {"at", json_read_int, JSON_AT(struct key_use, at), .least = 0, .most = INT64_MAX,
         .flags = JSON_REQUIRED},
        {"from", json_read_copy, JSON_AT(struct key_use, from)},
        {0},
};

static int read_use(struct json_reader *r, const struct json_place *p, void *out)
{
        struct uses_body *body = r->owner;
        (void)out;
        if (body->count == KEYS_USED_MAX)
                return json_refuse(r, p, "more than %d keys", KEYS_USED_MAX);
        return json_read_members(r, p, use_members, &body->uses[body->count++]);
}

static const struct json_member uses_members[] = {
        {"used", json_read_list, .each = read_use, .flags = JSON_REQUIRED},
        {0},
};

/* Members of a later version are passed over: gateways may be newer. */
int key_uses_read(struct bytes body, size_t more, struct key_use **uses, size_t *count,
                  struct scan_fault *fault)
{
        struct uses_body b = {.uses = xcalloc(KEYS_USED_MAX + more, sizeof(*b.uses))};
        struct json_reader r = {.fault = fault, .owner = &b, .lenient = true};
        struct json_place root;
        int refused = json_read_open(&r, body, BODY_DEPTH, &root) != 0 ? 400 : 0;
        if (refused == 0 && json_read_members(&r, &root, uses_members, &b) != 0)
                refused = 422;
        *uses = b.uses;
        *count = b.count;
        return refused;
}

static json_t *text_json(const char *text)
{
        return text[0] != '\0' ? json_string(text) : json_null();
}

static const char *state_name(enum key_state state)
{
        switch (state) {
        case KEY_ACTIVE:
                return "active";
        case KEY_EXPIRED:
                return "expired";
        case KEY_REVOKED:
                return "revoked";
        case KEY_UNKNOWN:
                break;
        }
        return "unknown";
}

json_t *key_json(const struct key *k)
{
        const struct key_record *r = &k->record;
        json_t *scopes = json_array();
        for (unsigned s = SCOPE_SUBMIT; s <= SCOPE_ADMIN; s <<= 1) {
                if ((r->scopes & s) != 0)
                        json_array_append_new(scopes, json_string(scope_name((enum scope)s)));
        }
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:s}", "id", r->id,
                         "tenant", text_json(r->tenant), "name", text_json(k->name), "scopes",
                         scopes, "created_at", limit_time_json(k->created_at), "expires",
                         limit_time_json(r->expires), "revoked", r->revoked, "last_used",
                         limit_time_json(k->used.at), "last_from", text_json(k->used.from),
                         "rotated_from", text_json(k->rotated_from), "state",
                         state_name(key_state(r, clock_wall())));
}
