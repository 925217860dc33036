/* SPDX-License-Identifier: Apache-2.0
 *
 * declaration.h: exchanges, queues and bindings: to be declared, deleted or counted.
 */
#ifndef WARREN_AMQP_DECLARATION_H
#define WARREN_AMQP_DECLARATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum declare_what {
        DECLARE_EXCHANGE,
        DECLARE_QUEUE,
        DECLARE_BINDING, /* queue `name` to exchange `source` with `key` */
        DELETE_BINDING,  /* the same; one that is not there counts as done */
        DELETE_EXCHANGE, /* one that is not there counts as done */
        DELETE_QUEUE,    /* as DELETE_EXCHANGE; quorum queues refuse if_unused: count first */
        COUNT_QUEUE,     /* passive declare */
        PURGE_QUEUE,
};

struct argument {
        const char *name; /* NULL ends the list */
        const char *text; /* NULL: number */
        int64_t number;
        bool boolean; /* number is sent as a boolean */
};

struct declaration {
        enum declare_what what;
        const char *name;
        const char *type;   /* exchange type */
        const char *source; /* binding */
        const char *key;
        const struct argument *arguments; /* or NULL */
        bool if_unused;
};

/* Counts are 0 but for COUNT_QUEUE. why is filled when it failed: ERR_NOT_FOUND, ERR_CONFLICT
 * (other arguments, in use), ERR_FORBIDDEN, ERR_UNAVAILABLE. */
typedef void declared_fn(void *owner, const struct err *why, uint32_t messages, uint32_t consumers);

#endif
