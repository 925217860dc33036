/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.h: sends dead letters back as new runs of their jobs: commits "replaying as run n+1",
 * publishes, and after the confirm commits "replayed". What is left in between, by an unknown
 * outcome or a crash, is published again with x-again until it is confirmed, or is dead again once
 * its tenant is deleted.
 */
#ifndef WARREN_DLX_MONITOR_REPLAY_H
#define WARREN_DLX_MONITOR_REPLAY_H

#include "common/amqp/link.h"
#include "common/metrics/metrics.h"
#include "dlx-monitor/archive.h"
#include "dlx-monitor/letters.h"

struct replayer;

struct replayer_config {
        struct link *link; /* publishes; `resend` off; borrowed, as all below */
        struct archive *archive;
        struct metrics *metrics;
        uv_loop_t *loop;
        size_t payload_max;
        /* Whether the tenant's exchange is there, and whether a no is final: until all tenants are
         * read it is not. Any thread. */
        bool (*has_tenant)(void *owner, const char *tenant);
        bool (*knows_tenants)(void *owner);
        void *owner;
};

/* Loop thread. */
struct replayer *replayer_create(const struct replayer_config *c);
/* After the link has ended. */
void replayer_destroy(struct replayer **r);

struct replay_result {
        char job_id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        int64_t run;
        msec run_at;    /* 0: at once */
        bool confirmed; /* false: committed, and published again until it is */
};

/* Blocks for the confirm: not on the loop's thread. tenant NULL: any. -1: nothing was changed:
 * ERR_NOT_FOUND, ERR_CONFLICT, ERR_INVALID (the job would break the contract), ERR_UNAVAILABLE. */
int replayer_replay(struct replayer *r, const char *letter, const char *tenant,
                    const struct replay_edit *edit, struct replay_result *out,
                    struct err *e) MUST_CHECK;

/* The job that a replay of the letter publishes; borrows from c, edit and m. */
int replay_job(const struct letter_content *c, const struct replay_edit *edit, size_t payload_max,
               struct message *m, struct job *job, struct err *e) MUST_CHECK;

#endif
