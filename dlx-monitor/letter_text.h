/* SPDX-License-Identifier: Apache-2.0
 *
 * letter_text.h: whether a letter's error shows its payload, and the search for a text in the
 * payload, also as functions of SQL.
 */
#pragma once

#include <sqlite3.h>

#include "common/base/bytes.h"

/* Whether the error of a letter may quote its payload, so that those who do not see it whole must
 * not see the error. A malformed message was not read to its end: all its errors count. Whoever
 * buried the message, an error that says what is wrong with its body counts. */
bool letter_error_quotes(struct bytes reason, struct bytes error);

/* Whether the body holds the text. words: as for mask_words_parse; absent: none. With words only
 * what they leave unmasked counts, and of a body that is no JSON nothing: whoever does not see a
 * value must not find it, or a search for one text after the other would read it. */
bool letter_text_holds(struct bytes body, struct bytes text, struct bytes words);

/* On this connection holds(body, text, words) and quotes(reason, error) are 1 likewise, else 0. */
int letter_text_register(sqlite3 *db, struct err *e) MUST_CHECK;
