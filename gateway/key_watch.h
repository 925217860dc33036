/* SPDX-License-Identifier: Apache-2.0
 *
 * key_watch.h: the gateway's second way to learn that a key must not be used any more, beside
 * stream `control`: a thread asks the primary status-store, twice a second. So a revocation is in
 * force within a second also while the broker is away, or its connection is dead and nobody knows
 * yet. The same call tells the primary when each key was used last.
 *
 * Any thread, but create and destroy.
 */
#pragma once

#include "common/clients/control.h"
#include "common/http/client.h"

struct key_watch;

enum key_check {
        KEY_CHECKED,
        KEY_UNUSABLE,  /* revoked or expired, though its record does not say so yet */
        KEY_UNCHECKED, /* neither broker nor primary could be asked for over a second */
};

/* Takes the client, and borrows control, which must be destroyed later. */
struct key_watch *key_watch_create(struct http_client *client, struct control *control,
                                   struct err *e) MUST_CHECK;
/* Tells the primary of the last uses; takes a second at most. */
void key_watch_destroy(struct key_watch **w);
/* A request came with this key. from: the client's address. Does not block. */
enum key_check key_watch_use(struct key_watch *w, const struct key_record *k, const char *from);
