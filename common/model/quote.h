/* SPDX-License-Identifier: Apache-2.0
 *
 * quote.h: what somebody sent, short and in printable text, for an error that names it. Pure.
 */
#ifndef WARREN_MODEL_QUOTE_H
#define WARREN_MODEL_QUOTE_H

#include "common/model/message.h"

enum { QUOTE_SIZE = 300 };

/* In double quotes: bytes that are no printable UTF-8 are escaped (\n, \xff), and of more than some
 * 60 bytes the first are shown, with … and their number behind them. */
const char *quote_text(struct bytes text, char out[QUOTE_SIZE]);
/* A header's value, whatever its type: 7, "text", true, 1.5, timestamp 4102444800, void,
 * {"days": 1}, [1, 2]; cut likewise. */
const char *quote_header(const struct message *m, const struct header *h, char out[QUOTE_SIZE]);

#endif
