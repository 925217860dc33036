/* SPDX-License-Identifier: Apache-2.0
 *
 * rogue.c: a plugin whose handlers do everything a handler must not do, and some things it may.
 */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "consumer/include/warren/handler.h"
#include "consumer/runner/plugin_wire.h"

static int rogue_open(const char *settings, void **state, char *error, size_t size)
{
        if (strstr(settings, "crash") != NULL)
                raise(SIGSEGV);
        if (strstr(settings, "refuse") != NULL) {
                snprintf(error, size, "these settings will not do");
                return -1;
        }
        *state = calloc(1, sizeof(int));
        return *state != NULL ? 0 : -1;
}

static void rogue_close(void *state)
{
        free(state);
}

/* A long text, for tests of bounds. */
static char *text_of(char c, size_t length)
{
        char *text = malloc(length + 1);

        if (text != NULL) {
                memset(text, c, length);
                text[length] = '\0';
        }
        return text;
}

static int segv(const struct warren_job *job, void *state)
{
        (void)job;
        (void)state;
        raise(SIGSEGV);
        return WARREN_DONE;
}

static int leaves(const struct warren_job *job, void *state)
{
        (void)job;
        (void)state;
        _exit(3);
}

/* Ignores cancellation. */
static int spin(const struct warren_job *job, void *state)
{
        (void)state;
        job->host->progress(job, 0.5, "spinning");
        while (pause() != 0)
                continue;
        return WARREN_DONE;
}

/* Ends when it is cancelled, with the outcome in its payload: "stopped", "done", "retry". */
static int waits(const struct warren_job *job, void *state)
{
        const struct timespec slice = {.tv_nsec = 1000000};

        (void)state;
        job->host->progress(job, 0.0, "waiting");
        while (!job->host->cancelled(job))
                nanosleep(&slice, NULL);
        switch (job->payload[1]) {
        case 'd':
                return WARREN_DONE;
        case 'r':
                job->host->error(job, "was told to end");
                return WARREN_RETRY;
        }
        return WARREN_STOPPED;
}

static int stops_unasked(const struct warren_job *job, void *state)
{
        (void)job;
        (void)state;
        return WARREN_STOPPED;
}

static int no_outcome(const struct warren_job *job, void *state)
{
        (void)job;
        (void)state;
        return 77;
}

static int silent(const struct warren_job *job, void *state)
{
        (void)job;
        (void)state;
        return WARREN_RETRY;
}

static int retry_after(const struct warren_job *job, void *state)
{
        (void)state;
        job->host->retry_after(job, 1234);
        job->host->error(job, "not \xff now");
        return WARREN_RETRY;
}

static int long_error(const struct warren_job *job, void *state)
{
        (void)state;
        char *text = text_of('e', 100000);
        /* One letter of one byte, then letters of two bytes: the limit falls inside a letter. */
        for (size_t i = 1; job->payload[1] == 'w' && i + 1 < 100000; i += 2)
                memcpy(text + i, "\xC3\xA9", 2);
        job->host->error(job, text);
        free(text);
        return WARREN_PERMANENT;
}

/* All results but the first must be refused. */
static int results(const struct warren_job *job, void *state)
{
        char *text = text_of('1', 65537);
        int refused = 0;

        (void)state;
        if (job->host->result(job, "{\"kept\":\n true}", 15) != 0)
                return WARREN_PERMANENT;
        refused += job->host->result(job, "{", 1);
        refused += job->host->result(job, "1 2", 3);
        refused += job->host->result(job, NULL, 0);
        refused += job->host->result(job, text, 65537);
        free(text);
        return refused == -4 ? WARREN_DONE : WARREN_PERMANENT;
}

static int floods(const struct warren_job *job, void *state)
{
        char *text = text_of('p', 10000);

        (void)state;
        for (int i = 0; i < 100000; i++) {
                job->host->progress(job, i / 100000.0, text);
                job->host->log(job, WARREN_LOG_DEBUG, text);
        }
        free(text);
        return WARREN_DONE;
}

/* A burst of progress, then a long silence. */
static int bursts(const struct warren_job *job, void *state)
{
        const struct timespec slice = {.tv_nsec = 1000000};

        (void)state;
        for (int i = 1; i <= 1000; i++) {
                job->host->log(job, WARREN_LOG_DEBUG, "a step");
                job->host->progress(job, i / 1000.0, i < 1000 ? "a step" : "the last step");
        }
        while (!job->host->cancelled(job))
                nanosleep(&slice, NULL);
        return WARREN_STOPPED;
}

