/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_config.h: what a runner is created with.
 */
#ifndef WARREN_CONSUMER_RUNNER_RUNNER_CONFIG_H
#define WARREN_CONSUMER_RUNNER_RUNNER_CONFIG_H

#include <uv.h>

#include "common/base/process.h"
#include "common/metrics/metrics.h"

struct runner_config {
        const char *host_program;   /* path of warren-plugin-host */
        const char *launch_program; /* path of warren-launch */
        unsigned workers;           /* hosts of a plugin without `processes`; from 1 */
        uv_loop_t *loop;
        const struct process_start *as_started; /* restored in handlers' processes */
        struct metrics *metrics;                /* may be NULL */
};

#endif
