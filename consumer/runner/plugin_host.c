/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_host.c: the life of one host process: its start, its jobs, its frames, its end.
 */
#include "consumer/runner/plugin_host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/include/warren/handler.h"
#include "consumer/runner/plugin_outcome.h"
#include "consumer/runner/shortage.h"
#include "consumer/runner/text.h"

#define START_LIMIT ((msec)10 * MSEC_SECOND)
#define LEAVE_LIMIT ((msec)5 * MSEC_SECOND)

static void close_all(struct plugin_host *h)
{
        page_fini(&h->page);
        polled_close(&h->talk.from_host);
        polled_close(&h->talk.to_host);
        polled_close(&h->child.end);
        alarm_destroy(&h->alarm);
}

static void host_free(struct plugin_host *h)
{
        close_all(h);
        talk_fini(&h->talk);
        free(h);
}

/* Sends SIGKILL; why: the reason to report, or NULL. The loop calls on_end later. */
static void kill_host(struct plugin_host *h, const struct err *why)
{
        if (why != NULL)
                err_set(&h->fault, why->code, "plugin %s: %s", h->spec.plugin->name, why->text);
        if (h->kill_sent)
                return;
        h->kill_sent = true;
        alarm_stop(h->alarm);
        child_kill(&h->child, SIGKILL);
}

/* If BUSY: sets the cancel flag; the process is killed after `grace`. */
static void cancel(struct plugin_host *h, enum run_ending why, msec grace)
{
        if (h->state != HOST_BUSY || h->run.ending != RUN_GOES_ON)
                return;
        h->run.ending = why;
        page_cancel_job(&h->page);
        alarm_set(h->alarm, grace);
}

static void on_alarm(void *owner)
{
        struct plugin_host *h = owner;
        struct err late = {0};

        switch (h->state) {
        case HOST_STARTING:
                err_set(&late, ERR_TIMEOUT, "did not open in time");
                kill_host(h, &late);
                break;
        case HOST_BUSY:
                if (h->run.ending == RUN_GOES_ON)
                        cancel(h, RUN_TIMED_OUT, h->run.handler->grace);
                else
                        kill_host(h, NULL);
                break;
        case HOST_LEAVING:
                kill_host(h, NULL);
                break;
        case HOST_IDLE:
                break;
        }
}

/* Reports the latest progress in the page, if it is new. */
static enum page_news report_progress(struct plugin_host *h)
{
        struct wire_latest latest;
        enum page_news news = page_read(&h->page, &latest);

        if (news == PAGE_NEWS)
                run_progress(&h->run, latest.done, bytes_of(latest.text, latest.length));
        return news;
}

/* First asks for a frame, then reads: progress that is written meanwhile is not missed. */
void host_poll(struct run *run)
{
        struct plugin_host *h = (struct plugin_host *)run;

        if (h->state != HOST_BUSY)
                return;
        page_ask_notice(&h->page);
        report_progress(h);
}

static void breaks_protocol(struct plugin_host *h, const char *what)
{
        struct err why = {0};

        err_set(&why, ERR_PROTOCOL, "its host broke the protocol: %s", what);
        kill_host(h, &why);
}

static void on_ready_frame(struct plugin_host *h, struct bytes names)
{
        if (h->state == HOST_LEAVING)
                return;
        if (h->state != HOST_STARTING) {
                breaks_protocol(h, "ready");
                return;
        }
        alarm_stop(h->alarm);
        h->state = HOST_IDLE;
        h->spec.on->ready(h->spec.owner, h, names);
}

static void on_failed_frame(struct plugin_host *h, struct bytes reason)
{
        AUTO_BUFFER text = {0};
        struct err why = {0};

        if (h->state != HOST_STARTING && h->state != HOST_LEAVING) {
                breaks_protocol(h, "failed");
                return;
        }
        text_repair(text_trim(reason), ERR_TEXT_SIZE / 2, &text);
        err_set(&why, ERR_INVALID, "%s", text.length > 0 ? text.data : "no reason given");
        kill_host(h, &why);
}

static bool is_of_job(const struct plugin_host *h, uint32_t sequence)
{
        return h->state == HOST_BUSY && sequence == h->page.sequence;
}

static enum log_level level_of(uint32_t level)
{
        switch (level) {
        case WARREN_LOG_ERROR:
                return LOG_LEVEL_ERROR;
        case WARREN_LOG_WARN:
                return LOG_LEVEL_WARN;
        case WARREN_LOG_INFO:
                return LOG_LEVEL_INFO;
        }
        return LOG_LEVEL_DEBUG;
}

static void on_log_frame(struct plugin_host *h, const struct plugin_frame *frame)
{
        if (is_of_job(h, frame->log.sequence))
                LOG_AT(level_of(frame->log.level), "logged by a handler",
                       log_text("plugin", h->spec.plugin->name),
                       log_text("type", h->run.handler->type), log_bytes("text", frame->text));
}

