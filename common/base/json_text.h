/* SPDX-License-Identifier: Apache-2.0
 *
 * json_text.h: the inside of a checked JSON string, escapes as written; compared and resolved.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"

struct json_text {
        const char *data; /* borrowed, without quotes */
        size_t length;
        bool escaped; /* holds a backslash that begins an escape */
};

/* Finds out for itself whether there are escapes. */
struct json_text json_text_of(struct bytes raw);
/* By what the texts mean, in code point order: "a" equals "\u0061". */
int json_text_compare(const struct json_text *a, const struct json_text *b);
bool json_text_equal(const struct json_text *a, const struct json_text *b);
/* Adds the text to out with its escapes resolved. */
void json_text_resolve(struct json_text t, struct buffer *out);
/* Whether a Content-Type says `name`, such as "application/json", in any case and with any
 * parameters. */
bool media_type_is(struct bytes type, const char *name);
/* It says application/json. */
bool json_is_media_type(struct bytes type);
