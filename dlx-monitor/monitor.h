/* SPDX-License-Identifier: Apache-2.0
 *
 * monitor.h: creates, runs and destroys the dlx-monitor. Main thread only.
 */
#ifndef WARREN_DLX_MONITOR_MONITOR_H
#define WARREN_DLX_MONITOR_MONITOR_H

#include "common/base/err.h"
#include "dlx-monitor/settings.h"

struct monitor;

/* Borrows settings. */
struct monitor *monitor_create(const struct dlx_monitor_settings *settings,
                               struct err *e) MUST_CHECK;
void monitor_destroy(struct monitor **m);
/* Returns the exit status, after SIGTERM and the drain. */
int monitor_run(struct monitor *m);

#endif
