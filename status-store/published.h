/* SPDX-License-Identifier: Apache-2.0
 *
 * published.h: which versions of tenants, types and keys stream `control` holds. The stream is read
 * anew at every connection, because it can lose its last seconds.
 *
 * Threads: create and destroy on the loop's thread; published_has on any.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/model/record.h"

struct published;

/* Calls `read` on the loop's thread whenever the whole stream has been read. Makes two links from
 * config; only records that its login published count. */
struct published *published_create(const struct link_config *config, void (*read)(void *owner),
                                   void *owner, uv_loop_t *loop, struct err *e) MUST_CHECK;
void published_destroy(struct published **p);

/* Whether the stream held that version of a tenant or type (name) or key (its id), or a later one,
 * when it was last read to its end. */
bool published_has(struct published *p, enum record_kind kind, const char *name, int64_t v);
