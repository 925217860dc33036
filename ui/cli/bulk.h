/* SPDX-License-Identifier: Apache-2.0
 *
 * bulk.h: an act on all jobs that filters match: preview, question, operation.
 */
#pragma once

#include "ui/cli/cli.h"

struct bulk {
        const char *path;     /* "/api/v1/jobs/cancel" */
        const char *outcome;  /* "1234 jobs <outcome>": "would be cancelled" */
        const char *question; /* with one %s, the number: "Cancel %s" */
};

/* Shows what the given filters match, asks, starts the operation and follows it. With --dry-run it
 * only shows. */
enum exit_code bulk_act(struct cli *c, const struct bulk *bulk) MUST_CHECK;
