/* SPDX-License-Identifier: Apache-2.0
 *
 * letter_search.h: a page of a search for a text in letters: which it finds, and how far it looked,
 * since it is bounded in time, bytes and letters. Pure but for the clock.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/uuid.h"

struct letter_search {
        struct bytes text, words; /* as for letter_text_holds */
        int64_t limit;            /* of letters found */
        msec until;
        int64_t letters, bytes, found;
        char last[UUID_SIZE]; /* the last letter that was looked at */
};

/* Borrows the texts; mask may be NULL. */
struct letter_search letter_search_begin(const char *text, const char *mask, int64_t limit);
/* Whether it is found. error: absent when it may not be seen. */
bool letter_search_look(struct letter_search *s, const char *id, struct bytes error,
                        struct bytes body);
/* Looks no further. */
bool letter_search_is_over(const struct letter_search *s);
/* Adds the members `next_cursor` and `search`. complete: no letter is left. */
void letter_search_write(const struct letter_search *s, bool complete, struct buffer *out);
