/* SPDX-License-Identifier: Apache-2.0
 *
 * edit.c: the members of a replay request's body.
 */
#include "dlx-monitor/edit.h"

#include "common/model/job_members.h"

/* What read_run_at needs besides the field: the reader's owner. */
struct reading {
        msec now;
        struct replay_edit *edit;
};

static int read_priority(struct json_reader *r, const struct json_place *p, void *out)
{
        enum priority priority;

        if (job_read_priority(r, p, &priority) != 0)
                return -1;
        *(int *)out = (int)priority;
        return 0;
}

/* null: at once, even if the letter's own time is later. */
static int read_run_at(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct reading *reading = r->owner;

        reading->edit->sets_run_at = true;
        if (p->value.kind == SCAN_NULL)
                return 0;
        if (json_read_time(r, p, out) != 0)
                return -1;
        if (*(msec *)out > reading->now + JOB_DELAY_MAX)
                return json_refuse(r, p, "must be at most 365 days ahead");
        return 0;
}

static const struct json_member members[] = {
        {"payload", json_read_raw, JSON_AT(struct replay_edit, payload)},
        {"type", job_read_type, JSON_AT(struct replay_edit, type), .flags = JSON_NULLABLE},
        {"priority", read_priority, JSON_AT(struct replay_edit, priority), .flags = JSON_NULLABLE},
        {"run_at", read_run_at, JSON_AT(struct replay_edit, run_at)},
        {0},
};

int edit_parse(struct bytes body, msec now, struct replay_edit *out, struct scan_fault *fault)
{
        struct reading reading = {.now = now, .edit = out};
        struct json_reader r = {.fault = fault, .owner = &reading};
        struct json_place root;

        *out = (struct replay_edit){.priority = -1};
        if (body.length == 0)
                return 0;
        if (json_read_open(&r, body, SCAN_DEPTH_MAX + 1, &root) != 0)
                return 400;
        return json_read_members(&r, &root, members, out) == 0 ? 0 : 422;
}
