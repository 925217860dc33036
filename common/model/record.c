/* SPDX-License-Identifier: Apache-2.0
 *
 * record.c: control records as JSON, read and written.
 */
#include "common/model/record.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/json_scan.h"

#define COUNTER_MAX ((int64_t)1 << 53)

const struct tenant_record tenant_record_default = {
        .rate_count = 10,
        .rate_per = MSEC_MINUTE,
        .burst = 10,
        .max_running = RECORD_UNLIMITED,
        .max_pending = 100000,
        .weight = 1,
};

static const struct {
        const char *name;
        enum scope scope;
} scopes[] = {
        {"submit", SCOPE_SUBMIT},
        {"read", SCOPE_READ},
        {"operate", SCOPE_OPERATE},
        {"admin", SCOPE_ADMIN},
};
enum { SCOPE_COUNT = sizeof(scopes) / sizeof(scopes[0]) };

const char *scope_name(enum scope s)
{
        for (size_t i = 0; i < SCOPE_COUNT; i++) {
                if (scopes[i].scope == s)
                        return scopes[i].name;
        }
        return "";
}

bool scope_parse(struct bytes name, unsigned *scope)
{
        for (size_t i = 0; i < SCOPE_COUNT; i++) {
                if (bytes_equal_text(name, scopes[i].name)) {
                        *scope = scopes[i].scope;
                        return true;
                }
        }
        return false;
}

/* Each reader leaves *out alone when the member is missing, and fails when its value is wrong. */
static int read_int(struct scan_value object, const char *name, int64_t low, int64_t *out,
                    struct err *e)
{
        struct scan_value value;
        int64_t number;

        if (!scan_find(object, name, &value))
                return 0;
        if (value.kind != SCAN_NUMBER || !scan_int(value, &number) || number < low ||
            number > COUNTER_MAX)
                return err_set(e, ERR_INVALID, "%s: an integer of at least %" PRId64 " is wanted",
                               name, low);
        *out = number;
        return 0;
}

static int read_limit(struct scan_value object, const char *name, int64_t *out, struct err *e)
{
        struct scan_value value;

        if (scan_find(object, name, &value) && value.kind == SCAN_NULL) {
                *out = RECORD_UNLIMITED;
                return 0;
        }
        return read_int(object, name, 0, out, e);
}

static int read_bool(struct scan_value object, const char *name, bool *out, struct err *e)
{
        struct scan_value value;

        if (!scan_find(object, name, &value))
                return 0;
        if (value.kind != SCAN_TRUE && value.kind != SCAN_FALSE)
                return err_set(e, ERR_INVALID, "%s: true or false is wanted", name);
        *out = value.kind == SCAN_TRUE;
        return 0;
}

/* Missing or null: out is empty. */
static int read_text(struct scan_value object, const char *name, char *out, size_t size,
                     struct err *e)
{
        AUTO_BUFFER text = {0};
        struct scan_value value;

        out[0] = '\0';
        if (!scan_find(object, name, &value) || value.kind == SCAN_NULL)
                return 0;
        if (value.kind != SCAN_STRING)
                return err_set(e, ERR_INVALID, "%s: a string is wanted", name);
        scan_string(value, &text);
        if (text.length > 0 && bytes_to_text(buffer_bytes(&text), out, size) != 0)
                return err_set(e, ERR_INVALID, "%s: too long", name);
        return 0;
}

static int read_rate(struct scan_value object, struct tenant_record *t, struct err *e)
{
        char per[TIME_TEXT_SIZE];
        struct scan_value value;

        if (!scan_find(object, "rate", &value))
                return 0;
        if (value.kind == SCAN_NULL) {
                t->rate_count = RECORD_UNLIMITED;
                return 0;
        }
        if (value.kind != SCAN_OBJECT)
                return err_set(e, ERR_INVALID, "rate: an object or null is wanted");
        if (read_int(value, "count", 1, &t->rate_count, e) != 0 ||
            read_text(value, "per", per, sizeof(per), e) != 0 ||
            duration_parse(per, &t->rate_per, e) != 0)
                return err_wrap(e, "rate");
        return t->rate_per > 0 ? 0 : err_set(e, ERR_INVALID, "rate: per is zero");
}

