/* SPDX-License-Identifier: Apache-2.0
 *
 * readiness.h: whether the gateway can take submissions.
 */
#pragma once

#include <stdbool.h>

#include "common/base/err.h"

/* For health_config.ready; owner is the gateway. Any thread. */
bool readiness_check(void *owner, struct err *why);
