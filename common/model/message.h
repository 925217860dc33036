/* SPDX-License-Identifier: Apache-2.0
 *
 * message.h: an AMQP message. All its strings are borrowed: from a delivery, or from the caller of
 * link_publish. No network here.
 */
#pragma once

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
        /* Absent ({NULL, 0}): the property is not set. Delivered ones may hold any bytes. */
        struct bytes message_id, type, content_type, user_id, app_id;
        int64_t timestamp;     /* seconds; -1: not set. For a publish <= 0: not set */
        uint8_t delivery_mode; /* 2: persistent; 0: not set */
        bool mandatory;        /* publish only */
        /* A delivery may have more headers than fit: then those of job_header_known, the first of
         * each name (`properties` has all). */
        struct header headers[MESSAGE_HEADERS_MAX];
        size_t header_count;
        /* Delivered: the property list unchanged, in AMQP 0-9-1 wire form with its flags.
         * Publish: if present, sent instead of all the properties and headers above. */
        struct bytes properties;
        struct bytes body;
};

/* The first of that name; NULL: none. */
const struct header *message_header(const struct message *m, const char *name);
/* fallback: when absent or not an integer. */
int64_t message_header_int(const struct message *m, const char *name, int64_t fallback);
/* Absent when there is none or it is not a string. */
struct bytes message_header_text(const struct message *m, const char *name);

/* To recognise a message of a stream when it is read again. It is stored: it must not change, and
 * covers only what every version of the broker passes on unchanged. */
int64_t message_fingerprint(const struct message *m);

/* Borrow name and text. At most MESSAGE_HEADERS_MAX (asserted). */
void message_add_int(struct message *m, const char *name, int64_t value);
void message_add_text(struct message *m, const char *name, struct bytes text);
