/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers.h: handlers.json (docs/handlers.md): which handler runs which job type, with which
 * limits. A loaded set never changes; a reload creates another.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/model/job.h"
#include "common/model/retry.h"

enum handler_kind { HANDLER_PLUGIN, HANDLER_EXEC };
enum { HANDLER_NAME_SIZE = 65 }; /* with its NUL; of a handler in a plugin */

struct plugin {
        char *name;
        char *file;            /* resolved against the folder of handlers.json */
        int64_t processes;     /* 0: one per worker */
        int64_t recycle_after; /* jobs a host runs before it is replaced; 0: never */
        int64_t memory;        /* bytes of address space beyond the host's own; 0: no limit */
        char *settings;        /* JSON object as text */
        struct plugin *next;   /* of its set */
};

struct handler {
        char type[JOB_TYPE_SIZE];
        enum handler_kind kind;
        const struct plugin *plugin; /* PLUGIN */
        char *plugin_handler;        /* PLUGIN: the handler's name inside it */
        char **exec;                 /* EXEC: argv, NULL-terminated */
        char **env;                  /* EXEC: "NAME=value", NULL-terminated */
        char *folder;                /* EXEC: working directory */
        int64_t concurrency; /* most runs at once in this consumer; 0: no limit of its own */
        int64_t memory;      /* EXEC: bytes; 0: no limit */
        int64_t output;      /* EXEC: bytes of stdout; at most EVENT_RESULT_MAX reach the result */
        msec timeout;
        msec grace; /* from the request to stop to SIGKILL */
        bool stop_on_link_loss;
        struct retry_policy retry;
        struct handlers *set; /* that it is part of */
        UT_hash_handle hh;
};

struct handlers;

/* Reads and checks the file; e names line, column and pointer. Returns a reference. */
struct handlers *handlers_load(const char *path, struct err *e) MUST_CHECK;
/* A set lives as long as its last reference. Loop thread only. */
struct handlers *handlers_ref(struct handlers *h);
void handlers_destroy(struct handlers **h); /* drops one reference */

/* NULL: the type has no handler. */
const struct handler *handlers_find(const struct handlers *h, const char *type);
size_t handlers_count(const struct handlers *h);
/* In the file's order; the next is at hh.next. */
const struct handler *handlers_first(const struct handlers *h);
/* The next is at `next`. */
const struct plugin *handlers_first_plugin(const struct handlers *h);
