/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_host.c: the life of one host process: start, jobs given, what it says, kill,
 * end.
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

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/include/warren/handler.h"
#include "consumer/runner/needs.h"
#include "consumer/runner/plugin_environment.h"
#include "consumer/runner/plugin_outcome.h"
#include "consumer/runner/shortage.h"
#include "consumer/runner/text.h"

#define START_PATIENCE ((msec)10 * MSEC_SECOND)
#define LEAVE_PATIENCE ((msec)5 * MSEC_SECOND)

static void on_handle_closed(uv_handle_t *handle)
{
        struct plugin_host *h = handle->data;

        if (--h->handles_open > 0)
                return;
        talk_fini(&h->talk);
        free(h);
}

/* Everything but the memory, which goes with the last handle. */
static void release(struct plugin_host *h)
{
        h->state = HOST_DEAD;
        page_fini(&h->page);
        polled_close(&h->talk.hearing, on_handle_closed);
        polled_close(&h->talk.telling, on_handle_closed);
        polled_close(&h->child.end, on_handle_closed);
        uv_close((uv_handle_t *)&h->timer, on_handle_closed);
}

/* SIGKILL, with the reason to tell; died follows from the loop. */
static void kill_host(struct plugin_host *h, const struct err *why)
{
        if (why != NULL)
                err_set(&h->fault, why->code, "plugin %s: %s", h->spec.plugin, why->text);
        if (h->end_is_near || h->state == HOST_DEAD)
                return;
        h->end_is_near = true;
        uv_timer_stop(&h->timer);
        child_kill(&h->child, SIGKILL);
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct plugin_host *h, msec wait)
{
        uv_update_time(h->spec.loop);
        uv_timer_start(&h->timer, on_timer, (uint64_t)wait, 0);
}

/* BUSY: sets the cancel flag; the process is killed after `grace`. */
static void cancel(struct plugin_host *h, enum run_ending why, msec grace)
{
        if (h->state != HOST_BUSY || h->run.ending != RUN_GOES_ON)
                return;
        h->run.ending = why;
        page_cancel_job(&h->page);
        set_timer(h, grace);
}

static void on_timer(uv_timer_t *timer)
{
        struct plugin_host *h = timer->data;
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
        case HOST_DEAD:
                break;
        }
}

/* Before its run ends: nothing more is to come. */
static enum page_news tell_progress(struct plugin_host *h)
{
        struct wire_latest latest;
        enum page_news news = page_read(&h->page, &latest);

        if (news == PAGE_NEWS)
                run_progress(&h->run, latest.done, bytes_of(latest.text, latest.length));
        return news;
}

/* In this order: what is being written meanwhile, or later, is told of. */
static void look(struct plugin_host *h)
{
        if (h->state != HOST_BUSY)
                return;
        page_ask_to_tell(&h->page);
        tell_progress(h);
}

static void breaks_protocol(struct plugin_host *h, const char *what)
{
        struct err why = {0};

        err_set(&why, ERR_PROTOCOL, "its host broke the protocol: %s", what);
        kill_host(h, &why);
}

static void hear_ready(struct plugin_host *h, struct bytes names)
{
        if (h->state == HOST_LEAVING)
                return;
        if (h->state != HOST_STARTING) {
                breaks_protocol(h, "ready");
                return;
        }
        uv_timer_stop(&h->timer);
        h->state = HOST_IDLE;
        h->spec.on->ready(h->spec.owner, h, names);
}

static void hear_failed(struct plugin_host *h, struct bytes reason)
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

static void hear_log(struct plugin_host *h, const struct plugin_word *word)
{
        if (is_of_job(h, word->log.sequence))
                LOG_AT(level_of(word->log.level), "a handler says",
                       log_text("plugin", h->spec.plugin), log_text("type", h->run.handler->type),
                       log_bytes("text", word->text));
}

static void hear_end(struct plugin_host *h, const struct plugin_word *word)
{
        struct run_end end = {0};

        if (!is_of_job(h, word->end.sequence)) {
                breaks_protocol(h, "end");
                return;
        }
        tell_progress(h);
        plugin_outcome(&h->run, word, &end);
        uv_timer_stop(&h->timer);
        h->state = HOST_IDLE;
        h->served++;
        h->spec.on->idle(h->spec.owner, h);
        run_finish(&h->run, &end);
}

static void hear_word(struct plugin_host *h, const struct plugin_word *word)
{
        switch (word->kind) {
        case WIRE_READY:
                hear_ready(h, word->text);
                break;
        case WIRE_FAILED:
                hear_failed(h, word->text);
                break;
        case WIRE_PROGRESS:
                if (is_of_job(h, word->sequence) && tell_progress(h) == PAGE_BUSY)
                        look(h);
                break;
        case WIRE_LOG:
                hear_log(h, word);
                break;
        case WIRE_END:
                hear_end(h, word);
                break;
        case WIRE_OPEN:
        case WIRE_JOB: /* talk_next gives none */
                break;
        }
}

/* False when there is nothing more to hear now. */
static bool hear_once(struct plugin_host *h)
{
        struct plugin_word word;
        struct err fault = {0};
        int next = 0;

        if (h->end_is_near)
                return false;
        int got = talk_read(&h->talk, h->spec.scratch);
        if (got < 0) {
                /* Its end of the pipe is closed, so it is dying, or made itself useless. */
                polled_stop(&h->talk.hearing);
                if (h->state != HOST_LEAVING)
                        kill_host(h, NULL);
        }
        if (got <= 0)
                return false;
        while (!h->end_is_near && (next = talk_next(&h->talk, &word, &fault)) > 0)
                hear_word(h, &word);
        if (next < 0)
                kill_host(h, &fault);
        return true;
}

