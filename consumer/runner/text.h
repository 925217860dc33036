/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h: makes text from handlers fit for events and headers.
 */
#pragma once

#include "common/base/bytes.h"

/* Adds text as UTF-8 without NULs: every other byte becomes U+FFFD. Adds at most `max` bytes, cut
 * between characters. */
void text_repair(struct bytes text, size_t max, struct buffer *out);
/* The same, but keeps the end: the last line often names the cause. */
void text_repair_tail(struct bytes text, size_t max, struct buffer *out);
/* Without ASCII white space at both ends. */
struct bytes text_trim(struct bytes text);
/* Adds a handler's output as one JSON value of at most `max` (from 256) bytes: unchanged when it is
 * JSON, else as a string, which says so when it was cut. No later service checks again whether a
 * result is JSON. `output` is the beginning of an output of `total` bytes. False: there is nothing
 * to add. */
bool text_to_result(struct bytes output, size_t total, size_t max, struct buffer *out);
