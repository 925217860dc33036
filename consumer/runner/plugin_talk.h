/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_talk.h: frames to and from a plugin host, by two pipes (plugin_wire.h). It knows no state:
 * what has come is handed to its owner, frame by frame. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_TALK_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_TALK_H

#include "common/base/bytes.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/plugin_wire.h"
#include "consumer/runner/polled.h"
#include "consumer/runner/run_request.h"

enum { TALK_PARTS_MAX = 3, TALK_READ_SIZE = 2 * (sizeof(struct wire_header) + WIRE_REPLY_MAX) };

/* The pipes are their owner's to open, watch for input and close; the rest is plugin_talk.c's. */
struct plugin_talk {
        struct polled hearing, telling;
        struct buffer in, out; /* a frame not yet whole; what the pipe did not take */
        struct bytes unread;   /* in `in`, or in what was read into */
};

/* What a frame says; the member of its kind is set. Lives until the next talk_read. */
struct plugin_word {
        enum wire_kind kind;
        struct bytes text;  /* READY: names, each with its NUL; FAILED, LOG: text; END: the error */
        struct bytes value; /* END: the result */
        uint32_t sequence;  /* PROGRESS */
        struct wire_log log;
        struct wire_end end;
};

void talk_init(struct plugin_talk *t);
void talk_fini(struct plugin_talk *t);

/* One writev; what does not fit is kept and follows when the pipe takes it. */
int talk_send(struct plugin_talk *t, enum wire_kind kind, const struct bytes parts[TALK_PARTS_MAX],
              struct err *e) MUST_CHECK;
int talk_send_job(struct plugin_talk *t, const struct run_request *q, uint32_t sequence,
                  struct err *e) MUST_CHECK;

/* One read, into `scratch` of TALK_READ_SIZE bytes. 1: talk_next has something to look at, and is
 * called until it has nothing more; 0: nothing now; -1: its end of the pipe is closed. */
int talk_read(struct plugin_talk *t, char *scratch) MUST_CHECK;
/* 1: a word; 0: no whole frame any more; -1: the host broke the protocol, e says how. */
int talk_next(struct plugin_talk *t, struct plugin_word *out, struct err *e) MUST_CHECK;

#endif
