/* SPDX-License-Identifier: Apache-2.0
 *
 * handler.h: the interface of a Warren plugin, ABI 1. A plugin is a shared object that exports one
 * `warren_plugin`. It is loaded in processes of its own, each running one job at a time on its main
 * thread; a crash there fails that attempt and nothing else. C11 and C++17.
 *
 * What is lent (everything in warren_job) lives until `run` returns; what is given is copied at
 * once. Text is UTF-8 and ends in a NUL; times are milliseconds. Only `cancelled` may be called
 * from threads of the plugin's own. Within ABI 1 members are only ever appended: before using one
 * that is newer than this header's first version, see that `size` reaches it.
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
        WARREN_PERMANENT = 2, /* failed; trying again is useless: the job is buried */
        WARREN_STOPPED = 3    /* saw the cancellation: no attempt is charged */
};

enum warren_log_level {
        WARREN_LOG_ERROR = 0,
        WARREN_LOG_WARN = 1,
        WARREN_LOG_INFO = 2,
        WARREN_LOG_DEBUG = 3
};

struct warren_job;

/* What the host does for a handler. Also in reach as job->host. */
struct warren_host {
        size_t size; /* of this struct as the host knows it */
        /* One JSON value of at most 65536 bytes; the last call counts. 0, or -1 when refused. */
        int (*result)(const struct warren_job *job, const char *json, size_t length);
        /* Why it failed; the first 4096 bytes are kept, and the last call counts. */
        void (*error)(const struct warren_job *job, const char *text);
        /* How long to wait before the next attempt, at most 30 days. */
        void (*retry_after)(const struct warren_job *job, int64_t wait_ms);
        /* done is 0 to 1; text may be NULL. Bursts are thinned out. */
        void (*progress)(const struct warren_job *job, double done, const char *text);
        /* 1 when the job should end soon: it timed out, or the consumer stops. As cheap as reading
         * a variable: poll it. The process is killed when the type's grace time is over. */
        int (*cancelled)(const struct warren_job *job);
        void (*log)(const struct warren_job *job, int level, const char *text);
};

struct warren_job {
        size_t size; /* of this struct as the host knows it */
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
        int64_t deadline_ms; /* since the epoch: when the attempt times out */
};

struct warren_handler {
        const char *name;                                      /* NULL ends the list */
        int (*run)(const struct warren_job *job, void *state); /* an enum warren_outcome */
};

struct warren_plugin {
        uint32_t abi; /* WARREN_PLUGIN_ABI */
        const char *name;
        const char *version;
        /* Once per process, before any job; NULL: nothing to do. settings is the JSON object from
         * handlers.json. 0, or -1 with a message in error[size]: the plugin is not used. */
        int (*open)(const char *settings, void **state, char *error, size_t size);
        /* At an orderly end of the process; NULL: nothing to do. */
        void (*close)(void *state);
        const struct warren_handler *handlers;
};

/* Define it in the plugin: const struct warren_plugin warren_plugin = {...}; */
extern WARREN_EXPORT const struct warren_plugin warren_plugin;

#ifdef __cplusplus
}
#endif

#endif
