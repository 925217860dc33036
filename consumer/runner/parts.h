/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h: what the kinds of handlers share inside the runner. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_PARTS_H
#define WARREN_CONSUMER_RUNNER_PARTS_H

#include <uthash.h>

#include "common/base/alarm.h"
#include "consumer/launch/as_started.h"
#include "consumer/runner/plugin_wire.h"
#include "consumer/runner/runner.h"

struct plugin_pool;
struct exec_run;

/* How many attempts of a type run here; by name, so that a reload does not forget them. */
struct type_load {
        char type[JOB_TYPE_SIZE];
        unsigned running;
        UT_hash_handle hh;
};

/* Why a run is being ended by us. */
enum run_ending { RUN_GOES_ON, RUN_TIMED_OUT, RUN_STOPPED, RUN_FLOODED };

/* The common part of an attempt; a kind's own struct begins with it. */
struct run {
        struct runner *runner;
        const struct handler *handler;
        const struct run_events *on;
        void *owner;
        struct type_load *load;
        msec timeout;
        enum run_ending ending;
};

struct runner {
        char *host_program, *launch_program;
        char as_started[AS_STARTED_SIZE]; /* for what it starts */
        int64_t workers;
        uv_loop_t *loop;
        struct handlers *handlers; /* NULL until the first runner_use */
        struct type_load *loads;
        struct plugin_pool *pools;
        struct exec_run *execs;
        unsigned running;
        void (*room)(void *owner);
        void *room_owner;
        bool lacks_room; /* the system had none for the last start: until a run ends, or the alarm
                          */
        struct alarm *lack_alarm;
        msec lack_told_at;            /* monotonic; of the last line in the log about it */
        struct metric *put_off;       /* NULL without metrics */
        struct metric *hosts_started; /* NULL without metrics */
        struct metric *hosts_running;
        struct buffer text; /* of the run_end that is being told */
        char scratch[2 * (sizeof(struct wire_header) + WIRE_REPLY_MAX)]; /* of one read */
};

/* Fills the common part and counts it. */
void run_begin(struct run *run, struct runner *r, const struct run_request *q,
               const struct run_events *on, void *owner);
/* Its handler's code begins now. */
void run_began(struct run *run);
/* It could not begin for want of room: forgotten here, and its owner's again. */
void run_put_off(struct run *run, const char *kind, const struct err *why);
/* Tells the owner; `end` may borrow from the runner's text and scratch. The run's memory may be
 * used again from within: it must be ready for that. */
void run_finish(struct run *run, struct run_end *end);
/* Forgets it without telling: the runner goes. */
void run_drop(struct run *run);
/* Fills outcome RETRY, kind and error. The text is made fit (UTF-8, ≤ JOB_ERROR_MAX) in
 * runner->text. */
void run_fails(struct run *run, struct run_end *end, enum error_kind kind, struct bytes error);
/* The same of a program or handler that said something before it ended: `how` it ended, then the
 * end of what it said. */
void run_fails_saying(struct run *run, struct run_end *end, enum error_kind kind, const char *how,
                      struct bytes said);
/* The error of an attempt that exceeded its timeout. */
void run_fails_by_timeout(struct run *run, struct run_end *end, struct bytes said);
void runner_room(struct runner *r);
/* The system had no room for a process of that kind: told in the log and in a metric; programs are
 * not started until a run has ended, or LACK_WAIT has passed. */
void runner_lacks_room(struct runner *r, const char *kind, const struct err *why);

#define LACK_WAIT ((msec)1000)

/* Kind plugin. */
bool plugin_has_room(const struct runner *r, const struct handler *h);
struct run *plugin_start(struct runner *r, const struct run_request *q, const struct run_events *on,
                         void *owner, struct err *e) MUST_CHECK;
void plugin_stop(struct run *run, msec grace);
void plugin_look(struct run *run);
int plugins_use(struct runner *r, const struct handlers *h, struct err *e) MUST_CHECK;
void plugins_destroy(struct runner *r);

/* Kind exec. */
bool exec_has_room(const struct runner *r, const struct handler *h);
struct run *exec_start(struct runner *r, const struct run_request *q, const struct run_events *on,
                       void *owner, struct err *e) MUST_CHECK;
void exec_stop(struct run *run, msec grace);
void exec_look(struct run *run);
void execs_destroy(struct runner *r);

#endif
