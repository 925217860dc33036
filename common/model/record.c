/* SPDX-License-Identifier: Apache-2.0
 *
 * record.c: control records as JSON, read and written.
 */
#include "common/model/record.h"

#include <string.h>

#include "common/base/hex.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/model/job_members.h"

#define COUNTER_MAX ((int64_t)1 << 53)

const struct tenant_record tenant_record_default = {
        .rate_count = 10,
        .rate_per = MSEC_MINUTE,
        .burst = 10,
        .max_running = 5,
        .max_pending = 100000,
        .weight = 1,
};

/* In the order of the bits of enum scope. */
static const char *const scopes[] = {"submit", "read", "operate", "admin"};
enum { SCOPE_COUNT = sizeof(scopes) / sizeof(scopes[0]) };

const char *scope_name(enum scope s)
{
        return scopes[__builtin_ctz(s)];
}

bool scope_parse(struct bytes name, unsigned *scope)
{
        unsigned at;

        if (!bytes_find(name, scopes, SCOPE_COUNT, &at))
                return false;
        *scope = 1U << at;
        return true;
}

/* null: unlimited. */
static int read_limit(struct json_reader *r, const struct json_place *p, void *out)
{
        if (p->value.kind != SCAN_NULL)
                return json_read_int(r, p, out);
        *(int64_t *)out = RECORD_UNLIMITED;
        return 0;
}

static int read_period(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[TIME_TEXT_SIZE];

        if (json_copy_text(p->value, text, sizeof(text)) && duration_parse(text, out, NULL) == 0 &&
            *(msec *)out > 0)
                return 0;
        return json_refuse(r, p, "must be a duration above zero");
}

static int read_key_id(struct json_reader *r, const struct json_place *p, void *out)
{
        const char *id = out;

        if (json_read_copy(r, p, out) != 0)
                return -1;
        if (strlen(id) == KEY_ID_SIZE - 1 &&
            strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == KEY_ID_SIZE - 1)
                return 0;
        return json_refuse(r, p, "no key id");
}

static int read_hash(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[2 * KEY_HASH_SIZE + 1] = "";
        bool good = json_copy_text(p->value, text, sizeof(text)) &&
                    strlen(text) == 2 * (size_t)KEY_HASH_SIZE;

        for (size_t i = 0; good && i < KEY_HASH_SIZE; i++) {
                int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
                good = high >= 0 && low >= 0;
                if (good)
                        ((unsigned char *)out)[i] = (unsigned char)(high << 4 | low);
        }
        return good ? 0 : json_refuse(r, p, "must be %d hexadecimal digits", 2 * KEY_HASH_SIZE);
}

/* Ignores a scope of a later version: it grants nothing here. */
static int read_scope(struct json_reader *r, const struct json_place *p, void *out)
{
        char name[16];
        unsigned scope;

        (void)r;
        if (json_copy_text(p->value, name, sizeof(name)) &&
            scope_parse(bytes_of_text(name), &scope))
                *(unsigned *)out |= scope;
        return 0;
}

static int read_pause_key(struct json_reader *r, const struct json_place *p, void *out)
{
        if (json_read_copy(r, p, out) != 0)
                return -1;
        return *(const char *)out != '\0' ? 0 : json_refuse(r, p, "must not be empty");
}

/* Who it was is for people: a record does not fail by it. */
static int read_by(struct json_reader *r, const struct json_place *p, void *out)
{
        (void)r;
        if (!json_copy_text(p->value, out, p->member->size))
                *(char *)out = '\0';
        return 0;
}

static const char *const kind_words[] = {
        [RECORD_TENANT] = "tenant", [RECORD_KEY] = "apikey", [RECORD_PAUSE] = "pause",
        [RECORD_SYNC] = "sync",     [RECORD_TYPE] = "type",
};

/* A record of a later version is RECORD_UNKNOWN, whatever it contains. */
static int read_kind(struct json_reader *r, const struct json_place *p, void *out)
{
        enum record_kind *kind = out;
        char word[16] = "";

        (void)r;
        (void)json_copy_text(p->value, word, sizeof(word));
        if (!bytes_find(bytes_of_text(word), kind_words, RECORD_UNKNOWN, (unsigned *)kind))
                *kind = RECORD_UNKNOWN;
        return 0;
}

/* clang-format off */
#define TENANT(field, fn, ...) {#field, fn, JSON_AT(struct tenant_record, field), __VA_ARGS__}
#define TYPE(field, fn, ...) {#field, fn, JSON_AT(struct type_record, field), __VA_ARGS__}
#define KEY(field, fn, ...) {#field, fn, JSON_AT(struct key_record, field), __VA_ARGS__}
#define FROM(low) .least = (low), .most = COUNTER_MAX
#define REQUIRED .flags = JSON_REQUIRED

