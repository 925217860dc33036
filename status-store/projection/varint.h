/* SPDX-License-Identifier: Apache-2.0
 *
 * varint.h: numbers in as many bytes as they need, seven bits in each, the lowest first.
 */
#pragma once

#include "common/base/bytes.h"

enum { VARINT_MAX = 10 }; /* bytes */

/* Returns how many bytes it wrote. */
size_t varint_put(unsigned char *out, uint64_t value);
/* Takes one from the front; false: it is cut. */
bool varint_get(struct bytes *in, uint64_t *value);
