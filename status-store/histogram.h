/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram.h: times in milliseconds counted in buckets a twelfth apart, small enough to keep one a
 * minute, with percentiles good to about six percent.
 */
#ifndef WARREN_STATUS_STORE_HISTOGRAM_H
#define WARREN_STATUS_STORE_HISTOGRAM_H

#include "common/base/bytes.h"
#include "common/base/clock.h"

enum { HISTOGRAM_BUCKETS = 256 };

struct histogram {
        uint32_t count[HISTOGRAM_BUCKETS];
        uint64_t total;
};

/* Negative counts as 0. */
void histogram_add(struct histogram *h, msec value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value below which `share` (0..1) of the counted lie; -1 when nothing was counted. */
msec histogram_at(const struct histogram *h, double share);
/* The buckets in use, each as 1 byte of number and 4 of count, little end first. */
void histogram_pack(const struct histogram *h, struct buffer *out);
/* Adds what was packed; bytes that make no sense are ignored. */
void histogram_unpack(struct bytes packed, struct histogram *into);

#endif
