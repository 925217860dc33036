/* SPDX-License-Identifier: Apache-2.0
 *
 * job_filter.c: reads a filter from a request; whether a row matches it.
 */
#include "status-store/job_filter.h"

#include <string.h>

#include "status-store/api.h"

/* Adds one value of a parameter; false: it is no such value. */
typedef bool take_fn(struct job_filter *f, struct bytes word);

static bool take_status(struct job_filter *f, struct bytes word)
{
        enum status s = STATUS_PENDING;
        if (!status_parse(word, &s))
                return false;
        f->statuses |= 1u << s;
        return true;
}

static bool take_priority(struct job_filter *f, struct bytes word)
{
        enum priority p = PRIORITY_MEDIUM;
        bool digit = word.length == 1 && word.data[0] >= '0' && word.data[0] < '0' + PRIORITY_COUNT;
        if (digit)
                p = (enum priority)(word.data[0] - '0');
        else if (!priority_parse(word, &p))
                return false;
        f->priorities |= 1u << p;
        return true;
}

static bool has_type(const struct job_filter *f, const char *type)
{
        for (unsigned i = 0; i < f->type_count; i++)
                if (strcmp(f->types[i], type) == 0)
                        return true;
        return false;
}

static bool take_type(struct job_filter *f, struct bytes word)
{
        char type[JOB_TYPE_SIZE];
        if (!job_type_is_valid(word) || bytes_to_text(word, type, sizeof(type)) != 0)
                return false;
        if (has_type(f, type))
                return true;
        if (f->type_count == FILTER_TYPES_MAX)
                return false;
        memcpy(f->types[f->type_count++], type, sizeof(type));
        return true;
}

static const struct words {
        const char *name;
        take_fn *take;
        const char *must;
} all_words[] = {
        {"status", take_status,
         "must be scheduled, pending, running, failed, completed, dead or cancelled"},
        {"priority", take_priority, "must be low, medium, high, critical or 0 to 3"},
        {"type", take_type, "must be a valid job type, and there may be 32"},
};

static bool read_words(struct http_request *r, struct job_filter *f, const struct words *w)
{
        const char *at = http_query(r, w->name);
        while (at != NULL) {
                size_t length = strcspn(at, ",");
                if (!w->take(f, bytes_of(at, length))) {
                        http_problem(r, 400, "%s: \"%.*s\" %s", w->name,
                                     length < 64 ? (int)length : 64, at, w->must);
                        return false;
                }
                at = at[length] == ',' ? at + length + 1 : NULL;
        }
        return true;
}

static bool read_time(struct http_request *r, const char *name, msec *out)
{
        struct err why = {0};
        const char *text = http_query(r, name);
        if (text == NULL || time_parse(text, out, &why) == 0)
                return true;
        http_problem(r, 400, "%s: %s", name, why.text);
        return false;
}

bool job_filter_read(struct http_request *r, struct job_filter *f)
{
        *f = (struct job_filter){.tenant = api_tenant(r), .text = http_query(r, "q")};
        if (f->tenant == NULL)
                return false;
        for (size_t i = 0; i < sizeof(all_words) / sizeof(all_words[0]); i++)
                if (!read_words(r, f, &all_words[i]))
                        return false;
        return read_time(r, "created_after", &f->created_after) &&
               read_time(r, "created_before", &f->created_before);
}

bool job_filter_takes_shelf(const struct job_filter *f, int shelf)
{
        int state = shelf / SHELF_STATE;
        int priority = shelf % SHELF_STATE;
        if (state >= STATE_HIDDEN)
                return false;
        return (f->statuses == 0 || (f->statuses >> state & 1) != 0) &&
               (f->priorities == 0 ||
                (priority < PRIORITY_COUNT && (f->priorities >> priority & 1) != 0));
}

bool job_filter_matches(const struct job_filter *f, const struct job_row *row)
{
        if (!job_filter_takes_shelf(f, job_row_shelf(row)))
                return false;
        if (strcmp(f->tenant, "*") != 0 && strcmp(f->tenant, row->tenant) != 0)
                return false;
        if (f->type_count > 0 && !has_type(f, job_row_type(row)))
                return false;
        return (f->created_after == 0 || row->created_at > f->created_after) &&
               (f->created_before == 0 || row->created_at < f->created_before);
}
