/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-plugin-host: loads one plugin and runs its jobs, one at a time, for the consumer
 * that started it (consumer/runner/plugin_wire.h). Not for use by hand.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/own.h"
#include "consumer/host/pipes.h"
#include "consumer/host/plugin.h"
#include "consumer/launch/as_started.h"

/* Ties this process to the consumer: it is killed with it, and ends here when the consumer is
 * already gone. Closes the inherited descriptors and restores the limits. */
static int settle_in(const char *parent, const char *as_started, struct err *e)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
                return err_set_errno(e, "cannot tie the host to the consumer");
        if (strtol(parent, NULL, 10) != (long)getppid())
                return err_set(e, ERR_UNAVAILABLE, "the consumer is gone");
        if (close_range(WIRE_FD_COUNT, ~0U, 0) != 0)
                return err_set_errno(e, "cannot close inherited descriptors");
        if (as_started_restore(as_started) != 0)
                return err_set_errno(
                        e, "cannot restore the limits that the consumer was started with");
        return 0;
}

static struct wire_page *page_map(struct err *e)
{
        void *page = mmap(NULL, sizeof(struct wire_page), PROT_READ | PROT_WRITE, MAP_SHARED,
                          WIRE_PAGE_FD, 0);
        if (page == MAP_FAILED) {
                err_set_errno(e, "cannot map the shared page");
                return NULL;
        }
        return page;
}

/* The first number of statm is the size of the address space, in pages. */
static int address_space(rlim_t *bytes, struct err *e)
{
        AUTO_FCLOSE FILE *statm = fopen("/proc/self/statm", "re");
        char text[128];

        if (statm == NULL || fgets(text, sizeof(text), statm) == NULL)
                return err_set_errno(e, "/proc/self/statm");
        *bytes = (rlim_t)strtoul(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
        return 0;
}

/* Limits the address space to what it is now plus `bytes`. */
static int limit_memory(int64_t bytes, struct err *e)
{
        rlim_t had = 0;

        if (address_space(&had, e) != 0)
                return -1;

        rlim_t allowed = had + (rlim_t)bytes;
        struct rlimit limit = {.rlim_cur = allowed, .rlim_max = allowed};
        if (setrlimit(RLIMIT_AS, &limit) != 0)
                return err_set_errno(e, "cannot set the memory limit");
        return 0;
}

static int refuse(const struct err *why)
{
        const struct bytes parts[PIPES_PARTS_MAX] = {bytes_of_text(why->text)};

        return pipes_write(WIRE_FAILED, parts, NULL) == 0 ? 0 : 1;
}

static int say_ready(const struct plugin *p, struct err *e)
{
        AUTO_BUFFER names = {0};

        for (const struct warren_handler *h = p->plugin->handlers; h->name != NULL; h++)
                buffer_add(&names, h->name, strlen(h->name) + 1);
        const struct bytes parts[PIPES_PARTS_MAX] = {buffer_bytes(&names)};
        return pipes_write(WIRE_READY, parts, e);
}

static struct plugin *open_plugin(struct buffer *in, struct err *e)
{
        struct pipes_frame frame;
        struct wire_open open;

        if (pipes_read(in, &frame, e) != 1 || frame.kind != WIRE_OPEN) {
                err_set(e, ERR_PROTOCOL, "the first frame must be OPEN");
                return NULL;
        }

        AUTO(plugin) p = plugin_open(frame.body, e);
        if (p == NULL)
                return NULL;
        memcpy(&open, frame.body.data, sizeof(open));
        if (open.memory > 0 && limit_memory(open.memory, e) != 0)
                return NULL;
        return TAKE(p);
}

static int serve(struct buffer *in, struct plugin *p, struct wire_page *page, struct err *e)
{
        struct pipes_frame frame;

        for (;;) {
                int got = pipes_read(in, &frame, e);
                if (got <= 0)
                        return got;
                if (frame.kind != WIRE_JOB)
                        return err_set(e, ERR_PROTOCOL, "expected a JOB frame");
                if (plugin_run(p, frame.body, page, e) != 0)
                        return -1;
        }
}

#if defined(__SANITIZE_ADDRESS__)
/* Called by the sanitizer's runtime. A plugin must fail as it does without the sanitizer, not with
 * a report: a wild access ends in SIGSEGV, an allocation over the limit returns NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "handle_segv=0:allocator_may_return_null=1";
}
#endif

int main(int argc, char **argv)
{
        struct err e = {0};
        AUTO_BUFFER in = {0};
        struct wire_page *page = NULL;

        if (argc != 4) {
                fprintf(stderr, "warren-plugin-host is started by warren-consumer\n");
                return 2;
        }
        if (settle_in(argv[2], argv[3], &e) != 0 || (page = page_map(&e)) == NULL)
                return refuse(&e);

        AUTO(plugin) plugin = open_plugin(&in, &e);
        if (plugin == NULL)
                return refuse(&e);
        if (say_ready(plugin, &e) != 0 || serve(&in, plugin, page, &e) != 0) {
                fprintf(stderr, "warren-plugin-host %s: %s\n", argv[1], e.text);
                return 1;
        }
        return 0;
}