static void on_end_frame(struct plugin_host *h, const struct plugin_frame *frame)
{
        struct run_end end = {0};

        if (!is_of_job(h, frame->end.sequence)) {
                breaks_protocol(h, "end");
                return;
        }
        report_progress(h);
        plugin_outcome(&h->run, frame, &end);
        alarm_stop(h->alarm);
        h->state = HOST_IDLE;
        h->served++;
        h->spec.on->idle(h->spec.owner, h);
        run_finish(&h->run, &end);
}

static void on_frame(struct plugin_host *h, const struct plugin_frame *frame)
{
        switch (frame->kind) {
        case WIRE_READY:
                on_ready_frame(h, frame->text);
                break;
        case WIRE_FAILED:
                on_failed_frame(h, frame->text);
                break;
        case WIRE_PROGRESS:
                if (is_of_job(h, frame->sequence) && report_progress(h) == PAGE_BUSY)
                        host_poll(&h->run);
                break;
        case WIRE_LOG:
                on_log_frame(h, frame);
                break;
        case WIRE_END:
                on_end_frame(h, frame);
                break;
        case WIRE_OPEN:
        case WIRE_JOB: /* talk_next gives none */
                break;
        }
}

/* False when there is nothing more to read now. */
static bool read_once(struct plugin_host *h)
{
        struct plugin_frame frame;
        struct err fault = {0};
        int next = 0;

        if (h->kill_sent)
                return false;
        int got = talk_read(&h->talk, h->spec.scratch);
        if (got < 0) {
                /* Its end of the pipe is closed: it is ending, or of no use any more. */
                polled_stop(&h->talk.from_host);
                if (h->state != HOST_LEAVING)
                        kill_host(h, NULL);
        }
        if (got <= 0)
                return false;
        while (!h->kill_sent && (next = talk_next(&h->talk, &frame, &fault)) > 0)
                on_frame(h, &frame);
        if (next < 0)
                kill_host(h, &fault);
        return true;
}

static void read_all(struct plugin_host *h)
{
        while (read_once(h))
                continue;
}

/* One read a turn: the poll is level-triggered and calls again when there is more. */
static void on_readable(void *owner, struct polled *w)
{
        (void)w;
        read_once(owner);
}

/* The process has ended: reads its last frames, reaps it, reports its death. */
static void on_end(void *owner, struct polled *w)
{
        struct plugin_host *h = owner;
        char how[CHILD_END_SIZE];
        struct run_end end = {0};

        (void)w;
        if (!child_has_ended(&h->child))
                return;
        read_all(h);

        enum host_state was = h->state;
        if (was == HOST_BUSY)
                report_progress(h);
        struct child_end child_end = child_reap(&h->child);
        if (was == HOST_BUSY)
                plugin_outcome_of_death(&h->run, child_end, &h->fault, &end);
        err_set(&h->fault, ERR_UNAVAILABLE, "plugin %s: %s", h->spec.plugin->name,
                child_end_text(child_end, how));
        close_all(h); /* the descriptors: `died` and `ended` may start other processes */
        h->spec.on->died(h->spec.owner, h, was, &h->fault);
        if (was == HOST_BUSY)
                run_finish(&h->run, &end);
        host_free(h);
}

/* Its settings may hold secrets; with systemd's variables a handler could act as the service. */
static bool is_own(const char *assignment)
{
        static const char *const own[] = {
                "WARREN_",      "CREDENTIALS_DIRECTORY=", "INVOCATION_ID=", "JOURNAL_STREAM=",
                "LISTEN_",      "MEMORY_PRESSURE_",       "NOTIFY_SOCKET=", "SYSTEMD_EXEC_PID=",
                "WATCHDOG_PID", "WATCHDOG_USEC",
        };

        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
                if (strncmp(assignment, own[i], strlen(own[i])) == 0)
                        return true;
        }
        return false;
}

/* The consumer's environment, without variables meant for the consumer alone. NULL-terminated. The
 * caller frees the list, but not its texts. */
static char **host_environment(void)
{
        size_t count = 0;
        while (environ[count] != NULL)
                count++;

        char **kept = xcalloc(count + 1, sizeof(*kept));
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
                if (!is_own(environ[i]))
                        kept[n++] = environ[i];
        }
        return kept;
}

static int start_process(struct plugin_host *h, int in, int out, int page, struct err *e)
{
        char parent[24];
        snprintf(parent, sizeof(parent), "%ld", (long)getpid());

        AUTO_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0)
                return shortage_err(e, "/dev/null");

        AUTO_FREE char *program = xstrdup(h->spec.program);
        AUTO_FREE char *as_started = xstrdup(h->spec.as_started);
        AUTO_FREE char *name = xstrdup(h->spec.plugin->name);
        AUTO_FREE char **env = host_environment();
        char *argv[] = {program, name, parent, as_started, NULL};
        const int fds[WIRE_FD_COUNT] = {null, STDERR_FILENO, STDERR_FILENO, in, out, page};
        const struct child_spec spec = {.program = program,
                                        .argv = argv,
                                        .env = env,
                                        .fds = fds,
                                        .fd_count = WIRE_FD_COUNT};
        return child_spawn(&spec, &h->child, e);
}

