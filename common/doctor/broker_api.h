/* SPDX-License-Identifier: Apache-2.0
 *
 * broker_api.h: asks RabbitMQ's management API.
 */
#pragma once

#include "common/base/json_scan.h"
#include "common/http/client.h"

/* Whom to ask about what. Borrowed by all checks. */
struct doctor_broker {
        struct http_client *management;
        const char *vhost;
};

#define AUTO_REPLY __attribute__((cleanup(http_reply_fini))) struct http_reply

/* 0: reply is a 200 with JSON, and *answer borrows from it. reply: {0} on entry. */
int broker_api_ask(const struct doctor_broker *b, const char *path, struct http_reply *reply,
                   struct scan_value *answer, struct err *e) MUST_CHECK;
/* The path, then the vhost encoded, then `more`. Owned. */
char *broker_api_path(const struct doctor_broker *b, const char *path, const char *more) MUST_CHECK;
/* Calls each for every queue of the vhost. messages: those that wait and those that are unacked;
 * -1: the broker does not say. */
typedef void broker_queue_fn(void *owner, const char *name, int64_t messages);
int broker_api_each_queue(const struct doctor_broker *b, broker_queue_fn *each, void *owner,
                          struct err *e) MUST_CHECK;
