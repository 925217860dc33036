/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_host.h: the consumer's side of one warren-plugin-host process
 * (consumer/runner/plugin_wire.h): starts it, gives it jobs, reads its frames, kills it when a job
 * does not end in time. Loop thread only.
 */
#pragma once

#include <uv.h>

#include "consumer/runner/child.h"
#include "consumer/runner/plugin_talk.h"
#include "consumer/runner/run.h"

/*   starting ─► idle ◄─► busy
 *      └─────────┴───► leaving              (its process can end in any state: a crash, or killed)
 */
enum host_state { HOST_STARTING, HOST_IDLE, HOST_BUSY, HOST_LEAVING };

struct plugin_host;

struct host_events {
        /* It has opened its plugin; names: its handlers', each with its NUL. */
        void (*ready)(void *owner, struct plugin_host *h, struct bytes names);
        /* A job ended, and it can take another. Called before the run's `ended`. */
        void (*idle)(void *owner, struct plugin_host *h);
        /* The process was reaped; was: the state it died in; why is set. Called before the `ended`
         * of its run. h is freed afterwards. */
        void (*died)(void *owner, struct plugin_host *h, enum host_state was,
                     const struct err *why);
};

struct host_spec {
        struct runs *runs;
        uv_loop_t *loop;
        const char *program, *as_started; /* path of warren-plugin-host; from as_started_write */
        char *scratch;                    /* TALK_READ_SIZE bytes to read into */
        const struct plugin *plugin;      /* borrowed until `died`, as are the texts */
        const struct host_events *on;
        void *owner;
};

struct plugin_host {
        struct run run; /* BUSY */
        /* Used by its pool. */
        struct plugin_host *prev, *next, *next_idle;
        bool replaced; /* has run recycle_after jobs: ends when another is ready */
        /* Read by its pool. */
        enum host_state state;
        int64_t served; /* jobs it has run to their end */
        /* Used by plugin_host.c alone. */
        struct host_spec spec;
        struct child child;
        struct plugin_talk talk; /* when LEAVING its pipe to the host is closed */
        struct plugin_page page;
        struct alarm *alarm; /* STARTING, LEAVING: time limit; BUSY: timeout, then grace */
        bool kill_sent;      /* SIGKILL was sent */
        struct err fault;    /* why it is being killed, if known */
};

/* Starts the process; `ready` or `died` follows. */
struct plugin_host *host_create(const struct host_spec *s, struct err *e) MUST_CHECK;
/* IDLE only: begins a run. NULL: the job could not be written, and the host is being killed. */
struct run *host_give(struct plugin_host *h, const struct run_request *q,
                      const struct run_events *on, void *owner, struct err *e) MUST_CHECK;
/* run: of host_give. Sets the cancel flag; the process is killed after `grace`. */
void host_stop(struct run *run, msec grace);
/* run: of host_give. Reports the latest progress, if new; the host sends a frame for the next. */
void host_poll(struct run *run);
/* Asks an idle or starting host to end; it is killed after 5 s. A busy one is left alone. */
void host_leave(struct plugin_host *h);
/* Blocks while it is STARTING, at most `limit` ms. -1: it did not become IDLE; e says why. */
int host_wait(struct plugin_host *h, msec limit, struct err *e) MUST_CHECK;
/* Ends, reaps and frees it, without callbacks. A busy one is killed at once, another if it has not
 * ended in `limit` ms. Blocks. Call host_leave on all hosts before: then they end together. */
void host_end(struct plugin_host *h, msec limit);
