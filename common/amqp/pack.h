/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.h: a pack: up to 64 job messages in one message of stream `events`, by which the gateway
 * tells the stream what it has published to queues.
 *
 * The body:
 *
 *      version = 1   1 byte
 *      entry         1 to PACK_JOBS_MAX times:
 *      ┌────────┬──────────┬────────┬─────────────┬────────┬───────────────┬────────┬──────┐
 *      │ length │ exchange │ length │ routing key │ length │ property list │ length │ body │
 *      │ 1 byte │          │ 1 byte │             │ 4, BE  │               │ 4, BE  │      │
 *      └────────┴──────────┴────────┴─────────────┴────────┴───────────────┴────────┴──────┘
 *
 * The property list has the wire form of AMQP 0-9-1 with its flags (as message.properties), without
 * a user_id: the broker checks the one of the pack, which is that of its entries. Nothing follows
 * the last entry.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/model/message.h"

#define PACK_CONTENT_TYPE "application/vnd.warren.pack"
/* Packs of another login do not count. */
#define PACK_LOGIN "warren-gateway"

enum {
        PACK_JOBS_MAX = 64,
        PACK_BYTES_MAX = 256 * 1024, /* of the body, but for one larger job alone */
};

/* Appends a job message; begins the pack when `pack` is empty. m: as for link_publish. -1: the pack
 * is as it was; ERR_FULL: m does not fit, put it into another one (into an empty one it always
 * fits). The caller counts: at most PACK_JOBS_MAX in a pack. */
int pack_add(struct buffer *pack, const struct message *m, struct err *e) MUST_CHECK;

/* Calls on(owner, message) for each message that m, of stream `events`, carries: for each entry of
 * a pack, else for m itself. Only what the gateway published to exchange `events` is a pack. An
 * entry has the user_id of the pack, and x-again if the pack has it. What `message` borrows lives
 * until `on` returns.
 *
 * *skipped grows by one for a pack of another version; for each entry that was not published to
 * `work` or `hold.<bucket>`; and for what follows the last whole entry, or the entry of number
 * PACK_JOBS_MAX. */
typedef void pack_message_fn(void *owner, const struct message *m);
void pack_each(const struct message *m, pack_message_fn *on, void *owner, uint64_t *skipped);
