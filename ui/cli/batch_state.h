/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_state.h: the file FILE.warren-batch, by which a later run goes on where one stopped: how
 * far FILE was submitted, and the key that its jobs have.
 */
#pragma once

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "ui/cli/batch_job.h"

enum { BATCH_URL_SIZE = 1024 };
/* The gateway keeps keys for 24 h. */
#define BATCH_KEY_GOOD ((msec)23 * MSEC_HOUR)

struct batch_state {
        int64_t version; /* of this format: 1 */
        char key[BATCH_KEY_SIZE];
        char url[BATCH_URL_SIZE]; /* without a login */
        int64_t size, changed;    /* of FILE: bytes; ms since the epoch */
        int64_t done; /* number of the last job before the first open one (struct batch_place) */
        int64_t accepted, refused; /* of these */
        msec since; /* no job after `done` has a key at the gateway that is older; wall clock; 0: no
                     * such job has a key there */
};

/* The file's path; owned. */
char *batch_state_path(const char *input) MUST_CHECK;
/* Whether the open file is it, or the one that becomes it when it is replaced. */
bool batch_state_is(const char *input, int fd);
/* 1: read. 0: there is none. ERR_CONFLICT: of a later version. ERR_CORRUPT: damaged. */
int batch_state_load(const char *path, struct batch_state *s, struct err *e) MUST_CHECK;
/* Replaces it by rename; it is on the disk then. */
int batch_state_save(const char *path, const struct batch_state *s, struct err *e) MUST_CHECK;
/* Whether the run that `old` tells of can go on with the file, URL and key of `now`, in which an
 * empty key means any, and any URL is good while `done` is 0: before the first job has its answer.
 * ERR_CONFLICT: it cannot, and why. Jobs that were sent and not answered are made twice once their
 * keys are forgotten, after 24 h. So `old` is good for BATCH_KEY_GOOD after its `since`, `now`
 * having the time. Pure. */
int batch_state_check(const struct batch_state *old, const struct batch_state *now,
                      struct err *e) MUST_CHECK;