static void hear_all(struct plugin_host *h)
{
        while (hear_once(h))
                continue;
}

/* One read a turn: a level-triggered poll comes back when there is more. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
        (void)status;
        (void)events;
        hear_once(poll->data);
}

/* The process has ended: hears its last words, reaps it, tells. */
static void on_end(uv_poll_t *poll, int status, int events)
{
        struct plugin_host *h = poll->data;
        char how[CHILD_END_SIZE];
        struct run_end end = {0};

        (void)status;
        (void)events;
        if (!child_has_ended(&h->child))
                return;
        hear_all(h);

        enum host_state was = h->state;
        if (was == HOST_BUSY)
                tell_progress(h);
        struct child_end child_end = child_reap(&h->child);
        if (was == HOST_BUSY)
                plugin_outcome_of_death(&h->run, child_end, &h->fault, &end);
        err_set(&h->fault, ERR_UNAVAILABLE, "plugin %s: %s", h->spec.plugin,
                child_end_text(child_end, how));
        release(h);
        h->spec.on->died(h->spec.owner, h, was, &h->fault);
        if (was == HOST_BUSY)
                run_finish(&h->run, &end);
}

/* It also makes this side's ends of the pipes, and only these, non-blocking. */
static int init_handles(struct plugin_host *h, struct err *e)
{
        struct polled *const all[] = {&h->talk.hearing, &h->talk.telling, &h->child.end};

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
                if (polled_init(all[i], h->spec.loop, h, e) != 0)
                        return -1;
                h->handles_open++;
        }
        return 0;
}

static void watch(struct plugin_host *h)
{
        polled_start(&h->talk.hearing, UV_READABLE, on_readable);
        polled_start(&h->child.end, UV_READABLE, on_end);
        set_timer(h, START_PATIENCE);
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
        AUTO_FREE char *name = xstrdup(h->spec.plugin);
        AUTO_FREE char **env = plugin_environment();
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
        const struct wire_open open = {.memory = h->spec.memory};
        const struct bytes parts[TALK_PARTS_MAX] = {
                bytes_of(&open, sizeof(open)),
                bytes_of(h->spec.file, strlen(h->spec.file) + 1),
                bytes_of(h->spec.settings, strlen(h->spec.settings) + 1),
        };
        return talk_send(&h->talk, WIRE_OPEN, parts, e);
}

/* The process, its pipes and its page, before it is watched. */
static int prepare(struct plugin_host *h, struct err *e)
{
        AUTO_CLOSE int page_fd = -1;
        AUTO_CLOSE int in = -1;
        AUTO_CLOSE int out = -1;

        if (page_init(&h->page, &page_fd, e) != 0 || child_pipe(&in, &h->talk.telling.fd, e) != 0 ||
            child_pipe(&h->talk.hearing.fd, &out, e) != 0 ||
            shortage_spare_files(out, FILES_SPARED_BY_HOSTS, e) != 0)
                return -1;
        return start_process(h, in, out, page_fd, e);
}

struct plugin_host *host_create(const struct host_spec *s, struct err *e)
{
        struct plugin_host *h = xcalloc(1, sizeof(*h));
        struct err unsent = {0};

        h->spec = *s;
        talk_init(&h->talk);
        h->child.end.fd = -1;
        uv_timer_init(s->loop, &h->timer);
        h->timer.data = h;
        h->handles_open = 1;
        if (prepare(h, e) != 0 || init_handles(h, e) != 0) {
                child_reap(&h->child);
                release(h);
                return NULL;
        }
        watch(h);
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
        set_timer(h, q->timeout);
        return &h->run;
}

void host_stop(struct run *run, msec grace)
{
        cancel((struct plugin_host *)run, RUN_STOPPED, grace);
}

void host_look(struct run *run)
{
        look((struct plugin_host *)run);
}

enum host_state host_state(const struct plugin_host *h)
{
        return h->state;
}

int64_t host_served(const struct plugin_host *h)
{
        return h->served;
}

void host_leave(struct plugin_host *h)
{
        if (h->state != HOST_STARTING && h->state != HOST_IDLE)
                return;
        h->state = HOST_LEAVING;
        polled_close(&h->talk.telling, on_handle_closed);
        set_timer(h, LEAVE_PATIENCE);
}

/* Until fd is readable or the time `end` has come. */
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

        while (h->state == HOST_STARTING && !h->end_is_near) {
                if (!wait_readable(h->talk.hearing.fd, end))
                        return err_set(e, ERR_TIMEOUT, "plugin %s did not open in time",
                                       h->spec.plugin);
                hear_all(h);
        }
        if (h->state == HOST_IDLE)
                return 0;
        if (err_is_set(&h->fault))
                return err_set(e, h->fault.code, "%s", h->fault.text);
        return err_set(e, ERR_UNAVAILABLE, "plugin %s: its host ended while opening it",
                       h->spec.plugin);
}

void host_end(struct plugin_host *h, msec patience)
{
        if (h->state == HOST_BUSY) {
                child_kill(&h->child, SIGKILL);
                run_drop(&h->run);
        } else if (!h->end_is_near) {
                wait_readable(h->child.end.fd, clock_mono() + patience);
        }
        child_reap(&h->child);
        release(h);
}
