/* SPDX-License-Identifier: Apache-2.0
 *
 * mark.h: the marks of stream `marks` (docs/amqp.md): which messages of a job are over, because it
 * was cancelled, forgotten or moved. Pure.
 *
 * A message of a job is below a mark of that job by (run, number of the attempt that it is to
 * start, copy), in this order. The attempt comes before the copy: when a job is moved while its old
 * copy starts and fails, the retry of that is above the mark, and the moved copy is superseded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/model/job.h"

#define MARKS_LOGIN "warren-operator" /* marks of other logins do not count */
#define MARK_TYPE "mark"              /* property `type` of a message of marks */
/* Header: a copy number that grows with each message. Who has read one has read all before it. */
#define MARK_HEADER "x-mark"

enum {
        MARK_LINES_MAX = 200, /* of one message */
        MARK_MESSAGE_MAX = 64 * 1024,
};

#define MARK_WHYS(X) \
        X(MARK_FOR_CANCEL, "cancel") \
        X(MARK_FOR_FORGET, "forget") \
        X(MARK_FOR_RUN_NOW, "run_now") \
        X(MARK_FOR_RESCHEDULE, "reschedule") \
        X(MARK_FOR_PRIORITY, "priority") \
        X(MARK_FOR_RETRY, "retry") \
        X(MARK_FOR_OTHER, "") /* a word of a later version: a move */

enum mark_why {
#define X(code, word) code,
        MARK_WHYS(X)
#undef X
};

/* Of one job; or with id "" a bulk mark: of all jobs of the tenant ("": of any) and type ("": any)
 * that were submitted before `before`. */
struct mark {
        char tenant[TENANT_SIZE], id[UUID_SIZE], type[JOB_TYPE_SIZE];
        int64_t run, attempt, copy;
        msec before, at;
        enum mark_why why;
};

/* What the marks say of a message. */
enum mark_verdict {
        MARK_NONE,
        MARK_MOVED,     /* it is over: another message took its place */
        MARK_CANCELLED, /* it is over: the job was cancelled or forgotten */
        MARK_ASK,       /* not known here: a status-store knows */
};

const char *mark_why_word(enum mark_why why);
/* The job ends by it, and is not moved. */
bool mark_ends_the_job(const struct mark *m);
/* Up to where a mark reaches, or where a message of its job is; attempt: of a message job->attempt
 * + 1. */
struct mark_place {
        int64_t run, attempt, copy;
};
bool mark_covers(struct mark_place mark, struct mark_place message);
/* A bulk mark. False for a job without a time of submission; one from outside has only its
 * publisher's word for it. */
bool mark_covers_bulk(const struct mark *m, const struct job *job);

/* Above `highest`, and above all that were made in an earlier millisecond; of those of the same one
 * any may be the higher. random: any number. Less than JOB_COUNTER_MAX until the year 2248. */
int64_t copy_number(msec now, uint64_t random, int64_t highest);

/* Appends a line. */
void mark_write(const struct mark *m, struct buffer *out);
/* Calls `each` for the marks in a message's body, in their order; *skipped grows by the lines that
 * are none. -1: too large for a message of marks; nothing was read. */
typedef void mark_fn(void *owner, const struct mark *m);
int marks_each(struct bytes body, mark_fn *each, void *owner, unsigned *skipped) MUST_CHECK;
