/* SPDX-License-Identifier: Apache-2.0
 *
 * admit_record.c: messages of stream `admits`, written and read.
 */
#include "gateway/admit_record.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"

/* One gateway admits at most so many submissions of a tenant before it tells of them. */
#define ADMITTED_MAX ((int64_t)1000000000)
#define TIME_MAX ((int64_t)1 << 53)

void admit_list_add(struct admit_list *l, const char *tenant, int64_t value)
{
        assert(l->count < ADMIT_ENTRIES_MAX);
        struct admit_entry *entry = &l->entries[l->count++];
        snprintf(entry->tenant, sizeof(entry->tenant), "%s", tenant);
        entry->value = value;
}

static void write_list(struct buffer *out, const char *name, const struct admit_list *l)
{
        if (l->count == 0)
                return;
        json_begin_object(out, name);
        for (size_t i = 0; i < l->count; i++)
                json_put_int(out, l->entries[i].tenant, l->entries[i].value);
        json_end(out);
}

void admit_record_write(const struct admit_record *r, struct buffer *out)
{
        json_begin(out);
        json_put_string(out, "gateway", r->gateway);
        json_put_int(out, "n", r->n);
        json_put_int(out, "at", r->at);
        write_list(out, "admitted", &r->admitted);
        write_list(out, "levels", &r->levels);
        json_end(out);
}

/* A tenant's name needs no escape, so its raw form is its name. */
static int read_entry(struct json_reader *r, const struct json_place *p, struct admit_list *l,
                      int64_t least, int64_t most)
{
        char tenant[TENANT_SIZE] = "";
        int64_t value = 0;

        if (!scan_int(p->value, &value) || value < least || value > most)
                return json_refuse(r, p, "must be an integer from %lld to %lld", (long long)least,
                                   (long long)most);
        if (p->key.length == 0 || p->key.length >= sizeof(tenant))
                return json_refuse(r, p, "no tenant has this name");
        if (l->count == ADMIT_ENTRIES_MAX)
                return json_refuse(r, p, "too many tenants");
        memcpy(tenant, p->key.data, p->key.length);
        admit_list_add(l, tenant, value);
        return 0;
}

static int read_admitted(struct json_reader *r, const struct json_place *p, void *out)
{
        return read_entry(r, p, out, -ADMITTED_MAX, ADMITTED_MAX);
}

static int read_level(struct json_reader *r, const struct json_place *p, void *out)
{
        return read_entry(r, p, out, 0, TIME_MAX);
}

static int read_gateway(struct json_reader *r, const struct json_place *p, void *out)
{
        if (json_read_copy(r, p, out) != 0)
                return -1;
        return *(const char *)out != '\0' ? 0 : json_refuse(r, p, "must not be empty");
}

/* clang-format off */
#define MEMBER(field, fn, ...) {#field, fn, JSON_AT(struct admit_record, field), __VA_ARGS__}

static const struct json_member members[] = {
        MEMBER(gateway, read_gateway, .flags = JSON_REQUIRED),
        MEMBER(n, json_read_int, .least = 1, .most = TIME_MAX, .flags = JSON_REQUIRED),
        MEMBER(at, json_read_int, .least = 1, .most = TIME_MAX, .flags = JSON_REQUIRED),
        MEMBER(admitted, json_read_map, .each = read_admitted),
        MEMBER(levels, json_read_map, .each = read_level),
        {0},
};
/* clang-format on */

int admit_record_read(struct bytes json, struct admit_record *out, struct err *e)
{
        struct scan_fault fault = {0};
        struct json_reader reader = {.fault = &fault, .lenient = true};
        struct json_place root;

        out->admitted.count = out->levels.count = 0;
        out->gateway[0] = '\0';
        if (json.length > ADMIT_RECORD_BYTES_MAX)
                return err_set(e, ERR_INVALID, "a record of %zu bytes is too long", json.length);
        if (json_read_open(&reader, json, SCAN_DEPTH_MAX, &root) != 0 ||
            json_read_members(&reader, &root, members, out) != 0)
                return err_set(e, ERR_INVALID, "%s: %s", fault.pointer, fault.detail);
        return 0;
}