static const struct json_member kind_members[] = {
        {"record", read_kind, JSON_AT(struct record, kind)},
        {0},
};

#define RATE_MEMBERS(record) \
        {"count", json_read_int, JSON_AT(record, rate_count), FROM(1)}, \
        {"per", read_period, JSON_AT(record, rate_per), REQUIRED}, \
        {0}

static const struct json_member rate_members[] = {RATE_MEMBERS(struct tenant_record)};
static const struct json_member type_rate_members[] = {RATE_MEMBERS(struct type_record)};

/* null: unlimited. */
static int read_rate(struct json_reader *r, const struct json_place *p, void *out)
{
        if (p->value.kind != SCAN_NULL)
                return json_read_members(r, p, rate_members, out);
        ((struct tenant_record *)out)->rate_count = RECORD_UNLIMITED;
        return 0;
}

static int read_type_rate(struct json_reader *r, const struct json_place *p, void *out)
{
        if (p->value.kind != SCAN_NULL)
                return json_read_members(r, p, type_rate_members, out);
        ((struct type_record *)out)->rate_count = RECORD_UNLIMITED;
        return 0;
}

static const struct json_member tenant_members[] = {
        {"key", job_read_tenant, JSON_AT(struct tenant_record, name), REQUIRED},
        TENANT(v, json_read_int, FROM(0)),
        {"rate", read_rate, .offset = 0},
        TENANT(burst, json_read_int, FROM(1)),
        TENANT(max_running, read_limit, FROM(0)),
        TENANT(slots_version, json_read_int, FROM(0)),
        TENANT(max_pending, read_limit, FROM(0)),
        TENANT(weight, json_read_int, FROM(1)),
        TENANT(paused, json_read_flag),
        TENANT(deleted, json_read_flag),
        TENANT(paused_at, json_read_int, FROM(1), .flags = JSON_NULLABLE),
        TENANT(by, read_by),
        {0},
};

static const struct json_member key_members[] = {
        {"key", read_key_id, JSON_AT(struct key_record, id), REQUIRED},
        KEY(v, json_read_int, FROM(0)),
        KEY(tenant, job_read_tenant, .flags = JSON_NULLABLE),
        KEY(sha256, read_hash, REQUIRED),
        KEY(scopes, json_read_list, .each = read_scope, REQUIRED),
        KEY(expires, json_read_int, FROM(1), .flags = JSON_NULLABLE),
        KEY(revoked, json_read_flag),
        {0},
};

static const struct json_member pause_members[] = {
        {"key", read_pause_key, JSON_AT(struct pause_record, key), REQUIRED},
        {"v", json_read_int, JSON_AT(struct pause_record, v), FROM(0)},
        {"paused", json_read_flag, JSON_AT(struct pause_record, paused)},
        {"paused_at", json_read_int, JSON_AT(struct pause_record, paused_at), FROM(1),
         .flags = JSON_NULLABLE},
        {"by", read_by, JSON_AT(struct pause_record, by)},
        {0},
};

static const struct json_member type_members[] = {
        {"key", job_read_type, JSON_AT(struct type_record, name), REQUIRED},
        TYPE(v, json_read_int, FROM(0)),
        TYPE(max_running, read_limit, FROM(0)),
        TYPE(slots_version, json_read_int, FROM(0)),
        {"max_rate", read_type_rate, .offset = 0},
        TYPE(rate_version, json_read_int, FROM(0)),
        {0},
};

static const struct json_member sync_members[] = {
        {"key", json_read_uuid, .flags = JSON_REQUIRED},
        {0},
};
/* clang-format on */

static int read_record(struct json_reader *r, const struct json_place *root, struct record *out)
{
        out->kind = RECORD_UNKNOWN;
        if (json_read_members(r, root, kind_members, out) != 0)
                return -1;
        switch (out->kind) {
        case RECORD_TENANT:
                out->tenant = tenant_record_default;
                out->tenant.max_running = RECORD_UNLIMITED; /* of a version without this limit */
                return json_read_members(r, root, tenant_members, &out->tenant);
        case RECORD_KEY:
                return json_read_members(r, root, key_members, &out->key);
        case RECORD_PAUSE:
                return json_read_members(r, root, pause_members, &out->pause);
        case RECORD_TYPE:
                out->type.max_running = out->type.rate_count = RECORD_UNLIMITED;
                return json_read_members(r, root, type_members, &out->type);
        case RECORD_SYNC:
                return json_read_members(r, root, sync_members, out->sync);
        case RECORD_UNKNOWN:
                return 0;
        }
        return 0;
}

