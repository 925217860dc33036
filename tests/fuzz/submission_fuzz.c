/* SPDX-License-Identifier: Apache-2.0
 *
 * submission_fuzz.c: an accepted body makes a message that the consumer accepts too, with the
 * payload's bytes unchanged. A refused body has a status and a place. The times of one that is only
 * too late are in the bounds of POST /internal/v1/claims.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gateway/submission.h"

#define NOW ((msec)1767225600000)
enum { PAYLOAD_MAX = 4096 };

static void check_refusal(struct bytes body, const struct submission_refusal *why)
{
        const struct scan_fault *f = &why->fault;

        assert(why->status == 400 || why->status == 403 || why->status == 413 ||
               why->status == 422);
        assert(f->offset <= body.length);
        assert(f->line >= 1 && f->column >= 1 && f->detail[0] != '\0');
        assert(bytes_are_utf8(bytes_of_text(f->detail)));
        assert(bytes_are_utf8(bytes_of_text(f->pointer)));
}

static void check_times(const struct job *job)
{
        assert(job->submitted_at == NOW);
        assert(job->run_at >= 0 && job->run_at <= JOB_TIME_MAX);
        assert(job->expires_at > 0 && job->expires_at <= JOB_TIME_MAX);
}

static void check_message(struct bytes body, struct job *job)
{
        const struct job_limits limits = {.payload_max = PAYLOAD_MAX};
        struct job_message m;
        struct job back;
        struct err e = {0};

        assert(job->payload.length > 0 && job->payload.length <= PAYLOAD_MAX);
        assert(bytes_equal_text(job->payload, "null") ||
               (job->payload.data >= body.data &&
                job->payload.data + job->payload.length <= body.data + body.length));
        snprintf(job->id, sizeof(job->id), "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee");
        job_encode(job, STATION_SUBMISSION, NOW, &m);
        m.message.user_id = bytes_of_text("warren-gateway");
        int got = job_decode(&m.message, &limits, NOW, &back, &e);
        assert(got == 0);
        (void)got;
        assert(strcmp(back.type, job->type) == 0 && strcmp(back.tenant, job->tenant) == 0);
        assert(back.priority == job->priority && back.lane == job->lane);
        assert(back.max_retries == job->max_retries && back.timeout == job->timeout);
        assert(strcmp(back.key, job->key) == 0 && strcmp(back.key_hash, job->key_hash) == 0);
        assert(strlen(job->key_hash) == (job->key[0] != '\0' ? 32 : 0));
        assert(back.run_at == job->run_at && bytes_equal(back.payload, job->payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct submission_rules rules[] = {
                {.tenant = "acme", .now = NOW, .payload_max = PAYLOAD_MAX},
                {.tenant = "", .now = NOW, .payload_max = PAYLOAD_MAX},
                {.tenant = "acme", .now = NOW, .payload_max = PAYLOAD_MAX, .key = "a \"key\""},
        };
        struct bytes body = bytes_of(data != NULL ? (const char *)data : "", size);

        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
                struct submission_refusal why = {0};
                struct job job;
                if (submission_parse(body, &rules[i], &job, &why) == 0)
                        check_message(body, &job);
                else
                        check_refusal(body, &why);
                if (why.too_late)
                        check_times(&job);
        }
        return 0;
}
