/* SPDX-License-Identifier: Apache-2.0
 *
 * edit.c: reading the body of a replay request.
 */
#include "dlx-monitor/edit.h"

#include <stdio.h>
#include <string.h>

static int refuse(struct bytes body, struct scan_value value, const char *pointer,
                  const char *detail, struct scan_fault *fault)
{
        *fault = (struct scan_fault){.offset = (size_t)(value.raw.data - body.data)};
        snprintf(fault->pointer, sizeof(fault->pointer), "%s", pointer);
        snprintf(fault->detail, sizeof(fault->detail), "%s", detail);
        scan_locate(body, value.raw.data, &fault->line, &fault->column);
        return 422;
}

static bool read_type(struct scan_value value, struct edit *out)
{
        AUTO_BUFFER text = {0};

        if (value.kind != SCAN_STRING)
                return false;
        scan_string(value, &text);
        if (!job_type_is_valid(buffer_bytes(&text)))
                return false;
        out->edit.type = out->type;
        return bytes_to_text(buffer_bytes(&text), out->type, sizeof(out->type)) == 0;
}

static bool read_priority(struct scan_value value, struct edit *out)
{
        enum priority priority;
        int64_t number;

        if (value.kind == SCAN_NUMBER && scan_int(value, &number) && number >= 0 &&
            number < PRIORITY_COUNT) {
                out->edit.priority = (int)number;
                return true;
        }
        if (value.kind != SCAN_STRING ||
            !priority_parse(bytes_of(value.raw.data + 1, value.raw.length - 2), &priority))
                return false;
        out->edit.priority = (int)priority;
        return true;
}

/* null: at once, whatever the letter waits for. */
static bool read_run_at(struct scan_value value, msec now, struct edit *out)
{
        AUTO_BUFFER text = {0};

        out->edit.sets_run_at = true;
        if (value.kind == SCAN_NULL)
                return true;
        if (value.kind != SCAN_STRING)
                return false;
        scan_string(value, &text);
        buffer_add_char(&text, '\0');
        return memchr(text.data, '\0', text.length) == text.data + text.length - 1 &&
               time_parse(text.data, &out->edit.run_at, NULL) == 0 &&
               out->edit.run_at <= now + JOB_DELAY_MAX;
}

static int read_member(struct bytes body, const struct scan_item *item, msec now, struct edit *out,
                       struct scan_fault *fault)
{
        char pointer[SCAN_POINTER_SIZE];

        if (scan_key_is(item->key, "payload")) {
                out->edit.payload = item->value.raw;
                return 0;
        }
        bool absent = item->value.kind == SCAN_NULL;
        if (scan_key_is(item->key, "type")) {
                if (absent || read_type(item->value, out))
                        return 0;
                return refuse(body, item->value, "/type",
                              "a job type is wanted: [a-z0-9][a-z0-9._-]{0,63}", fault);
        }
        if (scan_key_is(item->key, "priority")) {
                if (absent || read_priority(item->value, out))
                        return 0;
                return refuse(body, item->value, "/priority",
                              "critical, high, medium, low or 0..3 is wanted", fault);
        }
        if (scan_key_is(item->key, "run_at")) {
                if (read_run_at(item->value, now, out))
                        return 0;
                return refuse(body, item->value, "/run_at",
                              "null or a time as RFC 3339 writes it, at most 365 days ahead, is "
                              "wanted",
                              fault);
        }
        snprintf(pointer, sizeof(pointer), "/%.*s", (int)item->key.length, item->key.data);
        return refuse(body, item->value, pointer, "unknown member", fault);
}

int edit_parse(struct bytes body, msec now, struct edit *out, struct scan_fault *fault)
{
        struct scan_item item;
        int status = 0;

        *out = (struct edit){.edit = {.priority = -1}};
        if (body.length == 0)
                return 0;
        if (scan_check(body, SCAN_DEPTH_MAX + 1, fault) != 0)
                return 400;
        struct scan_value root = scan_root(body);
        if (root.kind != SCAN_OBJECT)
                return refuse(body, root, "", "an object is wanted", fault);
        struct scan_cursor cursor = scan_items(root);
        while (status == 0 && scan_next(&cursor, &item))
                status = read_member(body, &item, now, out, fault);
        return status;
}
