/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_streams.c: what a program writes: its result on stdout, complaints on stderr, progress and
 * retry_after as JSON lines on descriptor 3. A line there that means nothing is skipped.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_scan.h"
#include "common/model/event.h"
#include "consumer/runner/exec_run.h"
#include "consumer/runner/text.h"

enum { LINE_DEPTH_MAX = 4, REST_MAX = 1024 * 1024 };

static void hear_output(struct exec_run *x, struct bytes text)
{
        size_t room = EVENT_RESULT_MAX + 1 - x->output.length;

        buffer_add(&x->output, text.data, text.length < room ? text.length : room);
        x->output_total += text.length;
        if ((int64_t)x->output_total > x->run.handler->output)
                exec_end_soon(x, RUN_FLOODED, 0);
}

static void hear_complaint(struct exec_run *x, struct bytes text)
{
        if (text.length > EXEC_COMPLAINT_MAX)
                text = bytes_of(text.data + text.length - EXEC_COMPLAINT_MAX, EXEC_COMPLAINT_MAX);
        size_t total = x->complaint.length + text.length;
        if (total > EXEC_COMPLAINT_MAX)
                buffer_drop(&x->complaint, total - EXEC_COMPLAINT_MAX);
        buffer_add(&x->complaint, text.data, text.length);
}

static void hear_progress(struct exec_run *x, struct scan_value line, struct scan_value number)
{
        double done = scan_real(number);
        struct scan_value message;
        AUTO_BUFFER raw = {0};
        AUTO_BUFFER text = {0};

        if (!isfinite(done) || x->run.ending != RUN_GOES_ON || x->run.on->progress == NULL)
                return;
        if (scan_find(line, "message", &message) && message.kind == SCAN_STRING)
                scan_string(message, &raw);
        text_repair(buffer_bytes(&raw), WIRE_TEXT_MAX, &text);
        done = done < 0 ? 0 : done > 1 ? 1 : done;
        x->run.on->progress(x->run.owner, done,
                            text.length > 0 ? buffer_bytes(&text) : bytes_of(NULL, 0));
}

static void hear_retry_after(struct exec_run *x, struct scan_value duration)
{
        char text[TIME_TEXT_SIZE];
        AUTO_BUFFER raw = {0};
        msec wait = 0;

        if (duration.kind == SCAN_STRING)
                scan_string(duration, &raw);
        else if (duration.kind == SCAN_NUMBER)
                buffer_add(&raw, duration.raw.data, duration.raw.length);
        if (bytes_to_text(buffer_bytes(&raw), text, sizeof(text)) != 0 ||
            duration_parse(text, &wait, NULL) != 0)
                return;
        x->retry_after = wait < RETRY_AFTER_MAX ? wait : RETRY_AFTER_MAX;
}

static void hear_line(struct exec_run *x, struct bytes line)
{
        struct scan_fault fault;
        struct scan_value value;

        if (scan_check(line, LINE_DEPTH_MAX, &fault) != 0)
                return;
        struct scan_value root = scan_root(line);
        if (root.kind != SCAN_OBJECT)
                return;
        if (scan_find(root, "progress", &value) && value.kind == SCAN_NUMBER)
                hear_progress(x, root, value);
        if (scan_find(root, "retry_after", &value))
                hear_retry_after(x, value);
}

static void hear_talk(struct exec_run *x, struct bytes text)
{
        while (text.length > 0) {
                const char *end = memchr(text.data, '\n', text.length);
                size_t part = end != NULL ? (size_t)(end - text.data) : text.length;

                if (x->line.length + part > EXEC_LINE_MAX)
                        x->line_too_long = true;
                else
                        buffer_add(&x->line, text.data, part);
                if (end == NULL)
                        return;
                if (!x->line_too_long)
                        hear_line(x, buffer_bytes(&x->line));
                buffer_clear(&x->line);
                x->line_too_long = false;
                text = bytes_of(end + 1, text.length - part - 1);
        }
}

/* How many bytes there were; 0 at the end, -1 when there is nothing now. */
static ssize_t hear_once(struct exec_stream *s)
{
        struct exec_run *x = s->owner;
        struct runner *r = x->run.runner;
        ssize_t got = read(s->pipe.fd, r->scratch, sizeof(r->scratch));

        if (got <= 0)
                return got < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : 0;

        struct bytes text = bytes_of(r->scratch, (size_t)got);
        switch (s->which) {
        case EXEC_OUTPUT:
                hear_output(x, text);
                break;
        case EXEC_COMPLAINT:
                hear_complaint(x, text);
                break;
        case EXEC_TALK:
                hear_talk(x, text);
                break;
        }
        return got;
}

void exec_on_stream(uv_poll_t *poll, int status, int events)
{
        struct exec_stream *s = poll->data;

        (void)events;
        exec_hear_launch(s->owner);
        if (status != 0 || hear_once(s) == 0)
                watched_stop(&s->pipe);
}

void exec_hear_rest(struct exec_stream *s)
{
        size_t heard = 0;
        ssize_t got;

        do {
                got = hear_once(s);
                heard += got > 0 ? (size_t)got : 0;
        } while (got > 0 && heard < REST_MAX);
        if (s->which == EXEC_TALK && s->owner->line.length > 0)
                hear_talk(s->owner, bytes_of("\n", 1));
}
