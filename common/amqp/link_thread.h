/* SPDX-License-Identifier: Apache-2.0
 *
 * link_thread.h: the thread that owns a link's connection, and reconnects without end.
 */
#pragma once

#include "common/amqp/handover.h"

struct link_thread;

/* Both are borrowed until link_thread_end. */
struct link_thread *link_thread_start(const struct link_settings *s, struct handover *h,
                                      struct err *e) MUST_CHECK;
/* Joins the thread; its last notices are in the handover then. A hanging write delays it by 2 s, a
 * hanging connect by 3 s. */
void link_thread_end(struct link_thread **t);
