/* SPDX-License-Identifier: Apache-2.0
 *
 * grant.c: POST /internal/v1/runs of the primary status-store.
 */
#include "dlx-monitor/grant.h"

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/model/job.h"

enum { ANSWER_DEPTH = 4 };
#define ANSWER_TIMEOUT ((msec)5 * MSEC_SECOND)

static const char unavailable[] = "run numbers are granted by the primary status-store, which ";

static void write_ask(const struct grant_ask *ask, struct buffer *out)
{
        json_begin(out);
        json_put_string(out, "tenant", ask->tenant);
        json_put_string(out, "id", ask->job);
        json_put_int(out, "after", ask->after);
        json_put_int(out, "run", ask->run);
        json_put_string(out, "holder", ask->holder);
        json_end(out);
}

/* clang-format off */
#define NUMBER(member) \
        {#member, json_read_int, JSON_AT(struct replay_run, member), .least = 1, \
         .most = JOB_COUNTER_MAX, .flags = JSON_REQUIRED}
static const struct json_member answer_members[] = {
        NUMBER(run),
        NUMBER(copy),
        {0},
};
/* clang-format on */

static int read_answer(struct bytes body, struct replay_run *out)
{
        struct json_reader r = {.lenient = true};
        struct json_place root;

        if (json_read_open(&r, body, ANSWER_DEPTH, &root) != 0)
                return -1;
        return json_read_members(&r, &root, answer_members, out);
}

/* With the primary's words. */
static int refuse(struct bytes problem, struct err *e)
{
        struct scan_value detail;
        struct scan_fault fault;
        char text[ERR_TEXT_SIZE];

        if (scan_check(problem, ANSWER_DEPTH, &fault) != 0 ||
            !scan_find(scan_root(problem), "detail", &detail) ||
            !json_copy_text(detail, text, sizeof(text)))
                return err_set(e, ERR_CONFLICT, "the primary status-store refuses the run");
        return err_set(e, ERR_CONFLICT, "%s", text);
}

int grant_run(struct http_client *primary, const struct grant_ask *ask, struct replay_run *out,
              struct err *e)
{
        AUTO_BUFFER body = {0};
        struct http_reply reply = {0};
        struct err why = {0};

        write_ask(ask, &body);
        const struct http_call call = {.method = "POST",
                                       .path = "/internal/v1/runs",
                                       .body = buffer_bytes(&body),
                                       .timeout = ANSWER_TIMEOUT};
        int done = http_client_call(primary, &call, &reply, &why);
        if (done != 0)
                (void)err_set(e, ERR_UNAVAILABLE, "%scannot be reached: %s", unavailable, why.text);
        else if (reply.status == 409)
                done = refuse(buffer_bytes(&reply.body), e);
        else if (reply.status != 200)
                done = err_set(e, ERR_UNAVAILABLE, "%sanswers %d", unavailable, reply.status);
        else if (read_answer(buffer_bytes(&reply.body), out) != 0)
                done = err_set(e, ERR_UNAVAILABLE, "%sgives an unknown answer", unavailable);
        http_reply_fini(&reply);
        return done;
}
