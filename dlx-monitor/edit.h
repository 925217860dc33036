/* SPDX-License-Identifier: Apache-2.0
 *
 * edit.h: the body of a replay request: {"payload": …, "type": "…", "priority": …,
 * "run_at": "…"}, all optional. Pure.
 */
#pragma once

#include "common/base/json_scan.h"
#include "common/model/job.h"

/* What a replay changes. It is stored with the letter. */
struct replay_edit {
        struct bytes payload;     /* borrowed; absent: unchanged */
        char type[JOB_TYPE_SIZE]; /* "": unchanged */
        int priority;             /* enum priority; -1: unchanged */
        bool sets_run_at;         /* false: unchanged */
        msec run_at;              /* 0: at once */
};

/* An empty body changes nothing. 0, or the HTTP status to refuse with: 400 (not a JSON object) or
 * 422 (a member is wrong); then fault is filled. out borrows from the body. */
int edit_parse(struct bytes body, msec now, struct replay_edit *out,
               struct scan_fault *fault) MUST_CHECK;
