/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.h: tells the event stream of administrative acts, in lines. A group commit: lines that come
 * while a message is unconfirmed are the next message. A message is published until it is
 * confirmed; the ids of acts make it harmless that the stream may get it twice.
 */
#pragma once

#include <uv.h>

#include "common/amqp/link.h"
#include "gateway/meters.h"

struct audit;

enum {
        AUDIT_LINE_MAX = 16 * 1024,
        AUDIT_MESSAGES = 8, /* room for them in the link's window */
};

struct audit_config {
        struct link *link;     /* feeds stream `events`; borrowed */
        const char *app_id;    /* of the messages; borrowed */
        msec timeout;          /* of audit_begin */
        unsigned waiting_max;  /* callers of audit_begin at once */
        struct meters *meters; /* borrowed */
};

struct audit *audit_create(const struct audit_config *c, uv_loop_t *loop, struct err *e) MUST_CHECK;
/* After its link was destroyed, and when no other thread uses it. Lines without a confirm are
 * dropped. Run the loop afterwards. */
void audit_destroy(struct audit **a);

/* All copy the line, which has its newline and at most AUDIT_LINE_MAX bytes. Any thread but the
 * loop's.
 *
 * Blocks until the stream has the line. -1: the act must not be done. ERR_TIMEOUT: the stream may
 * get the line all the same. ERR_UNAVAILABLE, ERR_FULL (1 MiB or too many callers wait): it does
 * not. */
int audit_begin(struct audit *a, struct bytes line, struct err *e) MUST_CHECK;
/* Does not wait. Dropped when 1 MiB waits, which is counted and logged. */
void audit_end(struct audit *a, struct bytes line);
/* Both lines of a login or a logout, in one. Does not wait. Dropped when 256 KiB waits, so that it
 * leaves room for acts, and for the ends of those that have begun; which is counted and logged. */
void audit_note(struct audit *a, struct bytes lines);
/* A login or a logout is not recorded, because it came too soon after others: counts it, and logs
 * their number once a minute at most. */
void audit_skip(struct audit *a);

/* After the last of both calls: calls done once, when the stream has all lines or after `limit` ms.
 * Loop's thread. */
typedef void audit_drained_fn(void *owner);
void audit_drain(struct audit *a, msec limit, audit_drained_fn *done, void *owner);
