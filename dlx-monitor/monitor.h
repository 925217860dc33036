/* SPDX-License-Identifier: Apache-2.0
 *
 * monitor.h: the dlx-monitor put together. Main thread only.
 */
#ifndef WARREN_DLX_MONITOR_MONITOR_H
#define WARREN_DLX_MONITOR_MONITOR_H

#include "common/base/err.h"
#include "dlx-monitor/settings.h"

struct monitor;

/* settings must outlive it. */
struct monitor *monitor_create(const struct dlx_monitor_settings *settings,
                               struct err *e) MUST_CHECK;
void monitor_destroy(struct monitor **m);
/* Until SIGTERM, and the drain after it. The exit status. */
int monitor_run(struct monitor *m);

#endif
