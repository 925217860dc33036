/* SPDX-License-Identifier: Apache-2.0
 *
 * published.h: which versions of tenants, types, keys and pauses stream `control` holds. The stream
 * is read anew at every connection, because it can lose its last seconds.
 *
 * Threads: create and destroy on the loop's thread; published_compare on any
 * other.
 */
#pragma once

#include "common/amqp/link.h"
#include "status-store/registry/registry_types.h"

struct published;

/* Calls `read` on the loop's thread whenever the whole stream has been read. Makes two links from
 * config; only records that its login published count. */
struct published *published_create(const struct link_config *config, void (*read)(void *owner),
                                   void *owner, uv_loop_t *loop, struct err *e) MUST_CHECK;
void published_destroy(struct published **p);

/* Marks the registry's records as unpublished that the stream did not hold, in that version or a
 * later one, when it was last read to its end. */
int published_compare(struct published *p, struct registry *r, struct err *e) MUST_CHECK;
