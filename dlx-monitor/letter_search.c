/* SPDX-License-Identifier: Apache-2.0
 *
 * letter_search.c: a search looks at letter after letter, so that it knows how far it came.
 */
#include "dlx-monitor/letter_search.h"

#include <stdio.h>

#include "common/base/json_write.h"
#include "dlx-monitor/letter_text.h"

#define SEARCH_PAGE ((msec)2000)
enum { SEARCH_LETTERS_MAX = 50000, SEARCH_BYTES_MAX = 128 * 1024 * 1024 };

struct letter_search letter_search_begin(const char *text, const char *mask, int64_t limit)
{
        return (struct letter_search){.text = bytes_of_text(text),
                                      .words = bytes_of_text(mask),
                                      .limit = limit,
                                      .until = clock_mono() + SEARCH_PAGE};
}

bool letter_search_look(struct letter_search *s, const char *id, struct bytes error,
                        struct bytes body)
{
        s->letters++;
        s->bytes += (int64_t)(body.length + error.length);
        snprintf(s->last, sizeof(s->last), "%s", id);
        bool is_found = letter_text_holds(error, s->text, (struct bytes){0}) ||
                        letter_text_holds(body, s->text, s->words);
        s->found += is_found;
        return is_found;
}

bool letter_search_is_over(const struct letter_search *s)
{
        return s->found == s->limit || s->letters >= SEARCH_LETTERS_MAX ||
               s->bytes >= SEARCH_BYTES_MAX || (s->letters > 0 && clock_mono() >= s->until);
}

void letter_search_write(const struct letter_search *s, bool complete, struct buffer *out)
{
        json_put_string(out, "next_cursor", complete ? NULL : s->last);
        json_begin_object(out, "search");
        json_put_int(out, "letters", s->letters);
        json_put_int(out, "bytes", s->bytes);
        json_put_time(out, "until", uuid7_time(s->last));
        json_put_flag(out, "complete", complete);
        json_end(out);
}
