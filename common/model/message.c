/* SPDX-License-Identifier: Apache-2.0
 *
 * message.c: finds and adds headers of a message.
 */
#include "common/model/message.h"

#include <assert.h>

/* It is computed for every message that is read, so only the beginning of a long body is hashed. */
enum { FINGERPRINT_BODY = 192 };

const struct header *message_header(const struct message *m, const char *name)
{
        const struct bytes wanted = bytes_of_text(name);

        for (size_t i = 0; i < m->header_count; i++) {
                const struct header *h = &m->headers[i];
                if (bytes_equal(h->name, wanted))
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

static void add(struct message *m, const struct header *h)
{
        assert(m->header_count < MESSAGE_HEADERS_MAX);
        m->headers[m->header_count++] = *h;
}

void message_add_int(struct message *m, const char *name, int64_t value)
{
        add(m, &(struct header){.name = bytes_of_text(name), .kind = HEADER_INT, .number = value});
}

void message_add_text(struct message *m, const char *name, struct bytes text)
{
        add(m, &(struct header){.name = bytes_of_text(name), .kind = HEADER_STRING, .text = text});
}

int64_t message_fingerprint(const struct message *m)
{
        struct bytes head = m->body;

        if (head.length > FINGERPRINT_BODY)
                head.length = FINGERPRINT_BODY;
        uint64_t digest = bytes_digest(m->body.length, m->exchange);
        digest = bytes_digest(digest, m->routing_key);
        digest = bytes_digest(digest, m->message_id);
        return (int64_t)bytes_digest(digest, head);
}
