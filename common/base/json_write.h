/* SPDX-License-Identifier: Apache-2.0
 *
 * json_write.h: writing JSON into a buffer. Commas are added after anything but an opening bracket.
 * An empty buffer may collect members that the caller puts into braces later.
 *
 *     json_begin(&out);
 *     json_put_int(&out, "legs", 4);
 *     json_begin_array(&out, "names");
 *     json_put_text(&out, NULL, name);
 *     json_end_array(&out);
 *     json_end(&out);                       {"legs":4,"names":["Rex"]}
 *
 * A name is not escaped, so it must not need it. NULL: an element of an array.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"

/* Begins an object without a comma, whatever is in the buffer. */
void json_begin(struct buffer *out);
void json_end(struct buffer *out); /* of any object */
void json_begin_object(struct buffer *out, const char *name);
void json_begin_array(struct buffer *out, const char *name);
void json_end_array(struct buffer *out);

/* Absent text is "". Bytes that are not UTF-8 become U+FFFD. */
void json_put_text(struct buffer *out, const char *name, struct bytes text);
/* A C string; null when it is NULL. */
void json_put_string(struct buffer *out, const char *name, const char *text);
/* null when it is empty, or absent. */
void json_put_text_or_null(struct buffer *out, const char *name, struct bytes text);
/* Adds nothing when it is absent. */
void json_put_given(struct buffer *out, const char *name, struct bytes text);
void json_put_int(struct buffer *out, const char *name, int64_t value);
void json_put_flag(struct buffer *out, const char *name, bool value);
void json_put_real(struct buffer *out, const char *name, double value); /* six digits */
/* RFC 3339; null when it is 0 or less. */
void json_put_time(struct buffer *out, const char *name, msec at);
void json_put_null(struct buffer *out, const char *name);
/* A checked value, unchanged; null when it is empty, or absent. */
void json_put_raw(struct buffer *out, const char *name, struct bytes json);
/* Member "payload", as by json_put_raw. When it is not JSON: null, and the bytes in
 * "payload_base64". */
void json_put_payload(struct buffer *out, struct bytes payload, bool is_json);
