/* SPDX-License-Identifier: Apache-2.0
 *
 * json_mask.c: one pass over checked JSON. A string that a colon follows is a member's name, so
 * nothing has to be remembered of the levels around it.
 */
#include "common/base/json_mask.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/json_text.h"

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Other bytes count for nothing: a name must not escape by one that nobody sees. */
static bool counts(char c)
{
        return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

/* Lower case, without what does not count. */
static void fold(struct buffer *text)
{
        size_t length = 0;

        for (size_t i = 0; i < text->length; i++) {
                if (counts(text->data[i]))
                        text->data[length++] = lower(text->data[i]);
        }
        text->length = length;
}

static int add_word(struct mask_words *words, struct bytes word, struct err *e)
{
        char *into = words->words[words->count];
        size_t length = 0;

        for (size_t i = 0; i < word.length; i++) {
                char c = word.data[i];
                if (c < ' ' || c > '~')
                        return err_set(e, ERR_INVALID, "a word is not printable ASCII");
                if (!counts(c))
                        continue;
                if (length + 1 >= MASK_WORD_SIZE)
                        return err_set(e, ERR_INVALID, "a word has more than %d characters",
                                       MASK_WORD_SIZE - 1);
                into[length++] = lower(c);
        }
        if (length == 0)
                return err_set(e, ERR_INVALID, "a word has no letters or digits");
        into[length] = '\0';
        words->count++;
        return 0;
}

int mask_words_parse(struct bytes list, struct mask_words *out, struct err *e)
{
        struct mask_words words = {0};

        *out = words;
        while (list.length > 0) {
                const char *comma = memchr(list.data, ',', list.length);
                size_t length = comma != NULL ? (size_t)(comma - list.data) : list.length;
                if (words.count == MASK_WORDS_MAX)
                        return err_set(e, ERR_INVALID, "more than %d words", MASK_WORDS_MAX);
                if (add_word(&words, bytes_of(list.data, length), e) < 0)
                        return -1;
                if (comma != NULL && length + 1 == list.length)
                        return err_set(e, ERR_INVALID, "a comma is the last character");
                length += comma != NULL;
                list = bytes_of(list.data + length, list.length - length);
        }
        *out = words;
        return 0;
}

/* inside: of the name's quotes. */
static bool is_masked(const struct mask_words *w, struct bytes inside, struct buffer *scratch)
{
        buffer_clear(scratch);
        json_text_resolve(json_text_of(inside), scratch);
        fold(scratch);
        for (size_t i = 0; i < w->count; i++) {
                size_t length = strlen(w->words[i]);
                if (length <= scratch->length &&
                    memmem(scratch->data, scratch->length, w->words[i], length) != NULL)
                        return true;
        }
        return false;
}

/* at: its opening quote. Returns what follows its closing one. */
static const char *after_string(const char *at)
{
        for (at++; *at != '"'; at++)
                at += *at == '\\';
        return at + 1;
}

static const char *after_space(const char *at, const char *end)
{
        while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
                at++;
        return at;
}

/* at: its first byte. A number or a word ends at what cannot be part of it. */
static const char *after_value(const char *at, const char *end)
{
        size_t depth = 0;

        if (*at == '"')
                return after_string(at);
        if (*at != '{' && *at != '[') {
                while (at < end && strchr(" \t\r\n,]}", *at) == NULL)
                        at++;
                return at;
        }
        do {
                if (*at == '"') {
                        at = after_string(at);
                        continue;
                }
                if (*at == '{' || *at == '[')
                        depth++;
                else if (*at == '}' || *at == ']')
                        depth--;
                at++;
        } while (depth > 0);
        return at;
}

size_t json_mask(struct bytes json, const struct mask_words *w, struct buffer *out)
{
        const char *at = json.data, *end = json.data + json.length, *copied = at;
        AUTO_BUFFER scratch = {0};
        size_t count = 0;

        while (w->count > 0 && at < end && (at = memchr(at, '"', (size_t)(end - at))) != NULL) {
                const char *name = at + 1;
                at = after_string(at);
                const char *colon = after_space(at, end);
                if (colon == end || *colon != ':' ||
                    !is_masked(w, bytes_of(name, (size_t)(at - 1 - name)), &scratch))
                        continue;
                at = after_space(colon + 1, end);
                buffer_add(out, copied, (size_t)(at - copied));
                buffer_add_text(out, MASK_TEXT);
                at = copied = after_value(at, end);
                count++;
        }
        if (copied < end)
                buffer_add(out, copied, (size_t)(end - copied));
        return count;
}
