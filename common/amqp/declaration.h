/* SPDX-License-Identifier: Apache-2.0
 *
 * declaration.h: an exchange, queue or binding to be declared or deleted, or a queue to be counted.
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
        DELETE_BINDING,  /* the same fields; no error when it does not exist */
        DELETE_EXCHANGE, /* no error when it does not exist */
        DELETE_QUEUE,    /* likewise; ERR_CONFLICT while it has consumers */
        COUNT_QUEUE,     /* passive declare */
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
};

/* The counts are of COUNT_QUEUE, else 0. why: NULL: success; else ERR_NOT_FOUND, ERR_CONFLICT
 * (declared with other arguments, or in use), ERR_FORBIDDEN or ERR_UNAVAILABLE. */
typedef void declared_fn(void *owner, const struct err *why, uint32_t messages, uint32_t consumers);

#endif
