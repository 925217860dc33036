/* SPDX-License-Identifier: Apache-2.0
 *
 * quote.h: a received value as short printable text, for error texts. Pure.
 */
#pragma once

#include "common/model/message.h"

enum { QUOTE_SIZE = 300 };

/* In double quotes. Bytes that are not printable UTF-8 are escaped (\n, \xff). A text over about 60
 * bytes is cut, and … and its size follow. */
const char *quote_text(struct bytes text, char out[QUOTE_SIZE]);
/* A header's value of any type: 7, "text", true, 1.5, timestamp 4102444800, void, {"days": 1},
 * [1, 2]. Cut as by quote_text. */
const char *quote_header(const struct message *m, const struct header *h, char out[QUOTE_SIZE]);
