/* SPDX-License-Identifier: Apache-2.0
 *
 * key_uses.h: when each API key was used last, as gateways tell it. Kept in memory, and written to
 * the registry once a minute and at the end, by a thread of its own: so a primary that is killed
 * forgets a minute of it. Also which keys were revoked or replaced in the last minute: gateways are
 * told of these too, though nobody has used them yet.
 */
#pragma once

#include "status-store/registry/registry_keys.h"

struct key_uses;

enum { KEYS_CHANGED_MAX = 1024 };

/* Borrows the registry. */
struct key_uses *key_uses_create(struct registry *r, struct err *e) MUST_CHECK;
/* Writes what is not written. */
void key_uses_destroy(struct key_uses **u);
/* The key exists: what is kept is bounded by the number of keys. Any thread; does not block. */
void key_uses_note(struct key_uses *u, const struct key_use *use);
/* The key was revoked or replaced. Any thread. */
void key_uses_changed(struct key_uses *u, const char *id);
/* Fills `id` of each of `uses` with a key that was changed within a minute, the last ones first; at
 * most KEYS_CHANGED_MAX. Returns how many. Any thread. */
size_t key_uses_recent(struct key_uses *u, struct key_use uses[]);
/* Sets k->used to the last use, if one is known that is later. Any thread. */
void key_uses_fill(struct key_uses *u, struct key *k);
