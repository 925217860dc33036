/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_source.h: reads the jobs of a batch, one after another, from a file or standard input: JSON
 * lines, or one JSON array when the first character is '['.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "ui/cli/batch_job.h"

struct batch_source;

enum batch_read {
        BATCH_READ_JOB,
        BATCH_READ_LATER, /* nothing came for 200 ms, or a signal came */
        BATCH_READ_END,
        BATCH_READ_FAILED,
};

/* path: "-" for standard input. stop: see struct cli. */
struct batch_source *batch_source_open(const char *path, const volatile sig_atomic_t *stop,
                                       struct err *e) MUST_CHECK;
void batch_source_destroy(struct batch_source **s);

/* A regular file, which can be read again, has a size and a time of its last change. */
bool batch_source_is_file(const struct batch_source *s);
int64_t batch_source_size(const struct batch_source *s);    /* bytes */
int64_t batch_source_changed(const struct batch_source *s); /* ms since the epoch */
/* Whether it is the file at path. */
bool batch_source_is(const struct batch_source *s, const char *path);
/* Locks a file until it is closed. -1: ERR_CONFLICT: another process has it locked; else the file
 * system gives no locks. */
int batch_source_lock(const struct batch_source *s, struct err *e) MUST_CHECK;

/* The next job. *p: its text and its place; the text, which is absent when it is larger than 4 MiB,
 * is valid until the next call. ERR_INVALID: the input goes on wrongly. ERR_CONFLICT: a file became
 * shorter than it was when it was opened. */
enum batch_read batch_source_next(struct batch_source *s, struct batch_place *p,
                                  struct err *e) MUST_CHECK;
/* Known after the first job: requests have the same form. */
bool batch_source_is_array(const struct batch_source *s);
