/* SPDX-License-Identifier: Apache-2.0
 *
 * feed.h: which stream an exchange feeds. The names are those of the topology
 * (docs/architecture.md).
 */
#ifndef WARREN_MODEL_FEED_H
#define WARREN_MODEL_FEED_H

#include <stdbool.h>

#include "common/base/bytes.h"

/* What is published to the exchange reaches that stream, whatever else it reaches. stream: NULL: it
 * reaches none. An exchange feeds the stream of its own name. `sync` feeds two; it is `control`'s.
 */
bool feed_is_of(struct bytes exchange, const char *stream);

#endif