static int send_open(struct plugin_host *h, struct err *e)
{
        const struct wire_open open = {.memory = h->spec.plugin->memory};
        const struct bytes parts[TALK_PARTS_MAX] = {
                bytes_of(&open, sizeof(open)),
                bytes_of(h->spec.plugin->file, strlen(h->spec.plugin->file) + 1),
                bytes_of(h->spec.plugin->settings, strlen(h->spec.plugin->settings) + 1),
        };
        return talk_send(&h->talk, WIRE_OPEN, parts, e);
}

/* Makes the page, the pipes and the process; nothing is watched yet. */
static int prepare(struct plugin_host *h, struct err *e)
{
        AUTO_CLOSE int page_fd = -1;
        AUTO_CLOSE int in = -1;
        AUTO_CLOSE int out = -1;

        if (page_init(&h->page, &page_fd, e) != 0 || child_pipe(&in, &h->talk.to_host.fd, e) != 0 ||
            child_pipe(&h->talk.from_host.fd, &out, e) != 0 ||
            shortage_spare_files(out, FILES_SPARED_BY_HOSTS, e) != 0)
                return -1;
        if (start_process(h, in, out, page_fd, e) != 0)
                return -1;
        /* Also makes the consumer's ends of the pipes non-blocking; the host's stay blocking. */
        if (polled_init(&h->talk.from_host, h->spec.loop, e) != 0 ||
            polled_init(&h->talk.to_host, h->spec.loop, e) != 0)
                return -1;
        return polled_init(&h->child.end, h->spec.loop, e);
}

struct plugin_host *host_create(const struct host_spec *s, struct err *e)
{
        struct plugin_host *h = xcalloc(1, sizeof(*h));
        struct err unsent = {0};

        h->spec = *s;
        talk_init(&h->talk);
        h->child.end.fd = -1;
        h->alarm = alarm_create(s->loop, on_alarm, h);
        if (prepare(h, e) != 0) {
                child_reap(&h->child);
                host_free(h);
                return NULL;
        }
        polled_start(&h->talk.from_host, UV_READABLE, on_readable, h);
        polled_start(&h->child.end, UV_READABLE, on_end, h);
        alarm_set(h->alarm, START_LIMIT);
        if (send_open(h, &unsent) != 0)
                kill_host(h, &unsent);
        return h;
}

struct run *host_give(struct plugin_host *h, const struct run_request *q,
                      const struct run_events *on, void *owner, struct err *e)
{
        assert(h->state == HOST_IDLE);
        if (talk_send_job(&h->talk, q, page_begin_job(&h->page), e) != 0) {
                kill_host(h, e);
                return NULL;
        }
        h->state = HOST_BUSY;
        run_begin(&h->run, h->spec.runs, q, on, owner);
        run_began(&h->run);
        alarm_set(h->alarm, q->timeout);
        return &h->run;
}

void host_stop(struct run *run, msec grace)
{
        cancel((struct plugin_host *)run, RUN_STOPPED, grace);
}

void host_leave(struct plugin_host *h)
{
        if (h->state != HOST_STARTING && h->state != HOST_IDLE)
                return;
        h->state = HOST_LEAVING;
        polled_close(&h->talk.to_host);
        alarm_set(h->alarm, LEAVE_LIMIT);
}

/* Blocks until fd is readable (true) or the monotonic time `end` has come. */
static bool wait_readable(int fd, msec end)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};

        for (;;) {
                msec left = end - clock_mono();
                int ready = poll(&p, 1, left > 0 ? (int)left : 0);
                if (ready > 0)
                        return true;
                if (ready == 0 && left <= 0)
                        return false;
        }
}

int host_wait(struct plugin_host *h, msec limit, struct err *e)
{
        msec end = clock_mono() + limit;

        while (h->state == HOST_STARTING && !h->kill_sent) {
                if (!wait_readable(h->talk.from_host.fd, end))
                        return err_set(e, ERR_TIMEOUT, "plugin %s did not open in time",
                                       h->spec.plugin->name);
                read_all(h);
        }
        if (h->state == HOST_IDLE)
                return 0;
        if (err_is_set(&h->fault))
                return err_set(e, h->fault.code, "%s", h->fault.text);
        return err_set(e, ERR_UNAVAILABLE, "plugin %s: its host ended while opening it",
                       h->spec.plugin->name);
}

void host_end(struct plugin_host *h, msec limit)
{
        if (h->state == HOST_BUSY) {
                child_kill(&h->child, SIGKILL);
                run_drop(&h->run);
        } else if (!h->kill_sent) {
                wait_readable(h->child.end.fd, clock_mono() + limit);
        }
        child_reap(&h->child);
        host_free(h);
}
