/* SPDX-License-Identifier: Apache-2.0
 *
 * told.h: which versions of tenants and keys stream `control` holds: read anew at every connection,
 * because a stream can lose its last seconds.
 *
 * Threads: create and destroy on the loop's thread; the questions on any.
 */
#ifndef WARREN_STATUS_STORE_TOLD_H
#define WARREN_STATUS_STORE_TOLD_H

#include "common/amqp/link.h"

struct told;

/* `read` is called on the loop's thread whenever the whole stream has been read. Two links are made
 * from config; only what its login published counts. */
struct told *told_create(const struct link_config *config, void (*read)(void *owner), void *owner,
                         uv_loop_t *loop, struct err *e) MUST_CHECK;
void told_destroy(struct told **t);

/* Whether that version, or a later one, was there when the stream was read last. */
bool told_has_tenant(struct told *t, const char *name, int64_t v);
bool told_has_key(struct told *t, const char *id, int64_t v);

#endif
