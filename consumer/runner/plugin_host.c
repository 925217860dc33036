/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_host.c: the life of one host process: start, jobs given, kill, end. What it says is heard
 * in plugin_talk.c.
 */
#include "consumer/runner/plugin_host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/runner/plugin_talk.h"
#include "consumer/runner/shortage.h"

#define START_PATIENCE ((msec)10 * MSEC_SECOND)
#define LEAVE_PATIENCE ((msec)5 * MSEC_SECOND)

static void on_handle_closed(uv_handle_t *handle)
{
        struct plugin_host *h = handle->data;

        if (--h->handles_open > 0)
                return;
        buffer_fini(&h->in);
        buffer_fini(&h->out);
        free(h);
}

/* Everything but the memory, which goes with the last handle. */
static void release(struct plugin_host *h)
{
        h->state = HOST_DEAD;
        if (h->page != NULL)
                munmap(h->page, sizeof(*h->page));
        watched_close(&h->hearing, on_handle_closed);
        watched_close(&h->telling, on_handle_closed);
        watched_close(&h->child.end, on_handle_closed);
        uv_close((uv_handle_t *)&h->timer, on_handle_closed);
}

void host_kill(struct plugin_host *h, const struct err *why)
{
        if (why != NULL)
                err_set(&h->fault, why->code, "%s", why->text);
        if (h->end_is_near || h->state == HOST_DEAD)
                return;
        h->end_is_near = true;
        uv_timer_stop(&h->timer);
        child_kill(&h->child, SIGKILL);
}

static void on_timer(uv_timer_t *timer)
{
        struct plugin_host *h = timer->data;
        struct err late = {0};

        switch (h->state) {
        case HOST_STARTING:
                err_set(&late, ERR_TIMEOUT, "plugin %s did not open in time", h->spec.plugin);
                host_kill(h, &late);
                break;
        case HOST_BUSY:
                if (h->run.ending == RUN_GOES_ON)
                        host_cancel(h, RUN_TIMED_OUT, h->run.handler->grace);
                else
                        host_kill(h, NULL);
                break;
        case HOST_LEAVING:
                host_kill(h, NULL);
                break;
        case HOST_IDLE:
        case HOST_DEAD:
                break;
        }
}

/* How a run ends whose process did. */
static void end_of_crash(struct plugin_host *h, struct child_end end, bool refused,
                         struct run_end *out)
{
        char how[CHILD_END_SIZE], text[256];

        child_end_text(end, how);
        snprintf(text, sizeof(text), "plugin %.100s: %s%s", h->spec.plugin, how,
                 refused ? ", out of memory" : "");
        switch (h->run.ending) {
        case RUN_GOES_ON:
        case RUN_FLOODED:
                run_fails(&h->run, out, refused ? ERROR_KIND_MEMORY : ERROR_KIND_CRASH,
                          err_is_set(&h->fault) ? bytes_of_text(h->fault.text)
                                                : bytes_of_text(text));
                break;
        case RUN_TIMED_OUT:
                run_fails_by_timeout(&h->run, out, bytes_of_text(text));
                break;
        case RUN_STOPPED:
                out->outcome = OUTCOME_STOPPED;
                break;
        }
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
        talk_hear_all(h);

        enum host_state was = h->state;
        bool refused = atomic_load(&h->page->refused) == h->sequence && h->sequence != 0;
        if (was == HOST_BUSY)
                talk_look_last(h);
        struct child_end child_end = child_reap(&h->child);
        if (was == HOST_BUSY)
                end_of_crash(h, child_end, refused, &end);
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
        struct watched *const all[] = {&h->hearing, &h->telling, &h->child.end};

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
                if (watched_init(all[i], h->spec.runner->loop, h, e) != 0)
                        return -1;
                h->handles_open++;
        }
        return 0;
}

static void watch(struct plugin_host *h)
{
        watched_start(&h->hearing, UV_READABLE, talk_on_readable);
        watched_start(&h->child.end, UV_READABLE, on_end);
        uv_update_time(h->spec.runner->loop);
        uv_timer_start(&h->timer, on_timer, (uint64_t)START_PATIENCE, 0);
}

/* Of the consumer alone: its settings may carry secrets, and what systemd tells a service would
 * make a handler speak for it. */
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

