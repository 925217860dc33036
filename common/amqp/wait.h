/* SPDX-License-Identifier: Apache-2.0
 *
 * wait.h: blocking publish and declare, for a thread (an HTTP worker, a command) other than the
 * loop's. Never call these on the loop's thread.
 */
#pragma once

#include "common/amqp/link.h"

/* 0: ended with *result. -1: not sent; errors as link_publish. */
int publish_and_wait(struct link *l, const struct message *m, enum link_result *result,
                     struct err *e) MUST_CHECK;
int declare_and_wait(struct link *l, const struct declaration *d, struct err *e) MUST_CHECK;

/* A loop with a thread of its own, for a program whose main thread blocks. */
struct loop_thread;
struct loop_thread *loop_thread_create(struct err *e) MUST_CHECK;
/* Runs fn on the loop's thread and returns after it. */
void loop_thread_run(struct loop_thread *t, void (*fn)(void *owner), void *owner);
uv_loop_t *loop_thread_loop(struct loop_thread *t);
/* Joins the thread. All handles on the loop must be closed before. */
void loop_thread_destroy(struct loop_thread **t);
