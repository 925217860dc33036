/* SPDX-License-Identifier: Apache-2.0
 *
 * handler.h: the interface of a Warren plugin, ABI 1, for C11 and C++17. A plugin is a shared
 * object that exports one `warren_plugin`. Warren loads it in separate processes, each of which
 * runs one job at a time on its main thread: a crash fails that attempt and nothing else.
 *
 * Everything in warren_job is valid until `run` returns. What the plugin passes to the host is
 * copied before the call returns. Text is UTF-8 and ends in a NUL; times are milliseconds. The
 * plugin's own threads may call only `cancelled`. Within ABI 1 members are only appended: before
 * using a member that is newer than this header's first version, check that `size` includes it.
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
        WARREN_PERMANENT = 2, /* failed; do not try again: the job is buried */
        WARREN_STOPPED = 3    /* stopped because of `cancelled`: not counted as an attempt */
};

enum warren_log_level {
        WARREN_LOG_ERROR = 0,
        WARREN_LOG_WARN = 1,
        WARREN_LOG_INFO = 2,
        WARREN_LOG_DEBUG = 3
};

struct warren_job;

/* The functions that a handler may call, by job->host. */
struct warren_host {
        size_t size; /* of this struct in the host's version */
        /* Sets the result: one JSON value of at most 65536 bytes; the last call counts. Returns 0,
         * or -1 when it is refused. */
        int (*result)(const struct warren_job *job, const char *json, size_t length);
        /* Sets why it failed; cut to 4096 bytes; the last call counts. */
        void (*error)(const struct warren_job *job, const char *text);
        /* Sets the wait before the next attempt, at most 30 days. */
        void (*retry_after)(const struct warren_job *job, int64_t wait_ms);
        /* Reports progress. done: 0 to 1; text may be NULL. Of many calls in a short time some are
         * dropped. */
        void (*progress)(const struct warren_job *job, double done, const char *text);
        /* 1: the job should end soon, because it timed out or the consumer stops. Poll it: it costs
         * no more than reading a variable. The process is killed after the type's grace time. */
        int (*cancelled)(const struct warren_job *job);
        void (*log)(const struct warren_job *job, int level, const char *text);
};

struct warren_job {
        size_t size; /* of this struct in the host's version */
        const struct warren_host *host;
        const char *id;
        const char *tenant;
        const char *type;
        const char *traceparent; /* "" when there is none */
        const char *payload;     /* one JSON value, bytes as submitted, then a NUL */
        size_t payload_length;   /* without the NUL */
        int64_t run;             /* from 1; one more with each replay */
        int64_t attempt;         /* of this run, from 1 */
        int64_t max_retries;     /* after the first attempt */
        int redelivered;         /* 1: an earlier delivery may have run, wholly or in part */
        int64_t deadline_ms;     /* when the attempt times out, since the epoch */
};

struct warren_handler {
        const char *name;                                      /* NULL ends the list */
        int (*run)(const struct warren_job *job, void *state); /* returns a warren_outcome */
};

struct warren_plugin {
        uint32_t abi; /* WARREN_PLUGIN_ABI */
        const char *name;
        const char *version;
        /* Called once per process, before any job; may be NULL. settings: the JSON object from
         * handlers.json. Returns 0, or -1 with a message in error[size]: the plugin is not used. */
        int (*open)(const char *settings, void **state, char *error, size_t size);
        /* Called at an orderly end of the process; may be NULL. */
        void (*close)(void *state);
        const struct warren_handler *handlers;
};

/* Define it in the plugin: const struct warren_plugin warren_plugin = {...}; */
extern WARREN_EXPORT const struct warren_plugin warren_plugin;

#ifdef __cplusplus
}
#endif

#endif
