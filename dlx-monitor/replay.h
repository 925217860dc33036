/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.h: publishes dead letters as new runs of their jobs: asks the primary status-store for the
 * run's number, commits "replaying as run n", publishes, and commits "replayed" after the confirm.
 * If the outcome is unknown, or after a crash, it publishes again with x-again until it is
 * confirmed. If the tenant is deleted meanwhile, the letter is dead again.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/clients/control.h"
#include "common/http/client.h"
#include "common/metrics/metrics.h"
#include "dlx-monitor/archive.h"
#include "dlx-monitor/letters.h"

struct replayer;

struct replayer_config {
        struct link *link; /* for publishing; `resend` is off; borrowed, like the next five */
        struct control *control;
        struct http_client *primary; /* grants run numbers */
        struct archive *archive;
        struct metrics *metrics;
        uv_loop_t *loop;
        size_t payload_max;
};

/* Loop thread, like replayer_destroy. */
struct replayer *replayer_create(const struct replayer_config *c);
/* Destroy the link first. */
void replayer_destroy(struct replayer **r);

struct replay_result {
        char job_id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        int64_t run;
        msec run_at;    /* 0: at once */
        bool confirmed; /* false: committed; it is published again until it is confirmed */
};

/* Blocks until the confirm; not on the loop's thread. tenant NULL: any. -1: nothing was changed;
 * ERR_NOT_FOUND, ERR_CONFLICT, ERR_INVALID (the job would break the contract), ERR_UNAVAILABLE. */
int replayer_replay(struct replayer *r, const char *letter, const char *tenant,
                    const struct replay_edit *edit, struct replay_result *out,
                    struct err *e) MUST_CHECK;

/* Makes the job that a replay publishes; it borrows from c, edit and m. */
int replay_job(const struct letter_content *c, const struct replay_edit *edit, size_t payload_max,
               struct message *m, struct job *job, struct err *e) MUST_CHECK;
