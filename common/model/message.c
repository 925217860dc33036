/* SPDX-License-Identifier: Apache-2.0
 *
 * message.c: finds and adds headers of a message.
 */
#include "common/model/message.h"

#include <assert.h>
#include <string.h>

const struct header *message_header(const struct message *m, const char *name)
{
        size_t length = strlen(name);

        for (size_t i = 0; i < m->header_count; i++) {
                const struct header *h = &m->headers[i];
                if (h->name.length == length && memcmp(h->name.data, name, length) == 0)
                        return h;
        }
        return NULL;
}

int64_t message_header_int(const struct message *m, const char *name, int64_t fallback)
{
        const struct header *h = message_header(m, name);

        return h != NULL && h->kind == HEADER_INT ? h->number : fallback;
}

struct bytes message_header_text(const struct message *m, const char *name)
{
        const struct header *h = message_header(m, name);

        return h != NULL && h->kind == HEADER_STRING ? h->text : (struct bytes){NULL, 0};
}

static struct header *next_header(struct message *m, const char *name)
{
        assert(m->header_count < MESSAGE_HEADERS_MAX);
        struct header *h = &m->headers[m->header_count++];
        h->name = bytes_of(name, strlen(name));
        return h;
}

void message_add_int(struct message *m, const char *name, int64_t value)
{
        struct header *h = next_header(m, name);

        h->kind = HEADER_INT;
        h->number = value;
        h->text = (struct bytes){NULL, 0};
}

void message_add_text(struct message *m, const char *name, struct bytes text)
{
        struct header *h = next_header(m, name);

        h->kind = HEADER_STRING;
        h->number = 0;
        h->text = text;
}
