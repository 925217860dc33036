/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h: text that handlers gave us, made fit for events and headers.
 */
#ifndef WARREN_CONSUMER_RUNNER_TEXT_H
#define WARREN_CONSUMER_RUNNER_TEXT_H

#include "common/base/bytes.h"

/* Adds text as UTF-8 without NULs: every byte that is none becomes U+FFFD. Adds at most `max`
 * bytes, cut between characters. */
void text_repair(struct bytes text, size_t max, struct buffer *out);
/* The same, but what is kept is the end: its last line often names the cause. */
void text_repair_tail(struct bytes text, size_t max, struct buffer *out);
/* Without ASCII white space at both ends. */
struct bytes text_trim(struct bytes text);
/* Adds a handler's output as one JSON value of at most `max` (from 256) bytes: as it is when it is
 * JSON, which is looked at here and by no other service on the result's way; else as a string,
 * which says so when it had to be cut. `total` is how long the output was, of which `output` is the
 * beginning. Nothing to add: false. */
bool text_to_result(struct bytes output, size_t total, size_t max, struct buffer *out);

#endif
