/* SPDX-License-Identifier: Apache-2.0
 *
 * job_filter.c: reads a filter from a request; whether a row matches it.
 */
#include "status-store/jobs/job_filter.h"

#include <string.h>

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
enum { WORDS_COUNT = sizeof(all_words) / sizeof(all_words[0]), SHOWN_MAX = 64 };

static int set_words(struct job_filter *f, const struct words *w, const char *list, struct err *e)
{
        for (const char *at = list; at != NULL;) {
                size_t length = strcspn(at, ",");
                if (!w->take(f, bytes_of(at, length)))
                        return err_set(e, ERR_INVALID, "%s: \"%.*s\" %s", w->name,
                                       length < SHOWN_MAX ? (int)length : SHOWN_MAX, at, w->must);
                at = at[length] == ',' ? at + length + 1 : NULL;
        }
        return 0;
}

static int set_time(msec *out, const char *name, const char *text, struct err *e)
{
        struct err why = {0};
        if (time_parse_bound(text, out, &why) == 0)
                return 0;
        return err_set(e, ERR_INVALID, "%s: %s", name, why.text);
}

int job_filter_set(struct job_filter *f, const char *name, const char *value, struct err *e)
{
        for (size_t i = 0; i < WORDS_COUNT; i++)
                if (strcmp(name, all_words[i].name) == 0)
                        return set_words(f, &all_words[i], value, e);
        if (strcmp(name, "created_after") == 0)
                return set_time(&f->created_after, name, value, e);
        if (strcmp(name, "created_before") == 0)
                return set_time(&f->created_before, name, value, e);
        if (strcmp(name, "q") != 0)
                return err_set(e, ERR_INVALID, "%s: jobs are not filtered by it", name);
        f->text = value;
        return 0;
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
