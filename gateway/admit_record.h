/* SPDX-License-Identifier: Apache-2.0
 *
 * admit_record.h: a message of stream `admits`: what one gateway admitted (docs/amqp.md). No
 * network here.
 *
 *     {"gateway":"host-a/12/9f3ac2d1","n":7,"at":1732250000123,"admitted":{"acme":12},
 *      "levels":{"acme":54000}}
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/model/job.h"

enum {
        ADMIT_GATEWAY_SIZE = 128,
        ADMIT_ENTRIES_MAX = 512,           /* of either kind */
        ADMIT_RECORD_BYTES_MAX = 64 * 1024 /* a larger one is refused */
};

struct admit_entry {
        char tenant[TENANT_SIZE];
        int64_t value;
};

struct admit_list {
        size_t count;
        struct admit_entry entries[ADMIT_ENTRIES_MAX];
};

/* About 45 KiB: not for the stack. */
struct admit_record {
        char gateway[ADMIT_GATEWAY_SIZE]; /* of one process */
        int64_t n;                        /* 1, 2, …: the order of a gateway's records */
        msec at;                          /* since the epoch, by the gateway's clock */
        struct admit_list admitted;       /* submissions; below zero: not made after all */
        struct admit_list levels;         /* ms after `at` until the bucket is full */
};

/* The list must not be full. */
void admit_list_add(struct admit_list *l, const char *tenant, int64_t value);
/* Appends its JSON. A list that is empty is left out. */
void admit_record_write(const struct admit_record *r, struct buffer *out);
/* ERR_INVALID: too long, not of this form, a number out of its range, too many entries; *out is
 * undefined then. Skips members of a later version. */
int admit_record_read(struct bytes json, struct admit_record *out, struct err *e) MUST_CHECK;
