/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers_read.c: values of handlers.json into fields.
 */
#include "consumer/runner/handlers_read.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/json_text.h"
#include "common/base/memory.h"
#include "common/base/own.h"

char *read_inside(struct bytes raw)
{
        AUTO_BUFFER text = {0};

        json_text_resolve(json_text_of(raw), &text);
        if (text.length > 0 && memchr(text.data, '\0', text.length) != NULL)
                return NULL;
        return buffer_take(&text);
}

char *take_string(const struct json_reader *r, const struct json_place *p)
{
        if (json_read_is(r, p, SCAN_STRING) != 0)
                return NULL;
        char *text = read_inside(bytes_of(p->value.raw.data + 1, p->value.raw.length - 2));
        if (text == NULL)
                (void)json_refuse(r, p, "must not hold a NUL");
        return text;
}

void texts_add(char ***texts, char *text)
{
        size_t count = 0;

        while (*texts != NULL && (*texts)[count] != NULL)
                count++;
        *texts = xrealloc(*texts, (count + 2) * sizeof(char *));
        (*texts)[count] = text;
        (*texts)[count + 1] = NULL;
}

void texts_free(char ***texts)
{
        for (char **text = *texts; text != NULL && *text != NULL; text++)
                free(*text);
        free(*texts);
        *texts = NULL;
}

int read_text(struct json_reader *r, const struct json_place *p, void *out)
{
        AUTO_FREE char *text = take_string(r, p);

        if (text == NULL)
                return -1;
        if (text[0] == '\0')
                return json_refuse(r, p, "must not be empty");
        *(char **)out = TAKE(text);
        return 0;
}

typedef int parse_fn(const char *text, int64_t *out, struct err *e);

/* A number is taken as its text: bytes, or seconds. */
static int read_quantity(const struct json_reader *r, const struct json_place *p, parse_fn *parse,
                         int64_t *out)
{
        AUTO_FREE char *text = p->value.kind == SCAN_NUMBER
                                       ? xmemdup0(p->value.raw.data, p->value.raw.length)
                                       : take_string(r, p);
        struct err wrong = {0};

        if (text == NULL)
                return -1;
        return parse(text, out, &wrong) == 0 ? 0 : json_refuse(r, p, "%s", wrong.text);
}

int read_size(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct json_member *m = p->member;
        int64_t size;

        if (read_quantity(r, p, size_parse, &size) != 0)
                return -1;
        if (size < m->least || size > m->most)
                return json_refuse(r, p, "must be from %lld to %lld bytes", (long long)m->least,
                                   (long long)m->most);
        *(int64_t *)out = size;
        return 0;
}

int read_duration(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct json_member *m = p->member;
        char least[TIME_TEXT_SIZE], most[TIME_TEXT_SIZE];
        msec duration;

        if (read_quantity(r, p, duration_parse, &duration) != 0)
                return -1;
        if (duration < m->least || duration > m->most)
                return json_refuse(r, p, "must be from %s to %s", duration_format(m->least, least),
                                   duration_format(m->most, most));
        *(msec *)out = duration;
        return 0;
}

int read_raw_object(struct json_reader *r, const struct json_place *p, void *out)
{
        if (json_read_is(r, p, SCAN_OBJECT) != 0)
                return -1;
        *(char **)out = xmemdup0(p->value.raw.data, p->value.raw.length);
        return 0;
}

static int read_one_text(struct json_reader *r, const struct json_place *p, void *out)
{
        char *text = take_string(r, p);

        if (text == NULL)
                return -1;
        texts_add(out, text);
        return 0;
}

int read_texts(struct json_reader *r, const struct json_place *p, void *out)
{
        char ***texts = out;

        if (json_read_is(r, p, SCAN_ARRAY) != 0 || json_read_each(r, p, read_one_text, out) != 0)
                return -1;
        if (*texts == NULL || (*texts)[0][0] == '\0')
                return json_refuse(r, p, "must begin with a program");
        return 0;
}