static int parse_tenant(struct scan_value root, struct tenant_record *t, struct err *e)
{
        *t = tenant_record_default;
        if (read_text(root, "key", t->name, sizeof(t->name), e) != 0)
                return -1;
        if (!tenant_name_is_valid(bytes_of_text(t->name)))
                return err_set(e, ERR_INVALID, "key: no tenant name");
        if (read_int(root, "v", 0, &t->v, e) != 0 || read_rate(root, t, e) != 0 ||
            read_int(root, "burst", 1, &t->burst, e) != 0 ||
            read_limit(root, "max_running", &t->max_running, e) != 0 ||
            read_int(root, "slots_version", 0, &t->slots_version, e) != 0 ||
            read_limit(root, "max_pending", &t->max_pending, e) != 0 ||
            read_int(root, "weight", 1, &t->weight, e) != 0 ||
            read_bool(root, "paused", &t->paused, e) != 0 ||
            read_bool(root, "deleted", &t->deleted, e) != 0)
                return -1;
        return 0;
}

static int read_hash(struct scan_value root, unsigned char out[KEY_HASH_SIZE], struct err *e)
{
        char text[2 * KEY_HASH_SIZE + 1] = "";

        if (read_text(root, "sha256", text, sizeof(text), e) != 0)
                return -1;
        if (strlen(text) != 2 * KEY_HASH_SIZE)
                return err_set(e, ERR_INVALID, "sha256: 64 hexadecimal digits are wanted");
        for (size_t i = 0; i < KEY_HASH_SIZE; i++) {
                int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
                if (high < 0 || low < 0)
                        return err_set(e, ERR_INVALID, "sha256: no hexadecimal digits");
                out[i] = (unsigned char)(high << 4 | low);
        }
        return 0;
}

static int read_scopes(struct scan_value root, unsigned *out, struct err *e)
{
        struct scan_value list;
        struct scan_item item;
        unsigned scope;

        if (!scan_find(root, "scopes", &list) || list.kind != SCAN_ARRAY)
                return err_set(e, ERR_INVALID, "scopes: an array is wanted");
        struct scan_cursor cursor = scan_items(list);
        while (scan_next(&cursor, &item)) {
                struct bytes raw = item.value.raw;
                /* A scope of a later version grants nothing here. */
                if (item.value.kind == SCAN_STRING &&
                    scope_parse(bytes_of(raw.data + 1, raw.length - 2), &scope))
                        *out |= scope;
        }
        return 0;
}

static bool is_key_id(const char *id)
{
        return strlen(id) == KEY_ID_SIZE - 1 &&
               strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == KEY_ID_SIZE - 1;
}

static int parse_key(struct scan_value root, struct key_record *k, struct err *e)
{
        struct scan_value expires;

        if (read_text(root, "key", k->id, sizeof(k->id), e) != 0)
                return -1;
        if (!is_key_id(k->id))
                return err_set(e, ERR_INVALID, "key: no key id");
        if (read_int(root, "v", 0, &k->v, e) != 0 ||
            read_text(root, "tenant", k->tenant, sizeof(k->tenant), e) != 0 ||
            read_hash(root, k->sha256, e) != 0 || read_scopes(root, &k->scopes, e) != 0 ||
            read_bool(root, "revoked", &k->revoked, e) != 0)
                return -1;
        if (k->tenant[0] != '\0' && !tenant_name_is_valid(bytes_of_text(k->tenant)))
                return err_set(e, ERR_INVALID, "tenant: no tenant name");
        if (scan_find(root, "expires", &expires) && expires.kind != SCAN_NULL)
                return read_int(root, "expires", 1, &k->expires, e);
        return 0;
}

static int parse_pause(struct scan_value root, struct pause_record *p, struct err *e)
{
        if (read_text(root, "key", p->key, sizeof(p->key), e) != 0)
                return -1;
        if (p->key[0] == '\0')
                return err_set(e, ERR_INVALID, "key: missing");
        if (read_int(root, "v", 0, &p->v, e) != 0)
                return -1;
        return read_bool(root, "paused", &p->paused, e);
}

static int parse_sync(struct scan_value root, char out[UUID_SIZE], struct err *e)
{
        char text[UUID_SIZE];

        if (read_text(root, "key", text, sizeof(text), e) != 0)
                return -1;
        return uuid_parse(bytes_of_text(text), out) ? 0 : err_set(e, ERR_INVALID, "key: no UUID");
}

