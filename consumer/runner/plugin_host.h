/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_host.h: the consumer's side of one warren-plugin-host process
 * (consumer/runner/plugin_wire.h): starts it, gives it a job, hears the end, kills it when a job
 * will not end. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_HOST_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_HOST_H

#include <uv.h>

#include "consumer/runner/child.h"
#include "consumer/runner/parts.h"
#include "consumer/runner/plugin_wire.h"

/*   starting ─► idle ◄─► busy
 *      └─────────┴────────┴──► leaving ─► dead      (dead from anywhere: a crash)
 */
enum host_state { HOST_STARTING, HOST_IDLE, HOST_BUSY, HOST_LEAVING, HOST_DEAD };

struct plugin_host;

struct host_events {
        /* It has loaded its plugin; names holds the handlers' names, each with its NUL. */
        void (*ready)(void *owner, struct plugin_host *h, struct bytes names);
        /* A job ended and it could take another. Called before the run's own `ended`. */
        void (*idle)(void *owner, struct plugin_host *h);
        /* The process is gone and reaped; `was` is the state it died in, why is set. Called before
         * the `ended` of the run it had. It frees itself: let go of it. */
        void (*died)(void *owner, struct plugin_host *h, enum host_state was,
                     const struct err *why);
};

struct host_spec {
        struct runner *runner;
        const char *plugin; /* the name: for messages, and in the list of processes */
        const char *file;
        const char *settings;
        int64_t memory;
        const struct host_events *on; /* borrowed, as is plugin, until it died */
        void *owner;
};

/* Fields other than its lists are plugin_host.c's. */
struct plugin_host {
        struct run run; /* BUSY */
        struct plugin_host *prev, *next, *next_idle;
        bool worn; /* to be replaced by a younger one */
        int64_t served;
        enum host_state state;
        struct host_spec spec;
        struct child child;
        struct watched hearing, telling; /* telling: closed once it was asked to leave */
        struct wire_page *page;
        uint32_t sequence;     /* of the job it has or had */
        uint32_t latest_heard; /* version of the progress in the page */
        uv_timer_t timer; /* STARTING: patience; BUSY: timeout, then grace; LEAVING: patience */
        unsigned handles_open;
        bool end_is_near; /* was sent SIGKILL */
        struct buffer in, out;
        struct err fault; /* why it ends, if it is known before */
};

/* Starts the process; ready or died follows. */
struct plugin_host *host_create(const struct host_spec *s, struct err *e) MUST_CHECK;
/* IDLE only. Its run begins. */
int host_give(struct plugin_host *h, const struct run_request *q, const struct run_events *on,
              void *owner, struct err *e) MUST_CHECK;
/* BUSY: sets the cancel flag; the process is killed after `grace`. */
void host_cancel(struct plugin_host *h, enum run_ending why, msec grace);
/* Asks an idle or starting one to leave; it is killed if it does not. */
void host_leave(struct plugin_host *h);
/* Waits for it to be no longer STARTING, hearing it meanwhile. -1: fault is in e. */
int host_wait(struct plugin_host *h, msec limit, struct err *e) MUST_CHECK;
/* Ends it here and now: killed unless it leaves within the patience, reaped; its run is dropped
 * untold; no callbacks. Frees itself. Asking all with host_leave before makes them leave together.
 */
void host_end(struct plugin_host *h, msec patience);

#endif
