/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_talk.h: frames to and from a plugin host, for plugin_host.c.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_TALK_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_TALK_H

#include "consumer/runner/plugin_host.h"

enum { TALK_PARTS_MAX = 3 };

/* One writev; what does not fit is kept and follows when the pipe takes it. */
int talk_send(struct plugin_host *h, enum wire_kind kind, const struct bytes parts[TALK_PARTS_MAX],
              struct err *e) MUST_CHECK;
int talk_send_job(struct plugin_host *h, const struct run_request *q, struct err *e) MUST_CHECK;
void talk_on_readable(uv_poll_t *poll, int status, int events);
/* BUSY: tells the latest progress in the page, if it is news, and has the host tell of the next. */
void talk_look(struct plugin_host *h);
/* The same before its run ends: nothing more is to come. */
void talk_look_last(struct plugin_host *h);
/* Hears whatever has arrived. */
void talk_hear_all(struct plugin_host *h);

/* Of plugin_host.c: SIGKILL, with the reason to tell; died follows from the loop. */
void host_kill(struct plugin_host *h, const struct err *why);

#endif
