/* SPDX-License-Identifier: Apache-2.0
 *
 * claim_settler.h: settles the claims of jobs that the projection has read, and deletes old claims.
 * A gateway settles a claim itself when its job is confirmed; this covers gateways that ended
 * before. A rebuild of the projection names all jobs again: their claims are read, not written.
 *
 * Has a thread of its own.
 */
#pragma once

#include "status-store/registry/claim_rules.h"
#include "status-store/registry/registry.h"

struct claim_settler;

/* Jobs that wait take this many bytes at most; 60 bytes is a usual size. */
enum { CLAIM_SETTLER_BYTES = 8 * 1024 * 1024 };

/* Borrows the registry. */
struct claim_settler *claim_settler_create(struct registry *r, const struct claim_limits *l,
                                           struct err *e) MUST_CHECK;
/* Settles the jobs that wait, for 2 s at most. Others are forgotten: the leases of their claims run
 * out. */
void claim_settler_destroy(struct claim_settler **s);
/* A job with a key was published. Any thread; never blocks for long. When too many wait it is
 * dropped, and the lease of its claim runs out. */
void claim_settler_add(struct claim_settler *s, const char *tenant, const char *key,
                       const char *id);
/* Jobs dropped since the start. Any thread. */
int64_t claim_settler_dropped(struct claim_settler *s);
