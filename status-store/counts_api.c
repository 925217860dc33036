/* SPDX-License-Identifier: Apache-2.0
 *
 * counts_api.c: GET /stats and /workers, POST /deliveries/check and /types/check of the internal
 * API.
 */
#include <jansson.h>
#include <string.h>

#include "status-store/api.h"
#include "status-store/handled.h"
#include "status-store/lookup.h"
#include "status-store/stats.h"

enum {
        DELIVERIES_MAX = 256,
        TYPES_MAX = 256,
        MARKER_WAIT = 1000, /* ms; the consumer waits 1.5 s for the answer */
};

static msec as_of(const struct api *a)
{
        return freshness_lag(a->freshness, clock_wall()).as_of;
}

/* Members of an answer, of the tenant asked for and as of a time. */
struct part {
        int (*write)(struct reader *r, const char *tenant, msec at, struct buffer *out,
                     struct err *e);
        msec at;
};

static int write_parts(struct reader *r, const char *tenant, const struct part *parts, size_t count,
                       struct buffer *out, struct err *e)
{
        for (size_t i = 0; i < count; i++) {
                buffer_add_text(out, i > 0 ? "," : "");
                if (parts[i].write(r, tenant, parts[i].at, out, e) != 0)
                        return -1;
        }
        return 0;
}

static void answer_for_tenant(struct api *a, struct http_request *r, const struct part *parts,
                              size_t count)
{
        static const char *const allowed[] = {"tenant", NULL};
        if (!http_query_only(r, allowed))
                return;
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return;
        struct err why = {0};
        AUTO_BUFFER members = {0};
        AUTO_READER *reader = readers_take(a->readers, &why);
        if (reader == NULL || write_parts(reader, tenant, parts, count, &members, &why) != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}

void stats_get(void *owner, struct http_request *r)
{
        const struct part parts[] = {{stats_write, clock_wall()}, {unhandled_write, as_of(owner)}};
        answer_for_tenant(owner, r, parts, 2);
}

void workers_list(void *owner, struct http_request *r)
{
        const struct part workers = {lookup_write_workers, as_of(owner)};
        answer_for_tenant(owner, r, &workers, 1);
}

static int read_delivery(json_t *from, struct delivery_asked *out, struct err *e)
{
        const char *tenant = NULL;
        const char *id = NULL;
        json_int_t run = 0;
        json_int_t attempt = 0;
        json_int_t copy = 0;
        json_error_t fault;
        if (json_unpack_ex(from, &fault, 0, "{s:s, s:s, s:I, s:I, s:I}", "tenant", &tenant, "id",
                           &id, "run", &run, "attempt", &attempt, "copy", &copy) != 0)
                return err_set(e, ERR_INVALID, "a delivery: %s", fault.text);
        *out = (struct delivery_asked){.run = run, .attempt = attempt, .copy = copy};
        if (bytes_to_text(bytes_of_text(tenant), out->tenant, sizeof(out->tenant)) != 0 ||
            !uuid_parse(bytes_of_text(id), out->id) || run < 1 || attempt < 1 || copy < 0)
                return err_set(e, ERR_INVALID,
                               "a delivery: tenant, id, run, attempt or copy is "
                               "out of bounds");
        return 0;
}

/* Of deliveries that came after the marker was published. No marker, as of an asker that knows
 * none: as things are. */
static int is_behind(struct api *a, json_t *marker, bool *behind, struct err *e)
{
        char id[UUID_SIZE];
        *behind = false;
        if (marker == NULL)
                return 0;
        if (!json_is_string(marker) || !uuid_parse(bytes_of_text(json_string_value(marker)), id))
                return err_set(e, ERR_INVALID, "marker: the id of a message published to events");
        *behind = !markers_await(a->markers, id, clock_mono() + MARKER_WAIT);
        return 0;
}

static int check_all(struct api *a, json_t *list, bool behind, struct buffer *out, struct err *e)
{
        if (!json_is_array(list) || json_array_size(list) > DELIVERIES_MAX)
                return err_set(e, ERR_INVALID, "deliveries: an array of at most %d",
                               DELIVERIES_MAX);
        AUTO_READER *reader = readers_take(a->readers, e);
        if (reader == NULL)
                return -1;
        msec now = as_of(a);
        buffer_add_text(out, "\"deliveries\":[");
        size_t i = 0;
        json_t *one = NULL;
        json_array_foreach(list, i, one)
        {
                struct delivery_asked d;
                buffer_add_text(out, i > 0 ? "," : "");
                if (read_delivery(one, &d, e) != 0)
                        return -1;
                if (behind)
                        buffer_add_text(out, "{\"state\":\"behind\"}");
                else if (lookup_write_delivery(reader, &d, now, out, e) != 0)
                        return -1;
        }
        buffer_add_char(out, ']');
        return 0;
}

/* The body as JSON, owned; NULL: answered. */
static json_t *read_question(struct http_request *r)
{
        struct bytes body = http_body(r);
        json_error_t fault;
        if (!http_body_is_json(r))
                return NULL;
        json_t *asked = json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES, &fault);
        if (asked == NULL)
                http_problem(r, 400, "line %d, column %d: %s", fault.line, fault.column,
                             fault.text);
        return asked;
}

void deliveries_check(void *owner, struct http_request *r)
{
        struct api *a = owner;
        json_t *asked = read_question(r);
        if (asked == NULL)
                return;
        struct err why = {0};
        AUTO_BUFFER members = {0};
        bool behind = false;
        if (is_behind(a, json_object_get(asked, "marker"), &behind, &why) != 0 ||
            check_all(a, json_object_get(asked, "deliveries"), behind, &members, &why) != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
        json_decref(asked);
}

static int read_types(json_t *list, struct handled_type **set, struct err *e)
{
        if (!json_is_array(list) || json_array_size(list) > TYPES_MAX)
                return err_set(e, ERR_INVALID, "types: an array of at most %d", TYPES_MAX);
        size_t i = 0;
        json_t *one = NULL;
        json_array_foreach(list, i, one)
        {
                const char *type = json_string_value(one);
                if (type == NULL || !job_type_is_valid(bytes_of_text(type)))
                        return err_set(e, ERR_INVALID, "types: the element %zu is no type", i);
                handled_add(set, type);
        }
        return 0;
}

/* In the order of the question. */
static void write_handled(json_t *list, struct handled_type *set, struct buffer *out)
{
        size_t i = 0;
        json_t *one = NULL;
        buffer_add_text(out, "\"types\":[");
        json_array_foreach(list, i, one)
        {
                const char *type = json_string_value(one);
                struct handled_type *t = NULL;
                HASH_FIND_STR(set, type, t);
                buffer_printf(out, "%s{\"type\":\"%s\",\"workers\":%lld}", i > 0 ? "," : "", type,
                              t == NULL ? 0LL : (long long)t->workers);
        }
        buffer_add_char(out, ']');
}

static int count_workers(struct api *a, struct handled_type *set, struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        return reader == NULL ? -1 : handled_count(reader, as_of(a), set, e);
}

void types_check(void *owner, struct http_request *r)
{
        struct api *a = owner;
        json_t *asked = read_question(r);
        if (asked == NULL)
                return;
        json_t *list = json_object_get(asked, "types");
        struct handled_type *set = NULL;
        struct err why = {0};
        AUTO_BUFFER members = {0};
        if (read_types(list, &set, &why) != 0 || count_workers(a, set, &why) != 0) {
                http_problem_err(r, &why);
        } else {
                write_handled(list, set, &members);
                api_answer(a, r, &members);
        }
        handled_forget(&set);
        json_decref(asked);
}
