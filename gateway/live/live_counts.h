/* SPDX-License-Identifier: Apache-2.0
 *
 * live_counts.h: how many jobs there are by status and tenant. While somebody wants to know, a
 * thread asks the status-store once a second. Any thread.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/http/client.h"

struct live_counts;

/* Borrows the client. */
struct live_counts *live_counts_create(struct http_client *client, struct err *e) MUST_CHECK;
/* Waits for a call that is under way. */
void live_counts_destroy(struct live_counts **c);
void live_counts_want(struct live_counts *c, bool wanted);
/* Grows with each answer, or failure; 0: none yet since they are wanted. */
uint64_t live_counts_version(struct live_counts *c);
/* Appends {"counts": …}; tenant: "*": of all, the first 1000 of them one by one. */
void live_counts_write(struct live_counts *c, const char *tenant, struct buffer *out);
