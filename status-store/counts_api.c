/* SPDX-License-Identifier: Apache-2.0
 *
 * counts_api.c: GET /stats and /workers, POST /deliveries/check of the internal API.
 */
#include <jansson.h>
#include <string.h>

#include "status-store/api.h"
#include "status-store/lookup.h"
#include "status-store/stats.h"

enum {
        DELIVERIES_MAX = 256,
        MARKER_WAIT = 1000, /* ms; the consumer waits 1.5 s for the answer */
};

static msec as_of(const struct api *a)
{
        return freshness_lag(a->freshness, clock_wall()).as_of;
}

/* Answers with what that writes of the tenant asked for. */
static void answer_for_tenant(struct api *a, struct http_request *r,
                              int write(struct reader *r, const char *tenant, msec now,
                                        struct buffer *out, struct err *e),
                              msec now)
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
        if (reader == NULL || write(reader, tenant, now, &members, &why) != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}

void stats_get(void *owner, struct http_request *r)
{
        answer_for_tenant(owner, r, stats_write, clock_wall());
}

void workers_list(void *owner, struct http_request *r)
{
        answer_for_tenant(owner, r, lookup_write_workers, as_of(owner));
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

void deliveries_check(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct bytes body = http_body(r);
        json_error_t fault;
        if (!http_body_is_json(r))
                return;
        json_t *asked = json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES, &fault);
        if (asked == NULL) {
                http_problem(r, 400, "line %d, column %d: %s", fault.line, fault.column,
                             fault.text);
                return;
        }
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
