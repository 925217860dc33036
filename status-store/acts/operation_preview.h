/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_preview.h: what an operation would act on.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/jobs/list_walk.h"

enum { PREVIEW_TENANTS_MAX = 20, PREVIEW_SAMPLE_MAX = 5 };

struct operation_preview {
        int64_t count, by_status[STATUS_COUNT];
        struct preview_tenant {
                char name[TENANT_SIZE];
                int64_t count;
        } tenants[PREVIEW_TENANTS_MAX]; /* the first that were met */
        size_t tenant_count;
        int64_t of_other_tenants;
        char sample[PREVIEW_SAMPLE_MAX][UUID_SIZE];
        size_t sampled;
        int64_t seq_max; /* the greatest row that there is */
        struct walk_reach reach;
};

/* Looks at 100 000 rows, or for 2 s, at most: see reach. out: zeroed. */
int operation_preview(struct reader *r, const struct job_filter *f, struct operation_preview *out,
                      struct err *e) MUST_CHECK;
