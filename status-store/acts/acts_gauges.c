/* SPDX-License-Identifier: Apache-2.0
 *
 * acts_gauges.c: how many acts there were, how they ended, and what is kept of them.
 */
#include "status-store/acts/acts_gauges.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/memory.h"

struct acts_gauges {
        struct acts *acts;
        struct metric *acts_total, *seconds, *unfinished, *moved;
};

static const char *const kinds[ACT_KINDS] = {
        [ACT_CANCEL] = "cancel",     [ACT_RUN_NOW] = "run_now", [ACT_MOVE] = "reschedule",
        [ACT_PRIORITY] = "priority", [ACT_RETRY] = "retry",     [ACT_FORGET] = "forget",
        [ACT_STOP] = "cancel",
};

static const char *const outcomes[] = {
        [ACT_WAS_DONE] = "done",
        [ACT_WAS_REFUSED] = "refused",
        [ACT_IS_UNFINISHED] = "unfinished",
        [ACT_FAILED] = "failed",
};

static void collect(void *owner)
{
        struct acts_gauges *g = owner;
        struct err why = {0};
        int64_t unfinished = 0;
        int64_t moved = 0;
        if (acts_count(g->acts, &unfinished, &moved, &why) != 0) {
                LOG_WARN("metrics not filled", log_err(&why));
                return;
        }
        metric_set(g->unfinished, (double)unfinished);
        metric_set(g->moved, (double)moved);
}

struct acts_gauges *acts_gauges_create(struct metrics *m, struct acts *acts)
{
        struct acts_gauges *g = xcalloc(1, sizeof(*g));
        g->acts = acts;
        g->acts_total = metric_add(m, &(struct metric_spec){.name = "warren_acts_total",
                                                            .help = "Acts on single jobs.",
                                                            .kind = METRIC_COUNTER,
                                                            .labels = {"kind", "outcome"}});
        g->seconds = metric_add(m, &(struct metric_spec){.name = "warren_act_seconds",
                                                         .help = "Time that an act took.",
                                                         .kind = METRIC_HISTOGRAM,
                                                         .labels = {"kind"}});
        g->unfinished =
                metric_add(m, &(struct metric_spec){.name = "warren_acts_unfinished",
                                                    .help = "Acts that were begun and have not "
                                                            "ended; they are done again.",
                                                    .kind = METRIC_GAUGE});
        g->moved = metric_add(m, &(struct metric_spec){.name = "warren_moved_kept",
                                                       .help = "Jobs whose last act is kept "
                                                               "(moved_max).",
                                                       .kind = METRIC_GAUGE});
        metrics_on_collect(m, collect, g);
        return g;
}

void acts_gauges_destroy(struct acts_gauges **g)
{
        free(*g);
        *g = NULL;
}

void acts_gauges_note(struct acts_gauges *g, enum act_kind kind, enum act_outcome outcome,
                      msec took)
{
        metric_increment(g->acts_total, 1, kinds[kind], outcomes[outcome]);
        metric_observe(g->seconds, (double)took / MSEC_SECOND, kinds[kind]);
}
