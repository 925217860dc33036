/* SPDX-License-Identifier: Apache-2.0
 *
 * run.h: the common part of a run (one attempt, by a handler of any kind): its beginning, its calls
 * to its owner, its end; counts all runs, and knows whether the system has room for more. The kinds
 * use it; it knows none of them. Loop thread only.
 */
#pragma once

#include <uv.h>

#include "common/metrics/metrics.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/run_request.h"

enum { RUN_PROGRESS_MAX = 4096 /* bytes */ };

/* All runs of one runner. */
struct runs;

/* Why the consumer is ending a run. FLOODED: it wrote more than its output limit. */
enum run_ending { RUN_GOES_ON, RUN_TIMED_OUT, RUN_STOPPED, RUN_FLOODED };

/* The first member of each kind's own struct. The kinds read `handler` and `ending`, and set
 * `ending`; the rest is used by run.c alone. */
struct run {
        const struct handler *handler; /* NULL once it has ended */
        enum run_ending ending;
        struct runs *all;
        const struct run_events *on;
        void *owner;
        struct type_load *load;
        msec timeout;
};

struct runs *runs_create(uv_loop_t *loop, struct metrics *m);
/* No run may be left. */
void runs_destroy(struct runs **all);
unsigned runs_count(const struct runs *all);
/* True while the handler's type is below its concurrency. */
bool runs_allow(const struct runs *all, const struct handler *h);
/* How many runs its type is below its concurrency. */
unsigned runs_left(const struct runs *all, const struct handler *h);
/* Frees the counters of types with no run. */
void runs_forget_idle_types(struct runs *all);

/* The system had no room for a process. Logs it, counts it under `kind` in a metric, and makes
 * runs_have_shortage true until a run ends or SHORTAGE_WAIT has passed. */
void runs_note_shortage(struct runs *all, const char *kind, const struct err *why);
bool runs_have_shortage(const struct runs *all);

#define SHORTAGE_WAIT ((msec)1000)

/* Fills the common part, and counts the run. */
void run_begin(struct run *run, struct runs *all, const struct run_request *q,
               const struct run_events *on, void *owner);
/* The handler's code begins: calls `began`. */
void run_began(struct run *run);
/* Calls `progress` if `done` is finite. Makes the text UTF-8, and cuts it to RUN_PROGRESS_MAX. */
void run_progress(struct run *run, double done, struct bytes text);
/* The system had no room for it and it never began: ends it, and calls `put_off`. */
void run_put_off(struct run *run, const char *kind, const struct err *why);
/* Calls `ended`. `end` may borrow from the texts of run_fails… and run_result. Inside the call the
 * owner may start another run in the same memory: do not touch `run` afterwards. */
void run_finish(struct run *run, const struct run_end *end);
/* Ends it without a callback: the runner is being destroyed. */
void run_drop(struct run *run);

/* MEMORY when its process has a memory limit and `said` names a lack of memory; else `kind`. */
enum error_kind run_error_kind(const struct run *run, enum error_kind kind, struct bytes said);
/* Fills outcome RETRY, kind and error. The text is made valid UTF-8 and cut to JOB_ERROR_MAX. It
 * lives until the next of these four calls for any run. */
void run_fails(struct run *run, struct run_end *end, enum error_kind kind, struct bytes error);
/* The same, with the error `how` it ended, then the tail of what it `said` before. */
void run_fails_saying(struct run *run, struct run_end *end, enum error_kind kind, const char *how,
                      struct bytes said);
/* The same, for a run that exceeded its timeout. */
void run_fails_by_timeout(struct run *run, struct run_end *end, struct bytes said);
/* Fills the result, a valid JSON value. output: its beginning; total: its full length. */
void run_result(struct run *run, struct run_end *end, struct bytes output, size_t total);
