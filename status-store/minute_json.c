/* SPDX-License-Identifier: Apache-2.0
 *
 * minute_json.c: counts and percentiles.
 */
#include "status-store/minute_json.h"

json_t *percentiles_json(const struct histogram *h)
{
        static const struct {
                const char *name;
                double share;
        } wanted[] = {{"p50", 0.50}, {"p95", 0.95}, {"p99", 0.99}};
        json_t *answer = json_object();
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
                msec at = histogram_at(h, wanted[i].share);
                (void)json_object_set_new(answer, wanted[i].name,
                                          at < 0 ? json_null() : json_integer(at));
        }
        return answer;
}

void minute_json(const struct minute_counts *m, json_t *object)
{
        static const char *const counts[TALLY_COUNT] = {"submitted", "completed", "failed_attempts",
                                                        "retried", "dead"};
        static const char *const times[TALLY_TIMES] = {"latency_ms", "wait_ms", "duration_ms"};
        for (int i = 0; i < TALLY_COUNT; i++)
                (void)json_object_set_new(object, counts[i], json_integer(m->count[i]));
        for (int i = 0; i < TALLY_TIMES; i++)
                (void)json_object_set_new(object, times[i], percentiles_json(&m->times[i]));
}
