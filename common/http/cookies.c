/* SPDX-License-Identifier: Apache-2.0
 *
 * cookies.c: splits the header Cookie: "a=1; b=2".
 */
#include "common/http/cookies.h"

#include <string.h>

#define BLANKS " \t"

void cookies_add(struct cookies *c, const char *header)
{
        buffer_add_text(&c->text, header);
        buffer_add_char(&c->text, ';');
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

/* Ends each cookie by a NUL, in the place of its semicolon and of the blanks before that. */
void cookies_read(struct cookies *c)
{
        char *text = c->text.data;

        c->read = true;
        for (size_t i = 0; i < c->text.length; i++) {
                if (text[i] != ';')
                        continue;
                text[i] = '\0';
                for (size_t at = i; at > 0 && is_blank(text[at - 1]); at--)
                        text[at - 1] = '\0';
        }
}

const char *cookies_find(const struct cookies *c, const char *name, bool *several)
{
        const char *at = c->text.data, *end = at == NULL ? NULL : at + c->text.length;
        size_t length = strlen(name);
        const char *found = NULL;

        *several = false;
        for (; at < end; at += strlen(at) + 1) {
                const char *cookie = at + strspn(at, BLANKS);
                if (strncmp(cookie, name, length) != 0 || cookie[length] != '=')
                        continue;
                *several = found != NULL;
                if (*several)
                        return NULL;
                found = cookie + length + 1;
        }
        return found;
}

void cookies_fini(struct cookies *c)
{
        buffer_fini(&c->text);
        *c = (struct cookies){0};
}
