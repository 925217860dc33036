/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_streams.h: reads what a program writes: its result on stdout, its error on stderr,
 * `progress` and `retry_after` as JSON lines on descriptor 3, where other lines are skipped.
 * Progress is reported at once, the rest is for the program's end. Loop thread only.
 */
#pragma once

#include "consumer/runner/polled.h"
#include "consumer/runner/run.h"

enum exec_stream_kind { EXEC_STDOUT, EXEC_STDERR, EXEC_PROGRESS };
enum { EXEC_STREAMS = 3 };

/* The owner opens, watches and closes the pipes, and reads what was read from them. */
struct exec_streams {
        struct polled pipes[EXEC_STREAMS];
        struct run *run;           /* whose progress is reported */
        struct buffer output;      /* the first EVENT_RESULT_MAX + 1 bytes of stdout */
        size_t output_total;       /* all bytes of stdout */
        struct buffer stderr_tail; /* the last 8 KiB of stderr */
        struct buffer line;        /* of descriptor 3, incomplete */
        bool line_too_long;
        msec retry_after; /* what the program asked for; 0: nothing */
};

void exec_streams_init(struct exec_streams *s, struct run *run);
void exec_streams_fini(struct exec_streams *s);

/* One read, through `scratch`; reports progress. Returns the number of bytes; 0 at the end or on an
 * error, -1 when there is nothing now. */
ssize_t exec_streams_read(struct exec_streams *s, enum exec_stream_kind which,
                          struct buffer *scratch);
/* The program has ended: reads what is left in its pipes, at most 1 MiB from each. */
void exec_streams_read_rest(struct exec_streams *s, struct buffer *scratch);
