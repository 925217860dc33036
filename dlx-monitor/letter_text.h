/* SPDX-License-Identifier: Apache-2.0
 *
 * letter_text.h: the search for a text in the payload of a letter, as a function of SQL.
 */
#pragma once

#include <sqlite3.h>

#include "common/base/bytes.h"

/* Whether the body holds the text. words: as for mask_words_parse; absent: none. With words only
 * what they leave unmasked counts, and of a body that is no JSON nothing: whoever does not see a
 * value must not find it, or a search for one text after the other would read it. */
bool letter_text_holds(struct bytes body, struct bytes text, struct bytes words);

/* On this connection holds(body, text, words) is 1 likewise, else 0. */
int letter_text_register(sqlite3 *db, struct err *e) MUST_CHECK;
