/* SPDX-License-Identifier: Apache-2.0
 *
 * live_filter.c: lists of values.
 */
#include "gateway/live/live_filter.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/memory.h"

void live_filter_fini(struct live_filter *f)
{
        free(f->types.names);
        free(f->jobs.names);
        *f = (struct live_filter){.tenant = "*"};
}

/* The place where the name is, or belongs. */
static size_t place_of(const struct live_names *n, const char *name, bool *found)
{
        size_t low = 0, high = n->count;

        *found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(n->names + middle * n->size, name);
                if (order == 0) {
                        *found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int add_name(struct live_names *n, size_t size, const char *name, struct err *e)
{
        bool found;
        size_t at = place_of(n, name, &found);

        if (found)
                return 0;
        if (n->count == LIVE_VALUES_MAX)
                return err_set(e, ERR_INVALID, "has more than %d values", LIVE_VALUES_MAX);
        n->size = size;
        n->names = xrealloc(n->names, (n->count + 1) * size);
        memmove(n->names + (at + 1) * size, n->names + at * size, (n->count - at) * size);
        memset(n->names + at * size, 0, size);
        memcpy(n->names + at * size, name, strlen(name));
        n->count++;
        return 0;
}

static int add_type(struct live_filter *f, struct bytes value, struct err *e)
{
        char type[JOB_TYPE_SIZE];

        if (!job_type_is_valid(value) || bytes_to_text(value, type, sizeof(type)) != 0)
                return err_set(e, ERR_INVALID, "has a value that cannot be a type");
        return add_name(&f->types, sizeof(type), type, e);
}

static int add_job(struct live_filter *f, struct bytes value, struct err *e)
{
        char id[UUID_SIZE];

        if (!uuid_parse(value, id))
                return err_set(e, ERR_INVALID, "has a value that is no id of a job");
        return add_name(&f->jobs, sizeof(id), id, e);
}

int live_filter_add(struct live_filter *f, enum live_list list, struct bytes value, struct err *e)
{
        enum live_kind kind;
        enum status status;

        switch (list) {
        case LIVE_KINDS:
                if (!live_kind_parse(value, &kind))
                        return err_set(e, ERR_INVALID,
                                       "has a value that is no kind, such as job_started");
                f->kinds |= 1u << kind;
                return 0;
        case LIVE_STATUSES:
                if (!status_parse(value, &status))
                        return err_set(e, ERR_INVALID,
                                       "has a value that is no status, such as running");
                f->statuses |= 1u << status;
                return 0;
        case LIVE_TYPES:
                return add_type(f, value, e);
        case LIVE_JOBS:
                return add_job(f, value, e);
        }
        return 0;
}

int live_filter_set_mode(struct live_filter *f, struct bytes mode, struct err *e)
{
        f->counts = bytes_equal_text(mode, "counts");
        if (f->counts || bytes_equal_text(mode, "events"))
                return 0;
        return err_set(e, ERR_INVALID, "must be \"events\" or \"counts\"");
}

static bool names_equal(const struct live_names *a, const struct live_names *b)
{
        return a->count == b->count &&
               (a->count == 0 || memcmp(a->names, b->names, a->count * a->size) == 0);
}

bool live_filter_equal(const struct live_filter *a, const struct live_filter *b)
{
        return a->counts == b->counts && a->kinds == b->kinds && a->statuses == b->statuses &&
               strcmp(a->tenant, b->tenant) == 0 && names_equal(&a->types, &b->types) &&
               names_equal(&a->jobs, &b->jobs);
}

static bool has_name(const struct live_names *n, const char *name)
{
        bool found;

        (void)place_of(n, name, &found);
        return found;
}

bool live_filter_matches(const struct live_filter *f, const struct live_tags *tags)
{
        if (f->tenant[0] != '*' && strcmp(f->tenant, tags->tenant) != 0)
                return false;
        if (f->kinds != 0 && (f->kinds >> tags->kind & 1) == 0)
                return false;
        if (f->statuses != 0 && (!tags->shown || (f->statuses >> tags->status & 1) == 0))
                return false;
        if (f->types.count > 0 && tags->type[0] != '\0' && !has_name(&f->types, tags->type))
                return false;
        return f->jobs.count == 0 || has_name(&f->jobs, tags->id);
}

static void write_names(const struct live_names *n, const char *name, struct buffer *out)
{
        json_begin_array(out, name);
        for (size_t i = 0; i < n->count; i++)
                json_put_string(out, NULL, n->names + i * n->size);
        json_end_array(out);
}

void live_filter_write(const struct live_filter *f, const char *name, struct buffer *out)
{
        json_begin_object(out, name);
        json_begin_array(out, "kinds");
        for (unsigned k = 0; k < LIVE_KIND_COUNT; k++)
                if ((f->kinds >> k & 1) != 0)
                        json_put_string(out, NULL, live_kind_name((enum live_kind)k));
        json_end_array(out);
        write_names(&f->types, "types", out);
        json_begin_array(out, "status");
        for (unsigned s = 0; s < STATUS_COUNT; s++)
                if ((f->statuses >> s & 1) != 0)
                        json_put_string(out, NULL, status_name((enum status)s));
        json_end_array(out);
        write_names(&f->jobs, "jobs", out);
        json_put_string(out, "tenant", f->tenant);
        json_put_string(out, "mode", f->counts ? "counts" : "events");
        json_end(out);
}

/* A text of the client's message. */
static int read_word(struct json_reader *r, const struct json_place *p, char *out, size_t size)
{
        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;
        return json_copy_text(p->value, out, size) ? 0 : json_refuse(r, p, "is too long");
}

static int read_value(struct json_reader *r, const struct json_place *p, enum live_list list)
{
        struct live_message *m = r->owner;
        char word[JOB_TYPE_SIZE];
        struct err why = {0};

        if (p->index >= LIVE_VALUES_MAX)
                return json_refuse(r, p->up, "has more than %d values", LIVE_VALUES_MAX);
        if (read_word(r, p, word, sizeof(word)) != 0)
                return -1;
        if (live_filter_add(&m->filter, list, bytes_of_text(word), &why) != 0)
                return json_refuse(r, p->up, "%s", why.text);
        return 0;
}

static int read_kind(struct json_reader *r, const struct json_place *p, void *out)
{
        (void)out;
        return read_value(r, p, LIVE_KINDS);
}

static int read_type(struct json_reader *r, const struct json_place *p, void *out)
{
        (void)out;
        return read_value(r, p, LIVE_TYPES);
}

static int read_status(struct json_reader *r, const struct json_place *p, void *out)
{
        (void)out;
        return read_value(r, p, LIVE_STATUSES);
}

static int read_job(struct json_reader *r, const struct json_place *p, void *out)
{
        (void)out;
        return read_value(r, p, LIVE_JOBS);
}

static int read_mode(struct json_reader *r, const struct json_place *p, void *out)
{
        struct live_filter *f = out;
        char word[16];
        struct err why = {0};

        if (read_word(r, p, word, sizeof(word)) != 0)
                return -1;
        if (live_filter_set_mode(f, bytes_of_text(word), &why) != 0)
                return json_refuse(r, p, "%s", why.text);
        return 0;
}

static int read_tenant(struct json_reader *r, const struct json_place *p, void *out)
{
        struct live_filter *f = out;
        char word[TENANT_SIZE];

        if (read_word(r, p, word, sizeof(word)) != 0)
                return -1;
        if (strcmp(word, "*") != 0 && !tenant_name_is_valid(bytes_of_text(word)))
                return json_refuse(r, p, "is no name of a tenant");
        memcpy(f->tenant, word, strlen(word) + 1);
        return 0;
}

static int read_filter(struct json_reader *r, const struct json_place *p, void *out)
{
        static const struct json_member members[] = {
                {"kinds", json_read_list, .each = read_kind, .flags = JSON_NULLABLE},
                {"types", json_read_list, .each = read_type, .flags = JSON_NULLABLE},
                {"status", json_read_list, .each = read_status, .flags = JSON_NULLABLE},
                {"jobs", json_read_list, .each = read_job, .flags = JSON_NULLABLE},
                {"tenant", read_tenant, .flags = JSON_NULLABLE},
                {"mode", read_mode, .flags = JSON_NULLABLE},
                {0},
        };
        struct live_message *m = r->owner;

        (void)out;
        if (json_read_is(r, p, SCAN_OBJECT) != 0)
                return -1;
        m->has_filter = true;
        return json_read_members(r, p, members, &m->filter);
}

static int refuse(const struct scan_fault *fault, struct err *e)
{
        return err_set(e, ERR_INVALID, "%s%s%s", fault->pointer, fault->pointer[0] ? ": " : "",
                       fault->detail);
}

int live_message_parse(struct bytes text, struct live_message *out, struct err *e)
{
        static const struct json_member members[] = {
                {"filter", read_filter, JSON_AT(struct live_message, filter)},
                {"ping", json_read_raw, JSON_AT(struct live_message, ping)},
                {0},
        };
        struct scan_fault fault = {0};
        struct json_reader r = {.fault = &fault, .owner = out};
        struct json_place root;

        *out = (struct live_message){.filter.tenant = "*"};
        if (json_read_open(&r, text, LIVE_MESSAGE_DEPTH, &root) != 0 ||
            json_read_members(&r, &root, members, out) != 0)
                return refuse(&fault, e);
        if (out->has_filter == (out->ping.data != NULL))
                return err_set(e, ERR_INVALID, "a message has either filter or ping");
        return 0;
}
