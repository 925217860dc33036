/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_rules.c: filters of operations.
 */
#include "status-store/acts/operation_rules.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/http/client.h"
#include "common/model/mark.h"

#define OF(status) (1u << (status))
#define WAITING (OF(STATUS_SCHEDULED) | OF(STATUS_FAILED))
#define OPEN (WAITING | OF(STATUS_PENDING) | OF(STATUS_RUNNING))

static const struct {
        const char *name;
        enum act_kind act;
        unsigned statuses;
        const char *must;
} kinds[] = {
        [OPERATION_CANCEL] = {"cancel", ACT_CANCEL, OPEN,
                              "only what is scheduled, pending, running or failed can be "
                              "cancelled"},
        [OPERATION_RUN_NOW] = {"run_now", ACT_RUN_NOW, WAITING,
                               "only what is scheduled or failed can be run now"},
};

static const char *const states[] = {
        [OPERATION_PREVIEWED] = "previewed", [OPERATION_RUNNING] = "running",
        [OPERATION_DONE] = "done",           [OPERATION_ABORTED] = "aborted",
        [OPERATION_FAILED] = "failed",
};

const char *operation_kind_name(enum operation_kind kind)
{
        return kinds[kind].name;
}

const char *operation_state_name(enum operation_state state)
{
        return states[state];
}

bool operation_state_parse(struct bytes word, enum operation_state *out)
{
        unsigned at = 0;
        if (!bytes_find(word, states, OPERATION_STATES, &at))
                return false;
        *out = (enum operation_state)at;
        return true;
}

enum act_kind operation_act(enum operation_kind kind)
{
        return kinds[kind].act;
}

static bool looks_for_text(const struct job_filter *f)
{
        return f->text != NULL && f->text[0] != '\0';
}

const char *operation_refuses(enum operation_kind kind, const struct job_filter *f)
{
        bool given = f->statuses != 0 || f->priorities != 0 || f->type_count > 0 ||
                     f->created_after != 0 || f->created_before != 0 || looks_for_text(f);
        if (!given)
                return "a filter must be given besides the tenant; status=… is enough";
        if (f->text != NULL && !looks_for_text(f))
                return "q: must not be empty";
        return (f->statuses & ~kinds[kind].statuses) != 0 ? kinds[kind].must : NULL;
}

void operation_complete(enum operation_kind kind, struct job_filter *f)
{
        if (f->statuses == 0)
                f->statuses = kinds[kind].statuses;
}

bool operation_may_be_marked(enum operation_kind kind, const struct job_filter *f)
{
        return kind == OPERATION_CANCEL && f->statuses == OPEN && f->priorities == 0 &&
               f->created_after == 0 && f->text == NULL;
}

typedef void put_fn(void *owner, const char *name, const char *value);

static void write_statuses(const struct job_filter *f, struct buffer *out)
{
        for (unsigned i = 0; i < STATUS_COUNT; i++)
                if ((f->statuses & OF(i)) != 0)
                        buffer_printf(out, "%s%s", out->length > 0 ? "," : "",
                                      status_name((enum status)i));
}

static void write_priorities(const struct job_filter *f, struct buffer *out)
{
        for (unsigned i = 0; i < PRIORITY_COUNT; i++)
                if ((f->priorities & OF(i)) != 0)
                        buffer_printf(out, "%s%s", out->length > 0 ? "," : "",
                                      priority_name((enum priority)i));
}

static void write_types(const struct job_filter *f, struct buffer *out)
{
        for (unsigned i = 0; i < f->type_count; i++)
                buffer_printf(out, "%s%s", i > 0 ? "," : "", f->types[i]);
}

static void write_after(const struct job_filter *f, struct buffer *out)
{
        char text[TIME_TEXT_SIZE];
        if (f->created_after != 0)
                buffer_add_text(out, time_format(f->created_after, text));
}

static void write_before(const struct job_filter *f, struct buffer *out)
{
        char text[TIME_TEXT_SIZE];
        if (f->created_before != 0)
                buffer_add_text(out, time_format(f->created_before, text));
}

static void write_text(const struct job_filter *f, struct buffer *out)
{
        if (f->text != NULL)
                buffer_add_text(out, f->text);
}

