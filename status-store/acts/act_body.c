/* SPDX-License-Identifier: Apache-2.0
 *
 * act_body.c: reads and writes the bodies of acts.
 */
#include "status-store/acts/act_body.h"

#include <stdio.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/model/job_members.h"

enum { BODY_DEPTH = 4 };

static int read_priority(struct json_reader *r, const struct json_place *p, void *out)
{
        enum priority priority = PRIORITY_MEDIUM;
        if (job_read_priority(r, p, &priority) != 0)
                return -1;
        *(int *)out = (int)priority;
        return 0;
}

/* null: now. */
static int read_run_at(struct json_reader *r, const struct json_place *p, void *out)
{
        struct act *act = out;
        act->kind = ACT_RUN_NOW;
        if (p->value.kind == SCAN_NULL)
                return 0;
        act->kind = ACT_MOVE;
        return json_read_time(r, p, &act->run_at);
}

static const struct json_member patch_members[] = {
        {"run_at", read_run_at, .flags = 0},
        {"priority", read_priority, JSON_AT(struct act, priority)},
        {0},
};

static int read_object(struct json_reader *r, struct bytes body, const struct json_member *table,
                       void *out)
{
        struct json_place root;
        if (json_read_open(r, body, BODY_DEPTH, &root) != 0)
                return 400;
        return json_read_members(r, &root, table, out) == 0 ? 0 : 422;
}

int act_body_read_patch(struct bytes body, struct act *act, struct scan_fault *fault)
{
        struct json_reader r = {.fault = fault};
        act->kind = ACT_PRIORITY;
        act->priority = -1;
        int refused = read_object(&r, body, patch_members, act);
        if (refused != 0)
                return refused;
        if (act->kind != ACT_PRIORITY || act->priority >= 0)
                return 0;
        *fault = (struct scan_fault){.line = 1, .column = 1};
        snprintf(fault->detail, sizeof(fault->detail), "run_at or priority must be given");
        return 422;
}

int act_body_read_empty(struct bytes body, struct scan_fault *fault)
{
        static const struct json_member none[] = {{.name = NULL}};
        struct json_reader r = {.fault = fault};
        return body.length == 0 ? 0 : read_object(&r, body, none, NULL);
}

static int read_holder(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[UUID_SIZE];
        if (json_read_uuid(r, p, text) != 0)
                return -1;
        (void)uuid_pack(bytes_of_text(text), out);
        return 0;
}

/* clang-format off */
static const struct json_member grant_members[] = {
        {"tenant", job_read_tenant, JSON_AT(struct run_grant, tenant), .flags = JSON_REQUIRED},
        {"id", json_read_uuid, JSON_AT(struct run_grant, id), .flags = JSON_REQUIRED},
        {"holder", read_holder, JSON_AT(struct run_grant, holder), .flags = JSON_REQUIRED},
        {"after", json_read_int, JSON_AT(struct run_grant, after), .least = 0,
         .most = JOB_COUNTER_MAX - 1, .flags = JSON_REQUIRED},
        {"run", json_read_int, JSON_AT(struct run_grant, run_of), .least = 0,
         .most = JOB_COUNTER_MAX - 1},
        {0},
};
/* clang-format on */

/* A later version of the caller may add members. */
int act_body_read_grant(struct bytes body, struct run_grant *out, struct scan_fault *fault)
{
        struct json_reader r = {.fault = fault, .lenient = true};
        *out = (struct run_grant){.run = 0};
        return read_object(&r, body, grant_members, out);
}

static void write_cancelled(const struct act_answer *a, struct buffer *out)
{
        json_put_string(out, "status", status_name(a->status));
        json_put_flag(out, "cancelling", a->cancelling);
        if (a->behind.unknown) {
                json_put_null(out, "workers_behind");
                return;
        }
        json_begin_array(out, "workers_behind");
        for (size_t i = 0; i < a->behind.count; i++)
                json_put_string(out, NULL, a->behind.workers[i]);
        json_end_array(out);
}

static void write_moved(const struct act_answer *a, struct buffer *out)
{
        json_put_int(out, "attempt", a->attempt);
        json_put_int(out, "copy", a->copy);
        json_put_string(out, "status", status_name(a->status));
        json_put_time(out, "run_at", a->run_at);
        json_put_string(out, "priority", priority_name((enum priority)a->priority));
}

void act_answer_write(const struct act *act, const struct act_answer *a, struct buffer *out)
{
        json_begin(out);
        json_put_string(out, "id", act->id);
        json_put_string(out, "tenant", a->tenant);
        json_put_int(out, "run", a->run);
        if (act_ends_the_run(act->kind))
                write_cancelled(a, out);
        else if (act->kind == ACT_RETRY)
                json_put_string(out, "status", status_name(a->status));
        else
                write_moved(a, out);
        json_end(out);
}
