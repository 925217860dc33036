/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_facts.c: what the doctor asks the gateway for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/doctor.h"
#include "ui/cli/limit_view.h"
#include "ui/cli/view.h"

/* of: the tenant or type. */
static void add_limit(struct doctor_facts *facts, enum limit_queue kind, struct scan_value of,
                      int64_t tokens)
{
        struct doctor_limit made = {
                .kind = kind, .version = limit_version(kind, of), .tokens = tokens};
        AUTO_BUFFER name = {0};

        if (tokens > 0 && made.version >= 0 && view_add(of, "name", &name) &&
            bytes_to_text(buffer_bytes(&name), made.of, sizeof(made.of)) == 0)
                doctor_facts_add_limit(facts, &made);
}

int doctor_read_tenants(struct cli *c, struct doctor_facts *facts, struct err *e)
{
        struct scan_value list;
        struct scan_item item;
        AUTO_REPLY reply = {0};

        if (api_read(c, "/api/v1/tenants", &reply, e) < 0)
                return -1;
        if (!view_find(api_value(&reply), "tenants", &list))
                return err_set(e, ERR_PROTOCOL, "the gateway's answer has no tenants");
        for (struct scan_cursor at = scan_items(list); scan_next(&at, &item);) {
                AUTO_BUFFER name = {0};
                if (!view_add(item.value, "name", &name))
                        continue;
                doctor_facts_add_tenant(facts, name.data, view_is_true(item.value, "paused"));
                add_limit(facts, LIMIT_TENANT_SLOTS, item.value,
                          view_int(item.value, "max_running"));
        }
        return 0;
}

static void add_types(struct doctor_facts *facts, struct scan_value list)
{
        struct scan_item item;

        for (struct scan_cursor at = scan_items(list); scan_next(&at, &item);) {
                AUTO_BUFFER rate = {0};
                add_limit(facts, LIMIT_TYPE_SLOTS, item.value, view_int(item.value, "max_running"));
                if (view_add(item.value, "max_rate", &rate)) /* "10/1s": 10 tokens */
                        add_limit(facts, LIMIT_TYPE_RATE, item.value, strtoll(rate.data, NULL, 10));
        }
}

/* after: of the last page, and of this one in the end; empty: there is none. 404 is no type: an
 * older gateway. */
static int read_types_page(struct cli *c, struct doctor_facts *facts, struct buffer *after,
                           struct err *e)
{
        struct scan_value list;
        AUTO_REPLY reply = {0};
        AUTO_BUFFER path = {0};

        buffer_add_text(&path, "/api/v1/types");
        if (after->length > 0) {
                buffer_add_text(&path, "?cursor=");
                url_encode(&path, after->data);
        }
        buffer_clear(after);
        if (api_read(c, path.data, &reply, e) < 0) {
                if (reply.status != 404)
                        return -1;
                err_clear(e);
                return 0;
        }
        if (!view_find(api_value(&reply), "types", &list))
                return err_set(e, ERR_PROTOCOL, "the gateway's answer has no types");
        add_types(facts, list);
        (void)view_add(api_value(&reply), "next_cursor", after);
        return 0;
}

int doctor_read_types(struct cli *c, struct doctor_facts *facts, struct err *e)
{
        AUTO_BUFFER after = {0};

        do {
                if (read_types_page(c, facts, &after, e) != 0)
                        return -1;
        } while (after.length > 0);
        return 0;
}

static void add_pause(struct doctor_facts *facts, struct scan_value pause)
{
        struct doctor_pause made = {.paused = view_is_true(pause, "paused")};
        char type[JOB_TYPE_SIZE], of[TENANT_SIZE] = "";
        AUTO_BUFFER name = {0}, tenant = {0}, since = {0};

        if (!view_add(pause, "type", &name) ||
            bytes_to_text(buffer_bytes(&name), type, sizeof(type)) != 0 ||
            (view_add(pause, "tenant", &tenant) &&
             bytes_to_text(buffer_bytes(&tenant), of, sizeof(of)) != 0))
                return;
        if (view_add(pause, "since", &since) && time_parse(since.data, &made.since, NULL) != 0)
                made.since = 0;
        pause_key(of, type, made.key);
        doctor_facts_add_pause(facts, &made);
}

void doctor_read_pauses(struct cli *c, struct doctor_facts *facts)
{
        struct err ignored = {0};
        struct scan_value list;
        struct scan_item item;
        AUTO_REPLY reply = {0};

        if (api_read(c, "/api/v1/pauses", &reply, &ignored) < 0 ||
            !view_find(api_value(&reply), "pauses", &list))
                return;
        for (struct scan_cursor at = scan_items(list); scan_next(&at, &item);)
                add_pause(facts, item.value);
}
