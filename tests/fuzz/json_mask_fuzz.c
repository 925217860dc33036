/* SPDX-License-Identifier: Apache-2.0
 *
 * json_mask_fuzz.c: what is masked is JSON, and masking it again changes nothing. Every member that
 * is named like a word has "***" as its value, by another reading than the masking's own.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "common/base/json_mask.h"
#include "common/base/json_scan.h"

static bool is_named_like(struct bytes raw_key, const char *word)
{
        AUTO_BUFFER name = {0}, folded = {0};

        json_text_resolve(json_text_of(raw_key), &name);
        for (size_t i = 0; i < name.length; i++) {
                char c = name.data[i];
                if (c != '\0' && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", c) != NULL)
                        c = (char)(c + 32);
                if (c != '\0' && strchr("abcdefghijklmnopqrstuvwxyz0123456789", c) != NULL)
                        buffer_add_char(&folded, c);
        }
        return folded.length > 0 && memmem(folded.data, folded.length, word, strlen(word)) != NULL;
}

/* Returns how many masked members there are. */
static size_t check_masked(struct scan_value v, const struct mask_words *w)
{
        struct scan_cursor c;
        struct scan_item item;
        size_t count = 0;

        if (v.kind != SCAN_OBJECT && v.kind != SCAN_ARRAY)
                return 0;
        c = scan_items(v);
        while (scan_next(&c, &item)) {
                bool named = false;
                for (size_t i = 0; v.kind == SCAN_OBJECT && i < w->count; i++)
                        named = named || is_named_like(item.key, w->words[i]);
                if (named)
                        assert(bytes_equal_text(item.value.raw, MASK_TEXT));
                count += named ? 1 : check_masked(item.value, w);
        }
        return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct bytes text = bytes_of(data, length);
        AUTO_BUFFER once = {0}, twice = {0};
        struct scan_fault fault;
        struct mask_words words;
        struct err e = {0};

        if (mask_words_parse(text, &words, &e) != 0)
                assert(words.count == 0);
        if (mask_words_parse(bytes_of_text("token,api_key,a"), &words, NULL) != 0)
                assert(!"these are words");
        if (scan_check(text, SCAN_DEPTH_MAX, &fault) != 0)
                return 0;
        size_t count = json_mask(text, &words, &once);
        int bad = scan_check(buffer_bytes(&once), SCAN_DEPTH_MAX, &fault);
        assert(bad == 0);
        (void)bad;
        size_t masked = check_masked(scan_root(buffer_bytes(&once)), &words);
        assert(masked == count);
        (void)masked;
        if (count == 0)
                assert(bytes_equal(text, buffer_bytes(&once)));
        json_mask(buffer_bytes(&once), &words, &twice);
        assert(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
        return 0;
}