int record_parse(struct bytes json, struct record *out, struct err *e)
{
        struct scan_fault fault;
        char kind[32];

        memset(out, 0, sizeof(*out));
        if (scan_check(json, SCAN_DEPTH_MAX, &fault) != 0)
                return err_set(e, ERR_INVALID, "no JSON: %s at line %u, column %u", fault.detail,
                               fault.line, fault.column);
        struct scan_value root = scan_root(json);
        if (root.kind != SCAN_OBJECT)
                return err_set(e, ERR_INVALID, "no JSON object");
        if (read_text(root, "record", kind, sizeof(kind), NULL) != 0)
                kind[0] = '\0';
        out->kind = RECORD_UNKNOWN;
        if (strcmp(kind, "tenant") == 0) {
                out->kind = RECORD_TENANT;
                return parse_tenant(root, &out->tenant, e);
        }
        if (strcmp(kind, "apikey") == 0) {
                out->kind = RECORD_KEY;
                return parse_key(root, &out->key, e);
        }
        if (strcmp(kind, "pause") == 0) {
                out->kind = RECORD_PAUSE;
                return parse_pause(root, &out->pause, e);
        }
        if (strcmp(kind, "sync") == 0) {
                out->kind = RECORD_SYNC;
                return parse_sync(root, out->sync, e);
        }
        return 0;
}

static const char *truth(bool value)
{
        return value ? "true" : "false";
}

static void write_limit(struct buffer *out, const char *name, int64_t limit)
{
        if (limit == RECORD_UNLIMITED)
                buffer_printf(out, ",\"%s\":null", name);
        else
                buffer_printf(out, ",\"%s\":%" PRId64, name, limit);
}

static void write_tenant(const struct tenant_record *t, struct buffer *out)
{
        char per[TIME_TEXT_SIZE];

        buffer_printf(out, "{\"record\":\"tenant\",\"key\":\"%s\",\"v\":%" PRId64, t->name, t->v);
        if (t->rate_count == RECORD_UNLIMITED)
                buffer_add_text(out, ",\"rate\":null");
        else
                buffer_printf(out, ",\"rate\":{\"count\":%" PRId64 ",\"per\":\"%s\"}",
                              t->rate_count, duration_format(t->rate_per, per));
        buffer_printf(out, ",\"burst\":%" PRId64, t->burst);
        write_limit(out, "max_running", t->max_running);
        buffer_printf(out, ",\"slots_version\":%" PRId64, t->slots_version);
        write_limit(out, "max_pending", t->max_pending);
        buffer_printf(out, ",\"weight\":%" PRId64 ",\"paused\":%s,\"deleted\":%s}", t->weight,
                      truth(t->paused), truth(t->deleted));
}

static void write_key(const struct key_record *k, struct buffer *out)
{
        const char *comma = "";

        buffer_printf(out,
                      "{\"record\":\"apikey\",\"key\":\"%s\",\"v\":%" PRId64 ",\"tenant\":", k->id,
                      k->v);
        if (k->tenant[0] == '\0')
                buffer_add_text(out, "null");
        else
                buffer_printf(out, "\"%s\"", k->tenant);
        buffer_add_text(out, ",\"sha256\":\"");
        for (size_t i = 0; i < KEY_HASH_SIZE; i++)
                buffer_printf(out, "%02x", k->sha256[i]);
        buffer_add_text(out, "\",\"scopes\":[");
        for (size_t i = 0; i < SCOPE_COUNT; i++) {
                if ((k->scopes & scopes[i].scope) == 0)
                        continue;
                buffer_printf(out, "%s\"%s\"", comma, scopes[i].name);
                comma = ",";
        }
        buffer_add_char(out, ']');
        write_limit(out, "expires", k->expires == 0 ? RECORD_UNLIMITED : k->expires);
        buffer_printf(out, ",\"revoked\":%s}", truth(k->revoked));
}

void record_write(const struct record *r, struct buffer *out)
{
        switch (r->kind) {
        case RECORD_TENANT:
                write_tenant(&r->tenant, out);
                break;
        case RECORD_KEY:
                write_key(&r->key, out);
                break;
        case RECORD_PAUSE:
                buffer_add_text(out, "{\"record\":\"pause\",\"key\":");
                buffer_add_json_string(out, bytes_of_text(r->pause.key));
                buffer_printf(out, ",\"v\":%" PRId64 ",\"paused\":%s}", r->pause.v,
                              truth(r->pause.paused));
                break;
        case RECORD_SYNC:
                buffer_printf(out, "{\"record\":\"sync\",\"key\":\"%s\"}", r->sync);
                break;
        case RECORD_UNKNOWN:
                break;
        }
}
