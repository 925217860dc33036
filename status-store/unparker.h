/* SPDX-License-Identifier: Apache-2.0
 *
 * unparker.h: brings parked jobs back to their lanes when their pause is over. It consumes from the
 * parked queue of each pause that is off; none of one that is on, so parked jobs cost nothing.
 */
#pragma once

#include "common/amqp/link.h"
#include "status-store/operator.h"
#include "status-store/registry.h"

struct unparker;

/* link: with the operator's login. Borrows all; its links live on the operator's loop. */
struct unparker *unparker_create(const struct link_config *link, struct operator* operator,
                                 struct registry * registry, struct err *e) MUST_CHECK;
void unparker_destroy(struct unparker **u);
/* The pause with this key ("type:send_email") was published, on or off. Any thread. */
void unparker_paused(struct unparker *u, const char *key, bool paused);
