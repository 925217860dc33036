/* SPDX-License-Identifier: Apache-2.0
 *
 * key_uses.h: when each API key was used last, as gateways tell it. Kept in memory, and written to
 * the registry once a minute and at the end, by a thread of its own: so a primary that is killed
 * forgets a minute of it.
 */
#pragma once

#include "status-store/registry_keys.h"

struct key_uses;

/* Borrows the registry. */
struct key_uses *key_uses_create(struct registry *r, struct err *e) MUST_CHECK;
/* Writes what is not written. */
void key_uses_destroy(struct key_uses **u);
/* The key exists: what is kept is bounded by the number of keys. Any thread; does not block. */
void key_uses_note(struct key_uses *u, const struct key_use *use);
/* Sets k->used to the last use, if one is known that is later. Any thread. */
void key_uses_fill(struct key_uses *u, struct key *k);
