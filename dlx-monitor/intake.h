/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.h: takes what lies in `dead` and `unroutable` into the archive, many in one transaction,
 * and acknowledges after the commit. While the archive cannot be written nothing is acknowledged,
 * and the same is tried again. Loop thread only.
 */
#ifndef WARREN_DLX_MONITOR_INTAKE_H
#define WARREN_DLX_MONITOR_INTAKE_H

#include "common/amqp/link.h"
#include "common/metrics/metrics.h"
#include "dlx-monitor/archive.h"

struct intake;

/* For the `read_bytes` of the link: letters are up to 1 MiB, and two prefetches of those 200 MB. It
 * is some thousand letters of the usual size, a batch of which goes into one transaction. */
enum { INTAKE_READ_BYTES = 32 * 1024 * 1024 };

struct intake_config {
        struct link *link; /* borrowed */
        struct archive *archive;
        struct metrics *metrics;
        uv_loop_t *loop;
        void (*kept)(void *owner); /* after each commit that kept something new */
        void *owner;
};

struct intake *intake_create(const struct intake_config *c);
/* What it holds goes back to the broker when its link is destroyed. */
void intake_destroy(struct intake **i);
/* The connection is lost: what is held is void. */
void intake_link_down(struct intake *i);
/* Takes no more; archives and acknowledges what it holds. */
void intake_stop(struct intake *i);
/* False with the reason while the archive cannot be written. Any thread. */
bool intake_is_well(struct intake *i, struct err *why);

#endif