int record_parse(struct bytes json, struct record *out, struct err *e)
{
        struct scan_fault fault;
        struct json_reader r = {.fault = &fault, .lenient = true};
        struct json_place root;

        memset(out, 0, sizeof(*out));
        if (json_read_open(&r, json, SCAN_DEPTH_MAX, &root) != 0)
                return err_set(e, ERR_INVALID, "not JSON: %s at line %u, column %u", fault.detail,
                               fault.line, fault.column);
        if (read_record(&r, &root, out) != 0)
                return err_set(e, ERR_INVALID, "%s: %s", fault.pointer, fault.detail);
        return 0;
}

static void write_limit(struct buffer *out, const char *name, int64_t limit)
{
        if (limit == RECORD_UNLIMITED)
                json_put_null(out, name);
        else
                json_put_int(out, name, limit);
}

static void write_rate(struct buffer *out, const char *name, int64_t count, msec period)
{
        char per[TIME_TEXT_SIZE];

        if (count == RECORD_UNLIMITED) {
                json_put_null(out, name);
                return;
        }
        json_begin_object(out, name);
        json_put_int(out, "count", count);
        json_put_string(out, "per", duration_format(period, per));
        json_end(out);
}

static void write_pausing(msec paused_at, const char *by, struct buffer *out)
{
        if (paused_at > 0)
                json_put_int(out, "paused_at", paused_at);
        if (by[0] != '\0')
                json_put_string(out, "by", by);
}

static void write_tenant(const struct tenant_record *t, struct buffer *out)
{
        json_put_string(out, "key", t->name);
        json_put_int(out, "v", t->v);
        write_rate(out, "rate", t->rate_count, t->rate_per);
        json_put_int(out, "burst", t->burst);
        write_limit(out, "max_running", t->max_running);
        json_put_int(out, "slots_version", t->slots_version);
        write_limit(out, "max_pending", t->max_pending);
        json_put_int(out, "weight", t->weight);
        json_put_flag(out, "paused", t->paused);
        json_put_flag(out, "deleted", t->deleted);
        write_pausing(t->paused_at, t->by, out);
}

static void write_type(const struct type_record *t, struct buffer *out)
{
        json_put_string(out, "key", t->name);
        json_put_int(out, "v", t->v);
        write_limit(out, "max_running", t->max_running);
        json_put_int(out, "slots_version", t->slots_version);
        write_rate(out, "max_rate", t->rate_count, t->rate_per);
        json_put_int(out, "rate_version", t->rate_version);
}

static void write_key(const struct key_record *k, struct buffer *out)
{
        char hash[2 * KEY_HASH_SIZE];

        for (size_t i = 0; i < sizeof(hash); i++)
                hash[i] = "0123456789abcdef"[k->sha256[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
        json_put_string(out, "key", k->id);
        json_put_int(out, "v", k->v);
        json_put_text_or_null(out, "tenant", bytes_of_text(k->tenant));
        json_put_text(out, "sha256", bytes_of(hash, sizeof(hash)));
        json_begin_array(out, "scopes");
        for (size_t i = 0; i < SCOPE_COUNT; i++) {
                if ((k->scopes >> i & 1) != 0)
                        json_put_string(out, NULL, scopes[i]);
        }
        json_end_array(out);
        write_limit(out, "expires", k->expires == 0 ? RECORD_UNLIMITED : k->expires);
        json_put_flag(out, "revoked", k->revoked);
}

void record_write(const struct record *r, struct buffer *out)
{
        if (r->kind == RECORD_UNKNOWN)
                return;
        json_begin(out);
        json_put_string(out, "record", kind_words[r->kind]);
        switch (r->kind) {
        case RECORD_TENANT:
                write_tenant(&r->tenant, out);
                break;
        case RECORD_KEY:
                write_key(&r->key, out);
                break;
        case RECORD_PAUSE:
                json_put_string(out, "key", r->pause.key);
                json_put_int(out, "v", r->pause.v);
                json_put_flag(out, "paused", r->pause.paused);
                write_pausing(r->pause.paused_at, r->pause.by, out);
                break;
        case RECORD_TYPE:
                write_type(&r->type, out);
                break;
        case RECORD_SYNC:
                json_put_string(out, "key", r->sync);
                break;
        case RECORD_UNKNOWN:
                break;
        }
        json_end(out);
}
