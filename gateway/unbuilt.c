/* SPDX-License-Identifier: Apache-2.0
 *
 * unbuilt.c: public paths that this version answers with 501.
 */
#include "gateway/handlers.h"

/* clang-format off */
#define UNBUILT(handler) \
        void handler(void *owner, struct http_request *r) \
        { \
                (void)owner; \
                http_problem(r, 501, "this version does not have it yet"); \
        }
/* clang-format on */

UNBUILT(own_tenant_act)
