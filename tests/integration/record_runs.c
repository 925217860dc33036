/* SPDX-License-Identifier: Apache-2.0
 *
 * record_runs.c: a plugin whose jobs write down when they run, for tests of limits. Each start and
 * each end is one line, appended by one write to the file that its setting `file` names:
 *
 *      start|end <ns, CLOCK_MONOTONIC> <consumer's pid> <host's pid> <tenant> <type> <job id>
 *
 * A job runs for the `ms` of its payload, also when its consumer is gone or wants it to stop.
 * A host that is killed writes no end.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <warren/handler.h>

struct record {
        int fd;
        pid_t consumer;
};

static int record_open(const char *settings, void **state, char *error, size_t size)
{
        json_t *all = json_loads(settings, 0, NULL);
        const char *file = json_string_value(json_object_get(all, "file"));
        struct record *r = malloc(sizeof(*r));

        if (r == NULL)
                abort();
        r->consumer = getppid();
        r->fd = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
        json_decref(all);
        if (r->fd < 0) {
                snprintf(error, size, "the setting `file` names no file that can be written");
                free(r);
                return -1;
        }
        *state = r;
        return 0;
}

static void record_close(void *state)
{
        struct record *r = state;

        close(r->fd);
        free(r);
}

static void note(const struct record *r, const char *what, const struct warren_job *job)
{
        struct timespec t;
        char line[512];

        clock_gettime(CLOCK_MONOTONIC, &t);
        int64_t ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
        int length = snprintf(line, sizeof(line), "%s %" PRId64 " %d %d %s %s %s\n", what, ns,
                              (int)r->consumer, (int)getpid(), job->tenant, job->type, job->id);
        if (length < 0 || (size_t)length >= sizeof(line) ||
            write(r->fd, line, (size_t)length) != length)
                abort();
}

static int work(const struct warren_job *job, void *state)
{
        json_t *payload = json_loadb(job->payload, job->payload_length, 0, NULL);
        json_int_t ms = json_integer_value(json_object_get(payload, "ms"));
        struct timespec left = {.tv_sec = (time_t)(ms / 1000),
                                .tv_nsec = (long)(ms % 1000) * 1000000};

        json_decref(payload);
        note(state, "start", job);
        while (nanosleep(&left, &left) != 0)
                ;
        note(state, "end", job);
        return WARREN_DONE;
}

/* Ends as soon as it is told to. */
static int obey(const struct warren_job *job, void *state)
{
        json_t *payload = json_loadb(job->payload, job->payload_length, 0, NULL);
        json_int_t ms = json_integer_value(json_object_get(payload, "ms"));
        const struct timespec slice = {.tv_nsec = 10 * 1000000};
        int told = 0;

        json_decref(payload);
        note(state, "start", job);
        for (; ms > 0 && !told; ms -= 10) {
                nanosleep(&slice, NULL);
                told = job->host->cancelled(job);
        }
        note(state, "end", job);
        return told ? WARREN_STOPPED : WARREN_DONE;
}

static const struct warren_handler handlers[] = {{"work", work}, {"obey", obey}, {NULL, NULL}};

const struct warren_plugin warren_plugin = {
        .abi = WARREN_PLUGIN_ABI,
        .name = "record_runs",
        .version = "1",
        .open = record_open,
        .close = record_close,
        .handlers = handlers,
};
