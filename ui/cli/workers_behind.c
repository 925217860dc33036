/* SPDX-License-Identifier: Apache-2.0
 *
 * workers_behind.c: a warning about consumers that had not told that they know of a cancel.
 */
#include "ui/cli/workers_behind.h"

#include "ui/cli/view.h"

void workers_behind_warn(const struct cli *c, struct scan_value answer)
{
        struct scan_value workers;
        struct scan_item item;
        AUTO_BUFFER names = {0};

        if (!view_find(answer, "workers_behind", &workers))
                return;
        if (workers.kind != SCAN_ARRAY) {
                cli_note(c, "warning: it is not known which consumers have been told, so one may "
                            "still start it; the same command again finds out");
                return;
        }
        for (struct scan_cursor at = scan_items(workers); scan_next(&at, &item);) {
                buffer_add_text(&names, names.length > 0 ? ", " : "");
                view_add(item.value, "", &names);
        }
        if (names.length > 0)
                cli_note(c, "warning: these consumers may still start what was cancelled: %s",
                         names.data);
}
