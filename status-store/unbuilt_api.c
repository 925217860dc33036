/* SPDX-License-Identifier: Apache-2.0
 *
 * unbuilt_api.c: paths of the internal API that this version answers with 501.
 */
#include "status-store/api.h"

/* clang-format off */
#define UNBUILT(handler) \
        void handler(void *owner, struct http_request *r) \
        { \
                (void)owner; \
                http_problem(r, 501, "this version does not have it yet"); \
        }
/* clang-format on */

UNBUILT(stats_timeseries)
UNBUILT(operations_cancel)
UNBUILT(operations_run_now)
UNBUILT(operations_list)
UNBUILT(operations_get)
UNBUILT(operations_abort)
UNBUILT(types_pause)
UNBUILT(types_resume)
UNBUILT(pauses_list)
