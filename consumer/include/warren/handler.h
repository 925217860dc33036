/* SPDX-License-Identifier: Apache-2.0
 *
 * handler.h: the interface of a Warren plugin, ABI 1. A plugin is a shared object that exports one
 * `warren_plugin`. It is loaded in separate host processes, each of which runs one job at a time on
 * its main thread; a crash there fails that attempt and nothing else. For C11 and C++17.
 *
 * Everything in warren_job is borrowed, until `run` returns. What a handler passes to the host is
 * copied at once. Text is UTF-8 and ends with a NUL; times are milliseconds. Only `cancelled` may
 * be called from the plugin's own threads. Within ABI 1 members are only ever appended: before
 * using one that is newer than the first version of this header, check that `size` includes it.
 */
#ifndef WARREN_HANDLER_H
#define WARREN_HANDLER_H

#include <stddef.h>
#include <stdint.h>

#define WARREN_PLUGIN_ABI 1

#if defined(__GNUC__)
#define WARREN_EXPORT __attribute__((visibility("default")))
#else
#define WARREN_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What `run` returns. */
enum warren_outcome {
        WARREN_DONE = 0,
        WARREN_RETRY = 1,     /* failed; try again after the type's backoff, or retry_after */
        WARREN_PERMANENT = 2, /* failed; a retry is useless: the job is buried */
        WARREN_STOPPED = 3    /* saw the cancellation: no attempt is counted */
};

enum warren_log_level {
        WARREN_LOG_ERROR = 0,
        WARREN_LOG_WARN = 1,
        WARREN_LOG_INFO = 2,
        WARREN_LOG_DEBUG = 3
};

struct warren_job;

/* The functions a handler may call: job->host. */
struct warren_host {
        size_t size; /* of this struct as the host knows it */
        /* The job's result: one JSON value of at most 65536 bytes; the last call counts. 0, or -1:
         * it is too long or not JSON. */
        int (*result)(const struct warren_job *job, const char *json, size_t length);
        /* Why the job failed; only the first 4096 bytes count, and only the last call. */
        void (*error)(const struct warren_job *job, const char *text);
        /* Sets the wait before the next attempt, at most 30 days. */
        void (*retry_after)(const struct warren_job *job, int64_t wait_ms);
        /* done: 0 to 1; text may be NULL. Of many reports in a second only the latest is shown. */
        void (*progress)(const struct warren_job *job, double done, const char *text);
        /* 1 when the job should end soon: it timed out, or the consumer is stopping. Poll it: it
         * costs no more than a read of memory. The process is killed after the type's grace. */
        int (*cancelled)(const struct warren_job *job);
        /* A log line; level: enum warren_log_level. Over 32 at once or 20 a second are dropped. */
        void (*log)(const struct warren_job *job, int level, const char *text);
};

struct warren_job {
        size_t size; /* of this struct in the host's version */
        const struct warren_host *host;
        const char *id;
        const char *tenant;
        const char *type;
        const char *traceparent; /* "" when there is none */
        const char *payload;     /* one JSON value, byte for byte as submitted; a NUL after it */
        size_t payload_length;
        int64_t run;         /* from 1; grows with each replay */
        int64_t attempt;     /* of this run, from 1 */
        int64_t max_retries; /* after the first attempt */
        int redelivered;     /* 1: an earlier delivery may have run, wholly or in part */
        int64_t deadline_ms; /* when the attempt times out, since the epoch */
};

struct warren_handler {
        const char *name;                                      /* NULL ends the list */
        int (*run)(const struct warren_job *job, void *state); /* returns a warren_outcome */
};

struct warren_plugin {
        uint32_t abi; /* WARREN_PLUGIN_ABI */
        const char *name;
        const char *version;
        /* Called once per process, before any job; may be NULL. settings: the JSON object in
         * handlers.json. Returns 0, or -1 with a message in error[size]: the plugin is not used. */
        int (*open)(const char *settings, void **state, char *error, size_t size);
        /* Called when the process ends in order, not when it is killed; may be NULL. */
        void (*close)(void *state);
        const struct warren_handler *handlers;
};

/* Define it in the plugin: const struct warren_plugin warren_plugin = {...}; */
extern WARREN_EXPORT const struct warren_plugin warren_plugin;

#ifdef __cplusplus
}
#endif

#endif
