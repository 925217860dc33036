/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_talk.h: the consumer's side of plugin_wire.h: writes and reads a plugin host's frames, on
 * two pipes; cancels a job and reads its latest progress, in the shared page. It does not know the
 * host's state. Loop thread only.
 */
#pragma once

#include "common/base/bytes.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/plugin_wire.h"
#include "consumer/runner/polled.h"
#include "consumer/runner/run_request.h"

enum { TALK_PARTS_MAX = 3, TALK_READ_SIZE = 2 * (sizeof(struct wire_header) + WIRE_REPLY_MAX) };

/* The owner opens the pipes, watches for input and closes them; plugin_talk.c has the rest. */
struct plugin_talk {
        struct polled from_host, to_host;
        struct buffer in, out; /* an incomplete frame; bytes the pipe did not take yet */
        struct bytes unread;   /* points into `in`, or into the last scratch */
};

/* A frame from the host; the members of its kind are set. Lives until the next talk_read. */
struct plugin_frame {
        enum wire_kind kind;
        struct bytes text;  /* READY: names, each with its NUL; FAILED, LOG: text; END: the error */
        struct bytes value; /* END: the result */
        uint32_t sequence;  /* PROGRESS */
        struct wire_log log;
        struct wire_end end;
};

void talk_init(struct plugin_talk *t);
void talk_fini(struct plugin_talk *t);

/* Never blocks. What the pipe does not take is copied and written later. */
int talk_send(struct plugin_talk *t, enum wire_kind kind, const struct bytes parts[TALK_PARTS_MAX],
              struct err *e) MUST_CHECK;
int talk_send_job(struct plugin_talk *t, const struct run_request *q, uint32_t sequence,
                  struct err *e) MUST_CHECK;

/* One read, into `scratch` of TALK_READ_SIZE bytes. 1: call talk_next until it returns 0; 0:
 * nothing now; -1: the host's end of the pipe is closed. */
int talk_read(struct plugin_talk *t, char *scratch) MUST_CHECK;
/* 1: a frame; 0: no whole frame is left; -1: the host broke the protocol, e says how. */
int talk_next(struct plugin_talk *t, struct plugin_frame *out, struct err *e) MUST_CHECK;

struct plugin_page {
        struct wire_page *shared;
        uint32_t sequence; /* of the current or last job; 0: none yet */
        uint32_t seen;     /* version of the progress read last */
};

/* fd is for the host; the caller closes it. ERR_FULL: no room now. */
int page_init(struct plugin_page *p, int *fd, struct err *e) MUST_CHECK;
void page_fini(struct plugin_page *p);

/* Begins a job; returns its sequence. */
uint32_t page_begin_job(struct plugin_page *p);
void page_cancel_job(struct plugin_page *p);

enum page_news { PAGE_NEWS, PAGE_NO_NEWS, PAGE_BUSY /* it is being written */ };
/* Reads the job's latest progress, if it is newer than at the last call. */
enum page_news page_read(struct plugin_page *p, struct wire_latest *out);
/* Makes the host send a PROGRESS frame with the next progress that it writes. */
void page_ask_notice(struct plugin_page *p);
