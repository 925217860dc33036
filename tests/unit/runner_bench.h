/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_bench.h: a runner with real children on an event loop of its own, and what its runs
 * reported.
 */
#pragma once

#include "tests/unit/unit.h"

#include "consumer/runner/runner.h"

struct bench {
        uv_loop_t loop;
        struct runner *runner;
        struct metrics *metrics;
        struct process_start as_started; /* the usual policy, umask 027, 1000 open files */
        struct handlers *handlers;
        char folder[64];
        char file[96];
};

/* A copy of what one run reported. */
struct told {
        struct bench *bench;
        bool ended;
        struct run_end end;
        struct buffer error, result, progress;
        unsigned progresses, begins, put_off;
        double done; /* of the last progress */
        struct run *run;
};

/* Writes handlers.json in a folder of its own; `types` is the text of the member's object. */
struct bench *bench_create(const char *plugins, const char *types, unsigned workers);
/* The same with another program in place of warren-launch. */
struct bench *bench_create_with(const char *plugins, const char *types, unsigned workers,
                                const char *launch_program);
void bench_destroy(struct bench **b); /* Also asserts that no child is left. */
void bench_write(struct bench *b, const char *plugins, const char *types);
/* Loads the file and makes it current. */
int bench_use(struct bench *b, struct err *e);

/* How one run must end. */
struct end_case {
        const char *type, *payload;
        msec timeout;
        enum outcome want;
        enum error_kind kind;
        const char *error, *result; /* prefixes of the texts */
        msec retry_after;
};

/* Runs the case and asserts that it ends as the case says. */
void bench_case(struct bench *b, const struct end_case *c);

/* Starts a job of a type; asserts that the start succeeds. */
struct run *bench_start(struct bench *b, const char *type, const char *payload, msec timeout,
                        struct told *told);
/* Returns NULL and sets e when the start fails. */
struct run *bench_try(struct bench *b, const struct job *job, msec timeout, struct told *told,
                      struct err *e);
/* bench_start, then waits until the run has ended. */
void bench_run(struct bench *b, const char *type, const char *payload, msec timeout,
               struct told *told);
/* Runs the loop until the condition holds; fails the test after 30 s. */
void bench_until(struct bench *b, bool (*holds)(void *of), void *of);
bool told_ended(void *told);
bool told_progress(void *told);
bool told_something(void *told);
bool told_put_off(void *told);
void told_fini(struct told *told);

#define AUTO_TOLD __attribute__((cleanup(told_fini))) struct told

/* Runs a consumer in a process of its own and kills it with SIGKILL while a job runs. `live` is
 * called in that process: it starts the job and returns the id of the child that runs it. That
 * child must live until the kill. Returns its id. */
int bench_killed(struct bench *(*create)(void), int (*live)(struct bench *b));

/* Waits until a process is gone or a zombie. */
void wait_gone(int pid);

/* Starts a process that holds a copy of every descriptor open now until holder_end, as a child does
 * between its start and its exec. */
int holder_start(void);
void holder_end(int holder);