/* Reports that memory was refused, or aborts as an uncaught bad_alloc does. */
static int hog(const struct warren_job *job, void *state)
{
        (void)state;
        char *volatile all = malloc((size_t)1 << 33);
        if (all == NULL && job->payload[1] != 'g')
                abort();
        free(all);
        job->host->error(job, all == NULL ? "bad_alloc" : "it got what is over its limit");
        return WARREN_RETRY;
}

/* Reports its payload as its error. */
static int complains(const struct warren_job *job, void *state)
{
        (void)state;
        job->host->error(job, job->payload);
        return WARREN_PERMANENT;
}

/* Returns its process id and how many jobs this process has run. */
static int count(const struct warren_job *job, void *state)
{
        int *jobs = state;
        char text[64];

        snprintf(text, sizeof(text), "[%d, %d]", (int)getpid(), ++*jobs);
        return job->host->result(job, text, strlen(text)) == 0 ? WARREN_DONE : WARREN_RETRY;
}

/* Returns the descriptors it has. */
static int descriptors(const struct warren_job *job, void *state)
{
        char text[1024] = "[";
        size_t used = 1;
        DIR *folder = opendir("/proc/self/fd");

        (void)state;
        if (folder == NULL)
                return WARREN_RETRY;
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
                if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == dirfd(folder))
                        continue;
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
                                         used > 1 ? "," : "", entry->d_name);
        }
        closedir(folder);
        text[used++] = ']';
        return job->host->result(job, text, used) == 0 ? WARREN_DONE : WARREN_RETRY;
}

/* Returns what the host gave it. */
static int shows(const struct warren_job *job, void *state)
{
        char text[1024];
        int length = snprintf(
                text, sizeof(text), "[\"%s\",\"%s\",\"%s\",\"%s\",%lld,%lld,%lld,%d,%d,%zu]",
                job->id, job->tenant, job->type, job->traceparent, (long long)job->run,
                (long long)job->attempt, (long long)job->max_retries, job->redelivered,
                job->payload[job->payload_length] == '\0', job->payload_length);

        (void)state;
        return job->host->result(job, text, (size_t)length) == 0 ? WARREN_DONE : WARREN_RETRY;
}

/* Writes into the host's pipe, which a handler must not touch. */
static int garbles(const struct warren_job *job, void *state)
{
        (void)state;
        const char *what =
                job->payload_length > 2 ? job->payload : "\xff\xff\xff\xff\xff\xff\xff\xff";
        if (write(WIRE_OUT_FD, what, strlen(what)) < 0)
                return WARREN_PERMANENT;
        while (pause() != 0)
                continue;
        return WARREN_DONE;
}

/* Closes its pipe to the consumer, so that the process becomes useless. */
static int hangs_up(const struct warren_job *job, void *state)
{
        (void)job;
        (void)state;
        close(WIRE_OUT_FD);
        while (pause() != 0)
                continue;
        return WARREN_DONE;
}

/* Returns the process attributes it was started with. */
static int process(const struct warren_job *job, void *state)
{
        static const char *const own[] = {"WARREN_X", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"};
        struct rlimit files = {0};
        sigset_t blocked;
        char text[128];
        int ignores = 0, blocks = 0, owns = 0;

        (void)state;
        getrlimit(RLIMIT_NOFILE, &files);
        sigprocmask(SIG_SETMASK, NULL, &blocked);
        for (int i = 1; i < SIGRTMIN; i++) {
                struct sigaction action = {0};
                ignores += sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
                blocks += sigismember(&blocked, i) == 1;
        }
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
                owns += getenv(own[i]) != NULL;
        int length =
                snprintf(text, sizeof(text), "[%d,%d,%d,%d,%d,%d,%s,%d]", sched_getscheduler(0),
                         getpriority(PRIO_PROCESS, 0), (int)umask(0), (int)files.rlim_cur, blocks,
                         ignores, getenv("KEPT") != NULL ? "true" : "false", owns);
        return job->host->result(job, text, (size_t)length) == 0 ? WARREN_DONE : WARREN_RETRY;
}

static const struct warren_handler handlers[] = {
        {"process", process},
        {"bursts", bursts},
        {"garbles", garbles},
        {"hangs_up", hangs_up},
        {"segv", segv},
        {"leaves", leaves},
        {"spin", spin},
        {"waits", waits},
        {"stops_unasked", stops_unasked},
        {"no_outcome", no_outcome},
        {"silent", silent},
        {"retry_after", retry_after},
        {"long_error", long_error},
        {"results", results},
        {"floods", floods},
        {"hog", hog},
        {"complains", complains},
        {"count", count},
        {"descriptors", descriptors},
        {"shows", shows},
        {NULL, NULL},
};

const struct warren_plugin warren_plugin = {
        .abi = WARREN_PLUGIN_ABI,
        .name = "rogue",
        .version = "1",
        .open = rogue_open,
        .close = rogue_close,
        .handlers = handlers,
};
