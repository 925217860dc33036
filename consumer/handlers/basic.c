/* SPDX-License-Identifier: Apache-2.0
 *
 * basic.c: the plugin `basic`: handlers noop, echo, sleep and fail, for first trials and tests.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <warren/handler.h>

static int noop(const struct warren_job *job, void *state)
{
        (void)job;
        (void)state;
        return WARREN_DONE;
}

static int echo(const struct warren_job *job, void *state)
{
        (void)state;
        if (job->host->result(job, job->payload, job->payload_length) != 0) {
                job->host->error(job, "the payload is too long for a result (64 KiB)");
                return WARREN_PERMANENT;
        }
        return WARREN_DONE;
}

/* The payload as an object; NULL, and the job's error set, when it is not an object. */
static json_t *options_of(const struct warren_job *job)
{
        json_error_t fault;
        json_t *options =
                json_loadb(job->payload, job->payload_length, JSON_REJECT_DUPLICATES, &fault);

        if (json_is_object(options))
                return options;
        json_decref(options);
        job->host->error(job, "the payload must be an object");
        return NULL;
}

static int64_t now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sleeps in slices, to see a cancellation soon. */
static int sleep_for(const struct warren_job *job, int64_t total)
{
        int64_t end = now_ms() + total;

        for (int64_t left = total; left > 0; left = end - now_ms()) {
                if (job->host->cancelled(job))
                        return WARREN_STOPPED;
                if (total >= 1000)
                        job->host->progress(job, 1.0 - (double)left / (double)total, "sleeping");

                int64_t slice = left < 20 ? left : 20;
                struct timespec t = {.tv_nsec = (long)(slice * 1000000)};
                nanosleep(&t, NULL);
        }
        return WARREN_DONE;
}

static int sleep_run(const struct warren_job *job, void *state)
{
        (void)state;
        json_t *options = options_of(job);
        if (options == NULL)
                return WARREN_PERMANENT;

        json_t *ms = json_object_get(options, "ms");
        bool valid = json_is_integer(ms) && json_integer_value(ms) >= 0 &&
                     json_integer_value(ms) <= 86400000;
        int64_t total = valid ? (int64_t)json_integer_value(ms) : 0;
        json_decref(options);
        if (!valid) {
                job->host->error(job, "/ms must be an integer from 0 to 86400000");
                return WARREN_PERMANENT;
        }
        return sleep_for(job, total);
}

static int fail_run(const struct warren_job *job, void *state)
{
        (void)state;
        json_t *options = options_of(job);
        if (options == NULL)
                return WARREN_PERMANENT;

        const json_t *times = json_object_get(options, "times");
        bool ends = json_is_integer(times) && job->attempt > json_integer_value(times);
        bool permanent = json_is_true(json_object_get(options, "permanent"));
        bool crash = json_is_true(json_object_get(options, "crash"));
        json_decref(options);
        if (ends)
                return WARREN_DONE;
        if (crash)
                abort();

        char text[64];
        snprintf(text, sizeof(text), "failed as asked, attempt %lld", (long long)job->attempt);
        job->host->error(job, text);
        return permanent ? WARREN_PERMANENT : WARREN_RETRY;
}

static const struct warren_handler handlers[] = {
        {"noop", noop}, {"echo", echo}, {"sleep", sleep_run}, {"fail", fail_run}, {NULL, NULL},
};

const struct warren_plugin warren_plugin = {
        .abi = WARREN_PLUGIN_ABI,
        .name = "basic",
        .version = WARREN_VERSION,
        .open = NULL,
        .close = NULL,
        .handlers = handlers,
};
