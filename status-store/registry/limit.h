/* SPDX-License-Identifier: Apache-2.0
 *
 * limit.h: a limit that consumers hold to.
 */
#pragma once

#include "common/base/clock.h"

struct limit {
        int64_t count;   /* RECORD_UNLIMITED; 0: none is known */
        msec per;        /* of a rate */
        int64_t version; /* of its tokens */
};
