/* SPDX-License-Identifier: Apache-2.0
 *
 * json_mask.h: hides the values of members that are named like secrets. Pure.
 *
 * A name is like a word when it contains it, of both only the ASCII letters, in lower case, and the
 * digits, the name with its escapes resolved: with the word `api_key` these are X-Api-Key, apiKey,
 * my.api.key. A secret in a string that holds JSON, or under another name, is not seen: one with
 * letters that only look alike is another.
 */
#pragma once

#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

enum {
        MASK_WORDS_MAX = 32,
        MASK_WORD_SIZE = 33, /* and a NUL */
};

/* What stands in the place of a value, whatever kind that had. */
#define MASK_TEXT "\"***\""

/* The words of the setting mask_members and of the parameter `mask`. Made once, then read by any
 * thread. Starts as {0}: it masks nothing. */
struct mask_words {
        size_t count;
        char words[MASK_WORDS_MAX][MASK_WORD_SIZE];
};

/* list: words with commas between; empty: none. ERR_INVALID: a word without a letter or digit,
 * or too long, or not ASCII; or too many words. */
int mask_words_parse(struct bytes list, struct mask_words *out, struct err *e) MUST_CHECK;

/* Appends json, which must have been checked, with each such value replaced at any depth; every
 * other byte stays as it is. Returns how many were replaced. One pass, no recursion; needs memory
 * for the longest name only. */
size_t json_mask(struct bytes json, const struct mask_words *w, struct buffer *out);
