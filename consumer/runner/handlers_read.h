/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers_read.h: readers of values of handlers.json, besides those of json_read.h; lists of
 * texts.
 */
#pragma once

#include "common/base/json_read.h"

json_member_fn read_text;       /* char *: owned, not empty, without NUL */
json_member_fn read_size;       /* int64_t: "256MiB" or bytes, from least to most */
json_member_fn read_duration;   /* msec: "1.5s", or seconds, from least to most */
json_member_fn read_raw_object; /* char *: owned, the object's own text */
json_member_fn read_texts;      /* char **: owned, NULL-terminated, not empty */

/* The text of a raw key, or of a string without its quotes; owned. NULL when it contains a NUL. */
char *read_inside(struct bytes raw);
/* The string, owned, may be empty. NULL: refused, because it is not a string or contains a NUL. */
char *take_string(const struct json_reader *r, const struct json_place *p);

/* A NULL-terminated list of owned texts; NULL: empty. texts_add takes over the text. */
void texts_add(char ***texts, char *text);
void texts_free(char ***texts);

#define AUTO_TEXTS __attribute__((cleanup(texts_free))) char **