/* Calls `put` for each parameter that is given. */
static void each_parameter(const struct job_filter *f, put_fn *put, void *owner)
{
        static const struct {
                const char *name;
                void (*write)(const struct job_filter *f, struct buffer *out);
        } all[] = {
                {"status", write_statuses},       {"type", write_types},
                {"priority", write_priorities},   {"created_after", write_after},
                {"created_before", write_before}, {"q", write_text},
        };
        AUTO_BUFFER value = {0};
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
                buffer_clear(&value);
                all[i].write(f, &value);
                if (value.length > 0)
                        put(owner, all[i].name, value.data);
        }
}

static void put_query(void *owner, const char *name, const char *value)
{
        struct buffer *out = owner;
        buffer_printf(out, "%s%s=", out->length > 0 ? "&" : "", name);
        url_encode(out, value);
}

void operation_filter_write(const struct job_filter *f, struct buffer *out)
{
        each_parameter(f, put_query, out);
}

static int hex(char c)
{
        static const char digits[] = "0123456789ABCDEF";
        const char *at = c != '\0' ? strchr(digits, c >= 'a' ? c - 'a' + 'A' : c) : NULL;
        return at != NULL ? (int)(at - digits) : -1;
}

static int decode(const char *text, size_t length, struct buffer *out, struct err *e)
{
        for (size_t i = 0; i < length; i++) {
                if (text[i] != '%') {
                        buffer_add_char(out, text[i]);
                        continue;
                }
                int high = i + 2 < length ? hex(text[i + 1]) : -1;
                int low = high >= 0 ? hex(text[i + 2]) : -1;
                if (low < 0 || high * 16 + low == 0)
                        return err_set(e, ERR_CORRUPT, "a filter in the registry cannot be read");
                buffer_add_char(out, (char)(high * 16 + low));
                i += 2;
        }
        return 0;
}

static int read_parameter(const char *at, size_t length, struct job_filter *out,
                          struct buffer *text, struct err *e)
{
        AUTO_BUFFER value = {0};
        char name[32];
        size_t end = strcspn(at, "=");
        if (end >= length || end >= sizeof(name))
                return err_set(e, ERR_CORRUPT, "a filter in the registry cannot be read");
        snprintf(name, sizeof(name), "%.*s", (int)end, at);
        if (decode(at + end + 1, length - end - 1, &value, e) != 0)
                return -1;
        if (value.length == 0)
                return err_set(e, ERR_CORRUPT, "a filter in the registry cannot be read");
        if (strcmp(name, "q") != 0)
                return job_filter_set(out, name, value.data, e);
        buffer_set(text, buffer_bytes(&value));
        return job_filter_set(out, name, text->data, e);
}

int operation_filter_read(const char *query, struct job_filter *out, struct buffer *text,
                          struct err *e)
{
        const char *tenant = out->tenant;
        *out = (struct job_filter){.tenant = tenant};
        for (const char *at = query; *at != '\0';) {
                size_t length = strcspn(at, "&");
                if (read_parameter(at, length, out, text, e) != 0)
                        return -1;
                at += at[length] == '&' ? length + 1 : length;
        }
        return 0;
}

struct shown {
        struct buffer *out;
        bool hides;
};

static void put_json(void *owner, const char *name, const char *value)
{
        const struct shown *s = owner;
        bool hidden = s->hides && strcmp(name, "q") == 0;
        json_put_string(s->out, name, hidden ? "***" : value);
}

void operation_filter_json(const struct job_filter *f, bool hides, struct buffer *out)
{
        struct shown s = {out, hides};
        json_begin_object(out, "filter");
        each_parameter(f, put_json, &s);
        json_end(out);
}

int operation_write_marks(const struct job_filter *f, int64_t copy, msec at, struct buffer *out,
                          struct err *e)
{
        if (f->created_before < 1)
                return err_set(e, ERR_CORRUPT, "an operation in the registry has no time");
        struct mark m = {
                .copy = copy, .before = f->created_before, .at = at, .why = MARK_FOR_CANCEL};
        if (strcmp(f->tenant, "*") != 0)
                snprintf(m.tenant, sizeof(m.tenant), "%s", f->tenant);
        if (f->type_count == 0)
                mark_write(&m, out);
        for (unsigned i = 0; i < f->type_count; i++) {
                memcpy(m.type, f->types[i], sizeof(m.type));
                mark_write(&m, out);
        }
        return 0;
}
