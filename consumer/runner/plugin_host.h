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
#include "consumer/runner/plugin_page.h"
#include "consumer/runner/plugin_talk.h"
#include "consumer/runner/run.h"

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
        struct runs *runs;
        uv_loop_t *loop;
        const char *program, *as_started; /* of the host, and what it is started with */
        char *scratch;                    /* TALK_READ_SIZE bytes to read into */
        const char *plugin;               /* the name: for messages, and in the list of processes */
        const char *file;
        const char *settings;
        int64_t memory;
        const struct host_events *on; /* borrowed, as are the texts, until it died */
        void *owner;
};

struct plugin_host {
        struct run run; /* BUSY */
        /* its pool's */
        struct plugin_host *prev, *next, *next_idle;
        bool replaced; /* has served recycle_after jobs: ends when another is ready */
        /* plugin_host.c's */
        enum host_state state;
        int64_t served;
        struct host_spec spec;
        struct child child;
        struct plugin_talk talk; /* its pipe to the host is closed once it was asked to leave */
        struct plugin_page page;
        uv_timer_t timer; /* STARTING: patience; BUSY: timeout, then grace; LEAVING: patience */
        unsigned handles_open;
        bool end_is_near; /* was sent SIGKILL */
        struct err fault; /* why it ends, if it is known before */
};

/* Starts the process; ready or died follows. */
struct plugin_host *host_create(const struct host_spec *s, struct err *e) MUST_CHECK;
enum host_state host_state(const struct plugin_host *h);
/* How many jobs it has ended. */
int64_t host_served(const struct plugin_host *h);
/* IDLE only. Its run begins. NULL: it takes no job any more. */
struct run *host_give(struct plugin_host *h, const struct run_request *q,
                      const struct run_events *on, void *owner, struct err *e) MUST_CHECK;
/* Of a run that host_give began: sets the cancel flag; the process is killed after `grace`. */
void host_stop(struct run *run, msec grace);
/* Of such a run: tells the latest progress in the page, if it is news, and has the host tell of the
 * next. */
void host_look(struct run *run);
/* Asks an idle or starting one to leave; it is killed if it does not. */
void host_leave(struct plugin_host *h);
/* Waits for it to be no longer STARTING, hearing it meanwhile. -1: fault is in e. */
int host_wait(struct plugin_host *h, msec limit, struct err *e) MUST_CHECK;
/* Ends it here and now: killed unless it leaves within the patience, reaped; its run is dropped
 * untold; no callbacks. Frees itself. Asking all with host_leave before makes them leave together.
 */
void host_end(struct plugin_host *h, msec patience);

#endif