/* The consumer's environment without what is its own. */
static char **environment(void)
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

        char *program = h->spec.runner->host_program;
        AUTO_FREE char *name = xstrdup(h->spec.plugin);
        AUTO_FREE char **env = environment();
        char *argv[] = {program, name, parent, h->spec.runner->as_started, NULL};
        const int fds[WIRE_FD_COUNT] = {null, STDERR_FILENO, STDERR_FILENO, in, out, page};
        const struct child_spec spec = {.program = program,
                                        .argv = argv,
                                        .env = env,
                                        .fds = fds,
                                        .fd_count = WIRE_FD_COUNT};
        return child_spawn(&spec, &h->child, e);
}

static struct wire_page *page_create(int *fd, struct err *e)
{
        AUTO_CLOSE int page_fd = memfd_create("warren-page", MFD_CLOEXEC);
        if (page_fd < 0 || ftruncate(page_fd, sizeof(struct wire_page)) != 0) {
                shortage_err(e, "cannot make a shared page");
                return NULL;
        }

        void *page = mmap(NULL, sizeof(struct wire_page), PROT_READ | PROT_WRITE, MAP_SHARED,
                          page_fd, 0);
        if (page == MAP_FAILED) {
                shortage_err(e, "cannot map a shared page");
                return NULL;
        }
        *fd = own_take_fd(&page_fd);
        return page;
}

static int send_open(struct plugin_host *h, struct err *e)
{
        const struct wire_open open = {.memory = h->spec.memory};
        const struct bytes parts[TALK_PARTS_MAX] = {
                bytes_of(&open, sizeof(open)),
                bytes_of(h->spec.file, strlen(h->spec.file) + 1),
                bytes_of(h->spec.settings, strlen(h->spec.settings) + 1),
        };
        return talk_send(h, WIRE_OPEN, parts, e);
}

/* The process, its pipes and its page, before it is watched. */
static int prepare(struct plugin_host *h, struct err *e)
{
        AUTO_CLOSE int page_fd = -1;
        AUTO_CLOSE int in = -1;
        AUTO_CLOSE int out = -1;

        h->page = page_create(&page_fd, e);
        if (h->page == NULL || child_pipe(&in, &h->telling.fd, e) != 0 ||
            child_pipe(&h->hearing.fd, &out, e) != 0)
                return -1;
        return start_process(h, in, out, page_fd, e);
}

struct plugin_host *host_create(const struct host_spec *s, struct err *e)
{
        struct plugin_host *h = xcalloc(1, sizeof(*h));
        struct err unsent = {0};

        h->spec = *s;
        h->hearing.fd = h->telling.fd = h->child.end.fd = -1;
        uv_timer_init(s->runner->loop, &h->timer);
        h->timer.data = h;
        h->handles_open = 1;
        if (prepare(h, e) != 0 || init_handles(h, e) != 0) {
                child_reap(&h->child);
                release(h);
                return NULL;
        }
        watch(h);
        if (send_open(h, &unsent) != 0)
                host_kill(h, &unsent);
        return h;
}

int host_give(struct plugin_host *h, const struct run_request *q, const struct run_events *on,
              void *owner, struct err *e)
{
        assert(h->state == HOST_IDLE);
        if (++h->sequence == 0)
                h->sequence = 1;
        atomic_store(&h->page->told, 0);
        if (talk_send_job(h, q, e) != 0) {
                host_kill(h, e);
                return -1;
        }
        h->state = HOST_BUSY;
        run_begin(&h->run, h->spec.runner, q, on, owner);
        run_began(&h->run);
        uv_update_time(h->spec.runner->loop);
        uv_timer_start(&h->timer, on_timer, (uint64_t)q->timeout, 0);
        return 0;
}

void host_cancel(struct plugin_host *h, enum run_ending why, msec grace)
{
        if (h->state != HOST_BUSY || h->run.ending != RUN_GOES_ON)
                return;
        h->run.ending = why;
        atomic_store(&h->page->cancelled, h->sequence);
        uv_update_time(h->spec.runner->loop);
        uv_timer_start(&h->timer, on_timer, (uint64_t)grace, 0);
}

void host_leave(struct plugin_host *h)
{
        if (h->state != HOST_STARTING && h->state != HOST_IDLE)
                return;
        h->state = HOST_LEAVING;
        watched_close(&h->telling, on_handle_closed);
        uv_update_time(h->spec.runner->loop);
        uv_timer_start(&h->timer, on_timer, (uint64_t)LEAVE_PATIENCE, 0);
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
                if (!wait_readable(h->hearing.fd, end))
                        return err_set(e, ERR_TIMEOUT, "plugin %s did not open in time",
                                       h->spec.plugin);
                talk_hear_all(h);
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
