/* SPDX-License-Identifier: Apache-2.0
 *
 * edit.h: the body of a replay request: {"payload": …, "type": "…", "priority": …,
 * "run_at": "…"}, all optional. Pure.
 */
#ifndef WARREN_DLX_MONITOR_EDIT_H
#define WARREN_DLX_MONITOR_EDIT_H

#include "common/base/json_scan.h"
#include "dlx-monitor/archive.h"

struct edit {
        struct replay_edit edit; /* borrows from the body and from type */
        char type[JOB_TYPE_SIZE];
};

/* An empty body changes nothing. 0, or the HTTP status to refuse with: 400 (not a JSON object) or
 * 422 (a member is wrong); then fault is filled. Do not move or copy out: it points into itself. */
int edit_parse(struct bytes body, msec now, struct edit *out, struct scan_fault *fault) MUST_CHECK;

#endif
