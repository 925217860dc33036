/* SPDX-License-Identifier: Apache-2.0
 *
 * count_table.c: jobs by status.
 */
#include "ui/cli/count_table.h"

#include "ui/cli/view.h"

static const char *const statuses[] = {"scheduled", "pending", "running",  "failed",
                                       "completed", "dead",    "cancelled"};

struct table *count_table_create(const char *first)
{
        const char *const titles[] = {first,       "SCHEDULED", "PENDING",   "RUNNING", "FAILED",
                                      "COMPLETED", "DEAD",      "CANCELLED", NULL};

        return table_create(titles);
}

void count_table_row(struct table *t, struct bytes name, struct scan_value counts)
{
        table_row(t);
        table_cell(t, name, COLOUR_NONE);
        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
                int64_t count = view_int(counts, statuses[i]);
                AUTO_BUFFER text = {0};

                buffer_printf(&text, "%lld", (long long)(count < 0 ? 0 : count));
                table_cell(t, buffer_bytes(&text),
                           count <= 0 ? COLOUR_GREY
                                      : view_status_colour(bytes_of_text(statuses[i])));
        }
}
