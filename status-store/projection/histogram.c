/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram.c: eight buckets for every power of two.
 */
#include "status-store/projection/histogram.h"

enum { STEPS = 8, STEP_BITS = 3, PACKED = 5 };

/* 0..7: the value itself. Above: the position of the top bit, and the three bits below it. */
static unsigned bucket_of(msec value)
{
        if (value < STEPS)
                return value < 0 ? 0 : (unsigned)value;
        unsigned top = 63 - (unsigned)__builtin_clzll((unsigned long long)value);
        unsigned step = (unsigned)(value >> (top - STEP_BITS)) & (STEPS - 1);
        unsigned bucket = (top - STEP_BITS + 1) * STEPS + step;
        return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static msec value_of(unsigned bucket)
{
        if (bucket < STEPS)
                return bucket;
        unsigned shift = bucket / STEPS - 1;
        msec low = (msec)(STEPS + bucket % STEPS) << shift;
        return low + ((msec)1 << shift) / 2;
}

void histogram_add(struct histogram *h, msec value)
{
        h->count[bucket_of(value)]++;
        h->total++;
}

msec histogram_at(const struct histogram *h, double share)
{
        if (h->total == 0)
                return -1;
        double wanted = share * (double)h->total;
        uint64_t seen = 0;
        unsigned last = 0;
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
                if (h->count[i] == 0)
                        continue;
                last = i;
                seen += h->count[i];
                if ((double)seen >= wanted)
                        break;
        }
        return value_of(last);
}

void histogram_pack(const struct histogram *h, struct buffer *out)
{
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
                uint32_t n = h->count[i];
                if (n == 0)
                        continue;
                const unsigned char packed[PACKED] = {
                        (unsigned char)i, (unsigned char)n, (unsigned char)(n >> 8),
                        (unsigned char)(n >> 16), (unsigned char)(n >> 24)};
                buffer_add(out, packed, PACKED);
        }
}

void histogram_unpack(struct bytes packed, struct histogram *into)
{
        for (size_t at = 0; at + PACKED <= packed.length; at += PACKED) {
                const unsigned char *p = (const unsigned char *)packed.data + at;
                uint32_t n = (uint32_t)p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16 |
                             (uint32_t)p[4] << 24;
                into->count[p[0]] += n;
                into->total += n;
        }
}
