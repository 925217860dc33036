/* SPDX-License-Identifier: Apache-2.0
 *
 * feed.h: which stream an exchange feeds. The names are those of the topology
 * (docs/architecture.md).
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"

/* Publishes to the exchange reach that stream; NULL: no stream. Exchanges not in the table feed the
 * stream of their name. `sync` feeds `control` and `marks`; it counts as `control`'s. */
bool feed_is_of(struct bytes exchange, const char *stream);
