/* SPDX-License-Identifier: Apache-2.0
 *
 * run.h: what is common to an attempt of every kind of handler: its beginning, what it tells its
 * owner, its end; and the count and the room of all that run here. The kinds stand on it and it
 * knows none of them. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_RUN_H
#define WARREN_CONSUMER_RUNNER_RUN_H

#include <uv.h>

#include "common/metrics/metrics.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/run_request.h"

enum { RUN_PROGRESS_MAX = 4096 };

/* Those of one runner. */
struct runs;

/* Why a run is being ended by us. */
enum run_ending { RUN_GOES_ON, RUN_TIMED_OUT, RUN_STOPPED, RUN_FLOODED };

/* The common part of an attempt; a kind's own struct begins with it. The kinds read `handler` and
 * `ending`, and set `ending`; the rest is run.c's. */
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
/* Nothing runs any more. */
void runs_destroy(struct runs **all);
unsigned runs_count(const struct runs *all);
/* Is the handler's type below its concurrency? */
bool runs_allow(const struct runs *all, const struct handler *h);
/* Forgets the types of which nothing runs. */
void runs_forget_idle_types(struct runs *all);

/* The system had no room for a process of that kind: told in the log and in a metric; room is
 * lacking until a run has ended, or LACK_WAIT has passed. */
void runs_lack_room(struct runs *all, const char *kind, const struct err *why);
bool runs_lack(const struct runs *all);

#define LACK_WAIT ((msec)1000)

/* Fills the common part and counts it. */
void run_begin(struct run *run, struct runs *all, const struct run_request *q,
               const struct run_events *on, void *owner);
/* Its handler's code begins now. */
void run_began(struct run *run);
/* Tells its owner, unless `done` is no number. The text is made fit: UTF-8, at most
 * RUN_PROGRESS_MAX bytes; empty: none. */
void run_progress(struct run *run, double done, struct bytes text);
/* It could not begin for want of room: forgotten here, and its owner's again. */
void run_put_off(struct run *run, const char *kind, const struct err *why);
/* Tells the owner; `end` may borrow from the texts of run_fails… and run_result. The run's memory
 * may be used again from within: it must be ready for that. */
void run_finish(struct run *run, const struct run_end *end);
/* Forgets it without telling: the runner goes. */
void run_drop(struct run *run);

/* `kind`, or MEMORY when its process has a memory limit and `said` blames a lack of memory. */
enum error_kind run_error_kind(const struct run *run, enum error_kind kind, struct bytes said);
/* Fills outcome RETRY, kind and error. The text is made fit (UTF-8, ≤ JOB_ERROR_MAX), and lives
 * until the next of these calls for any run, as does a result. */
void run_fails(struct run *run, struct run_end *end, enum error_kind kind, struct bytes error);
/* The same of a program or handler that said something before it ended: `how` it ended, then the
 * end of what it said. */
void run_fails_saying(struct run *run, struct run_end *end, enum error_kind kind, const char *how,
                      struct bytes said);
/* The error of an attempt that exceeded its timeout. */
void run_fails_by_timeout(struct run *run, struct run_end *end, struct bytes said);
/* Fills the result, made fit; `total` is how long it was, of which `output` is the beginning. */
void run_result(struct run *run, struct run_end *end, struct bytes output, size_t total);

#endif
