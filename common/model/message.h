/* SPDX-License-Identifier: Apache-2.0
 *
 * message.h: an AMQP message as the rest of Warren sees it: a view whose strings belong to
 * somebody else (a delivery, or the caller of link_publish). No network here.
 */
#ifndef WARREN_MODEL_MESSAGE_H
#define WARREN_MODEL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"

enum header_kind {
        HEADER_INT,    /* any AMQP integer that an int64 holds */
        HEADER_STRING, /* long string or byte array; any bytes */
        /* Only in `properties`: */
        HEADER_OTHER,  /* boolean, timestamp (seconds), float, decimal, void, a larger integer */
        HEADER_NESTED, /* table, array: a stream drops these */
};

struct header {
        struct bytes name;
        enum header_kind kind;
        int64_t number;
        struct bytes text;
};

enum { MESSAGE_HEADERS_MAX = 48 };

struct message {
        struct bytes exchange;
        struct bytes routing_key;
        /* Absent ({NULL, 0}) when the property is not set. A peer can put any bytes here. */
        struct bytes message_id, type, content_type, user_id, app_id;
        int64_t timestamp;     /* seconds; -1: not set. On publish 0 and below: not set */
        uint8_t delivery_mode; /* 2 durable; 0: not set */
        bool mandatory;        /* publish only */
        /* Delivered with more than fit: those that job_header_known knows, the first of each
         * name (`properties` has them all). */
        struct header headers[MESSAGE_HEADERS_MAX];
        size_t header_count;
        /* Delivered: the property list exactly as it came, in AMQP 0-9-1 wire form (flags and all).
         * Publish: when present, sent as it is instead of all the properties and headers above. */
        struct bytes properties;
        struct bytes body;
};

/* NULL when absent. The first of that name. */
const struct header *message_header(const struct message *m, const char *name);
/* fallback when absent or no integer. */
int64_t message_header_int(const struct message *m, const char *name, int64_t fallback);
/* absent when missing or no string. */
struct bytes message_header_text(const struct message *m, const char *name);

/* name and text are borrowed. Asserts that there is room: only our own code adds. */
void message_add_int(struct message *m, const char *name, int64_t value);
void message_add_text(struct message *m, const char *name, struct bytes text);

#endif
