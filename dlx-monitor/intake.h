/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.h: moves messages from `dead` and `unroutable` to the archive: writes a batch in one
 * transaction, then acks. While the archive cannot be written, nothing is acked and the batch is
 * tried again. Loop thread only.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/metrics/metrics.h"
#include "dlx-monitor/archive.h"

struct intake;

/* For the link's `read_bytes`. A letter has up to 1 MiB, and the prefetches of both queues would be
 * 200 MB of those. This is room for several thousand letters of the usual size. */
enum { INTAKE_READ_BYTES = 32 * 1024 * 1024 };

struct intake_config {
        struct link *link; /* borrowed */
        struct archive *archive;
        struct metrics *metrics;
        uv_loop_t *loop;
        void (*added)(void *owner); /* called after each commit that added letters */
        void *owner;
};

struct intake *intake_create(const struct intake_config *c);
/* The broker requeues what it holds when the link is destroyed. */
void intake_destroy(struct intake **i);
/* Drops the batch: the connection is lost, so the broker delivers it again. */
void intake_link_down(struct intake *i);
/* Unsubscribes; archives and acks what it holds. */
void intake_stop(struct intake *i);
/* False, with the reason, while the archive cannot be written. Any thread. */
bool intake_can_archive(struct intake *i, struct err *why);
