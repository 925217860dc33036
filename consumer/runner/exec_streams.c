/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_streams.c: reads a program's three pipes.
 */
#include "consumer/runner/exec_streams.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_read.h"
#include "common/model/event.h"

enum {
        STDERR_MAX = 8192,     /* room for an error, and white space after it */
        LINE_MAX_BYTES = 8192, /* longer lines on descriptor 3 are skipped */
        LINE_DEPTH_MAX = 4,
        REST_MAX = 1024 * 1024, /* bytes read from a pipe after the program's end */
};

void exec_streams_init(struct exec_streams *s, struct run *run)
{
        *s = (struct exec_streams){.run = run};
        for (size_t i = 0; i < EXEC_STREAMS; i++)
                s->pipes[i].fd = -1;
}

void exec_streams_fini(struct exec_streams *s)
{
        buffer_fini(&s->output);
        buffer_fini(&s->stderr_tail);
        buffer_fini(&s->line);
}

static void take_stdout(struct exec_streams *s, struct bytes text)
{
        size_t room = EVENT_RESULT_MAX + 1 - s->output.length;

        buffer_add(&s->output, text.data, text.length < room ? text.length : room);
        s->output_total += text.length;
}

static void take_stderr(struct exec_streams *s, struct bytes text)
{
        if (text.length > STDERR_MAX)
                text = bytes_of(text.data + text.length - STDERR_MAX, STDERR_MAX);
        size_t total = s->stderr_tail.length + text.length;
        if (total > STDERR_MAX)
                buffer_drop(&s->stderr_tail, total - STDERR_MAX);
        buffer_add(&s->stderr_tail, text.data, text.length);
}

static void read_progress(struct exec_streams *s, struct scan_value line, struct scan_value number)
{
        struct scan_value message;
        AUTO_BUFFER raw = {0};

        if (s->run->ending != RUN_GOES_ON)
                return;
        if (scan_find(line, "message", &message) && message.kind == SCAN_STRING)
                scan_string(message, &raw);
        run_progress(s->run, scan_real(number), buffer_bytes(&raw));
}

static void read_retry_after(struct exec_streams *s, struct scan_value duration)
{
        char text[TIME_TEXT_SIZE];
        msec wait = 0;
        bool given = duration.kind == SCAN_NUMBER
                             ? bytes_to_text(duration.raw, text, sizeof(text)) == 0
                             : json_copy_text(duration, text, sizeof(text));

        if (!given || duration_parse(text, &wait, NULL) != 0)
                return;
        s->retry_after = wait < RETRY_AFTER_MAX ? wait : RETRY_AFTER_MAX;
}

static void read_line(struct exec_streams *s, struct bytes line)
{
        struct scan_fault fault;
        struct scan_value value;

        if (scan_check(line, LINE_DEPTH_MAX, &fault) != 0)
                return;
        struct scan_value root = scan_root(line);
        if (root.kind != SCAN_OBJECT)
                return;
        if (scan_find(root, "progress", &value) && value.kind == SCAN_NUMBER)
                read_progress(s, root, value);
        if (scan_find(root, "retry_after", &value))
                read_retry_after(s, value);
}

static void take_progress(struct exec_streams *s, struct bytes text)
{
        while (text.length > 0) {
                const char *end = memchr(text.data, '\n', text.length);
                size_t part = end != NULL ? (size_t)(end - text.data) : text.length;

                if (s->line.length + part > LINE_MAX_BYTES)
                        s->line_too_long = true;
                else
                        buffer_add(&s->line, text.data, part);
                if (end == NULL)
                        return;
                if (!s->line_too_long)
                        read_line(s, buffer_bytes(&s->line));
                buffer_clear(&s->line);
                s->line_too_long = false;
                text = bytes_of(end + 1, text.length - part - 1);
        }
}

ssize_t exec_streams_read(struct exec_streams *s, enum exec_stream_kind which,
                          struct buffer *scratch)
{
        ssize_t got = read(s->pipes[which].fd, scratch->data, scratch->length);

        if (got <= 0)
                return got < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : 0;

        struct bytes text = bytes_of(scratch->data, (size_t)got);
        switch (which) {
        case EXEC_STDOUT:
                take_stdout(s, text);
                break;
        case EXEC_STDERR:
                take_stderr(s, text);
                break;
        case EXEC_PROGRESS:
                take_progress(s, text);
                break;
        }
        return got;
}

void exec_streams_read_rest(struct exec_streams *s, struct buffer *scratch)
{
        for (size_t i = 0; i < EXEC_STREAMS; i++) {
                ssize_t got = 1;
                for (size_t taken = 0; got > 0 && taken < REST_MAX; taken += (size_t)got)
                        got = exec_streams_read(s, (enum exec_stream_kind)i, scratch);
        }
        if (s->line.length > 0)
                take_progress(s, bytes_of("\n", 1));
}
