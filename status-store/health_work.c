/* SPDX-License-Identifier: Apache-2.0
 *
 * health_work.c: reads worker records and the types that wait.
 */
#include "status-store/health_work.h"

#include "common/base/json_path.h"
#include "common/base/json_scan.h"
#include "common/doctor/work_checks.h"
#include "status-store/jobs/lookup.h"
#include "status-store/why/handled.h"
#include "status-store/why/worker_view.h"

enum { NAMES_SHOWN = 10 };
/* How long a lost worker is told of. */
#define LOST_FOR ((msec)10 * MSEC_MINUTE)

/* The types with commas, as text. */
static int read_unhandled(struct reader *r, msec as_of, struct buffer *out, struct err *e)
{
        AUTO_BUFFER json = {0};
        struct scan_value types;
        struct scan_item item;
        struct scan_fault fault;

        buffer_add_char(&json, '{');
        if (unhandled_write(r, "*", as_of, &json, e) != 0)
                return -1;
        buffer_add_char(&json, '}');
        if (scan_check(buffer_bytes(&json), SCAN_DEPTH_WRAPPED, &fault) != 0 ||
            !json_path_find(scan_root(buffer_bytes(&json)), "unhandled_types", &types))
                return err_set(e, ERR_PROTOCOL, "the list of unhandled types is not JSON");
        for (struct scan_cursor at = scan_items(types); scan_next(&at, &item);) {
                if (out->length > 0)
                        buffer_add_text(out, ", ");
                (void)json_path_add(item.value, "", out);
        }
        return 0;
}

/* One that said a moment ago that it ends may be starting again: it counts as live. */
static bool is_live(const struct worker_view *w, msec as_of)
{
        return w->status != WORKER_IS_LOST && w->at > as_of - WORKER_ALIVE;
}

static int count_workers(struct reader *r, msec as_of, struct work_facts *facts,
                         struct buffer *lost, struct err *e)
{
        int more = 0;
        AUTO_RESET *rows = reader_query(r, workers_sql, NULL, e);

        while ((more = db_step(rows, e)) == 1) {
                struct worker_view w;
                worker_view_read(rows, as_of, &w);
                facts->live += is_live(&w, as_of);
                if (w.status != WORKER_IS_LOST || w.at < as_of - LOST_FOR)
                        continue;
                if (facts->lost++ < NAMES_SHOWN)
                        buffer_printf(lost, "%s%s", lost->length > 0 ? ", " : "", w.name);
        }
        facts->more_lost = facts->lost > NAMES_SHOWN;
        return more;
}

int health_work_check(struct reader *r, const struct lag *lag, struct findings *f, struct err *e)
{
        struct work_facts facts = {.as_of = lag->as_of, .lag = lag->lag};
        AUTO_BUFFER unhandled = {0}, lost = {0};

        if (!work_is_behind(lag->lag) && (read_unhandled(r, lag->as_of, &unhandled, e) != 0 ||
                                          count_workers(r, lag->as_of, &facts, &lost, e) != 0))
                return -1;
        facts.unhandled = unhandled.length > 0 ? unhandled.data : NULL;
        facts.lost_names = lost.length > 0 ? lost.data : NULL;
        work_checks(&facts, f);
        return 0;
}
