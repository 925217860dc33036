/* SPDX-License-Identifier: Apache-2.0
 *
 * declarations.c: declarations on the link's thread, in order, on a channel of their own. They are
 * sent without waiting; the answers come in order, and a refusal closes the channel, so it concerns
 * the oldest one unanswered and the others are sent again.
 */
#include <stdlib.h>
#include <string.h>

#include "common/amqp/link_parts.h"
#include "common/base/memory.h"

static size_t argument_bytes(const struct argument *a)
{
        return strlen(a->name) + (a->text == NULL ? 0 : strlen(a->text));
}

static void place_argument(char **at, const struct argument *a, amqp_table_entry_t *entry)
{
        entry->key = wire_text(a->name);
        wire_place(at, &entry->key);
        if (a->text != NULL) {
                entry->value.kind = AMQP_FIELD_KIND_UTF8;
                entry->value.value.bytes = wire_text(a->text);
                wire_place(at, &entry->value.value.bytes);
        } else if (a->boolean) {
                entry->value.kind = AMQP_FIELD_KIND_BOOLEAN;
                entry->value.value.boolean = a->number != 0;
        } else {
                entry->value.kind = AMQP_FIELD_KIND_I64;
                entry->value.value.i64 = a->number;
        }
}

struct request *request_create(const struct declaration *d)
{
        const char *const texts[] = {d->name, d->type, d->source, d->key};
        size_t bytes = 0;
        size_t count = 0;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                bytes += texts[i] == NULL ? 0 : strlen(texts[i]);
        for (const struct argument *a = d->arguments; a != NULL && a->name != NULL; a++, count++)
                bytes += argument_bytes(a);

        size_t table = count * sizeof(amqp_table_entry_t);
        struct request *r = xcalloc(1, sizeof(*r) + table + bytes);
        amqp_table_entry_t *entries = (amqp_table_entry_t *)(r + 1);
        char *at = (char *)entries + table;
        amqp_bytes_t *const fields[] = {&r->name, &r->type, &r->source, &r->key};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                *fields[i] = wire_text(texts[i]);
                wire_place(&at, fields[i]);
        }
        for (size_t i = 0; i < count; i++)
                place_argument(&at, &d->arguments[i], &entries[i]);
        r->what = d->what;
        r->if_unused = d->if_unused;
        r->arguments = (amqp_table_t){.num_entries = (int)count, .entries = entries};
        return r;
}

/* Its owner hears of it once; its answer may still be to come. */
static int finish(struct link *l, struct request *r)
{
        int result = 0;

        if (r->probe != 0) {
                const struct err *why = err_is_set(&r->why) ? &r->why : NULL;
                result = r->probe == FEED_PROBE ? feed_answered(l, why)
                                                : subscriptions_probed(l, r->probe, why);
                free(r);
        } else if (r->reported) {
                free(r);
        } else {
                engine_post(l, &r->notice, NOTICE_DECLARED);
        }
        return result;
}

void declarations_take(struct link *l, struct node_list *more)
{
        node_list_append(&l->engine.declares, more);
}

static void look_for(struct link *l, const char *queue, uint64_t probe)
{
        struct request *r =
                request_create(&(struct declaration){.what = COUNT_QUEUE, .name = queue});

        r->probe = probe;
        r->deadline = INT64_MAX;
        node_list_add(&l->engine.declares, &r->notice.node);
}

void declarations_probe(struct link *l, const struct subscription *s)
{
        look_for(l, s->queue, s->id);
}

void declarations_look_for(struct link *l, const char *stream)
{
        look_for(l, stream, FEED_PROBE);
}

static int send_queue_declare(struct link *l, const struct request *r, bool passive)
{
        amqp_queue_declare_t m = {.queue = r->name, .passive = passive, .durable = 1};

        m.arguments = r->arguments;
        return connection_send(l, DECLARE_CHANNEL, AMQP_QUEUE_DECLARE_METHOD, &m);
}

static int send_exchange_declare(struct link *l, const struct request *r)
{
        amqp_exchange_declare_t m = {.exchange = r->name, .type = r->type, .durable = 1};

        m.arguments = r->arguments;
        return connection_send(l, DECLARE_CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD, &m);
}

static int send_bind(struct link *l, const struct request *r)
{
        amqp_queue_bind_t m = {.queue = r->name, .exchange = r->source, .routing_key = r->key};

        m.arguments = r->arguments;
        return connection_send(l, DECLARE_CHANNEL, AMQP_QUEUE_BIND_METHOD, &m);
}

static int send_unbind(struct link *l, const struct request *r)
{
        amqp_queue_unbind_t m = {.queue = r->name, .exchange = r->source, .routing_key = r->key};

        m.arguments = r->arguments;
        return connection_send(l, DECLARE_CHANNEL, AMQP_QUEUE_UNBIND_METHOD, &m);
}

static int send_delete_or_purge(struct link *l, const struct request *r)
{
        amqp_exchange_delete_t exchange = {.exchange = r->name, .if_unused = r->if_unused};
        amqp_queue_delete_t queue = {.queue = r->name, .if_unused = r->if_unused};
        amqp_queue_purge_t purge = {.queue = r->name};

        if (r->what == DELETE_EXCHANGE)
                return connection_send(l, DECLARE_CHANNEL, AMQP_EXCHANGE_DELETE_METHOD, &exchange);
        if (r->what == DELETE_QUEUE)
                return connection_send(l, DECLARE_CHANNEL, AMQP_QUEUE_DELETE_METHOD, &queue);
        return connection_send(l, DECLARE_CHANNEL, AMQP_QUEUE_PURGE_METHOD, &purge);
}

static int send_request(struct link *l, const struct request *r)
{
        switch (r->what) {
        case DECLARE_EXCHANGE:
                return send_exchange_declare(l, r);
        case DECLARE_QUEUE:
                return send_queue_declare(l, r, false);
        case COUNT_QUEUE:
                return send_queue_declare(l, r, true);
        case DECLARE_BINDING:
                return send_bind(l, r);
        case DELETE_BINDING:
                return send_unbind(l, r);
        case DELETE_QUEUE:
                /* A quorum queue does not know the flag and closes the connection over it. */
                if (r->if_unused)
                        return send_queue_declare(l, r, true);
                return send_delete_or_purge(l, r);
        case DELETE_EXCHANGE:
        case PURGE_QUEUE:
                return send_delete_or_purge(l, r);
        }
        return 0;
}

static int open_channel(struct link *l)
{
        amqp_channel_open_t m = {0};

        if (l->engine.declare_channel_open)
                return 0;
        l->engine.declare_channel_open = true;
        return connection_send(l, DECLARE_CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &m);
}

int declarations_write(struct link *l)
{
        struct engine *en = &l->engine;
        struct node *n;

        if (en->declares.first == NULL)
                return 0;
        if (open_channel(l) < 0)
                return -1;
        while ((n = node_list_take(&en->declares)) != NULL) {
                node_list_add(&en->declares_sent, n);
                if (send_request(l, (struct request *)n) < 0)
                        return -1;
        }
        return 0;
}

static int delete_unless_used(struct link *l, struct request *r, const amqp_queue_declare_ok_t *ok)
{
        struct node_list first = {0};

        if (ok->consumer_count > 0) {
                err_set(&r->why, ERR_CONFLICT, "the queue has %u consumers", ok->consumer_count);
                return finish(l, r);
        }
        r->if_unused = false;
        node_list_add(&first, &r->notice.node);
        node_list_prepend(&l->engine.declares, &first);
        return 0;
}

int declarations_answered(struct link *l, const amqp_method_t *m)
{
        if (m->id == AMQP_CHANNEL_OPEN_OK_METHOD)
                return 0;
        struct request *r = (struct request *)node_list_take(&l->engine.declares_sent);
        if (r == NULL)
                return engine_fail(l, ERR_PROTOCOL, "an answer that nobody asked for");
        if (m->id != AMQP_QUEUE_DECLARE_OK_METHOD)
                return finish(l, r);
        const amqp_queue_declare_ok_t *ok = m->decoded;
        if (r->what == DELETE_QUEUE)
                return delete_unless_used(l, r, ok);
        if (r->what == COUNT_QUEUE) {
                r->messages = ok->message_count;
                r->consumers = ok->consumer_count;
        }
        return finish(l, r);
}

static bool is_deletion(const struct request *r)
{
        return r->what == DELETE_EXCHANGE || r->what == DELETE_QUEUE || r->what == DELETE_BINDING;
}

int declarations_refused(struct link *l, const amqp_channel_close_t *why)
{
        struct engine *en = &l->engine;
        amqp_channel_close_ok_t ok = {0};
        struct request *r = (struct request *)node_list_take(&en->declares_sent);

        en->declare_channel_open = false;
        node_list_prepend(&en->declares, &en->declares_sent);
        int result = 0;
        if (r != NULL) {
                if (why->reply_code != AMQP_NOT_FOUND || !is_deletion(r))
                        err_set(&r->why, wire_reply_code(why->reply_code), "%.*s",
                                (int)why->reply_text.len, (const char *)why->reply_text.bytes);
                result = finish(l, r);
        }
        if (result < 0)
                return -1;
        return connection_send(l, DECLARE_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
}

/* Probes end with their connection; the rest is sent again by the next one. */
void declarations_disconnected(struct link *l)
{
        struct engine *en = &l->engine;
        struct node_list kept = {0};
        struct node *n;

        en->declare_channel_open = false;
        node_list_prepend(&en->declares, &en->declares_sent);
        while ((n = node_list_take(&en->declares)) != NULL) {
                struct request *r = (struct request *)n;
                if (r->probe != 0 || r->reported)
                        free(r);
                else
                        node_list_add(&kept, n);
        }
        en->declares = kept;
}

static void fail_late(struct link *l, struct request *r)
{
        err_set(&r->why, ERR_UNAVAILABLE, "the broker is away");
        finish(l, r);
}

/* The answer to one that was sent is still awaited: a copy tells its owner. */
static void report_late(struct link *l, struct request *r)
{
        struct request *copy = xcalloc(1, sizeof(*copy));

        copy->done = r->done;
        copy->owner = r->owner;
        r->reported = true;
        fail_late(l, copy);
}

void declarations_expire(struct link *l, msec now)
{
        struct engine *en = &l->engine;
        struct node_list kept = {0};
        struct node *n;

        while ((n = node_list_take(&en->declares)) != NULL) {
                if (((struct request *)n)->deadline <= now)
                        fail_late(l, (struct request *)n);
                else
                        node_list_add(&kept, n);
        }
        en->declares = kept;
        if (budget_is_pausing(l))
                return;
        for (n = en->declares_sent.first; n != NULL; n = n->next) {
                struct request *r = (struct request *)n;
                if (r->probe == 0 && !r->reported && r->deadline + DECLARE_LIMIT <= now)
                        report_late(l, r);
        }
}

void declarations_skip_time(struct link *l, msec time)
{
        for (struct node *n = l->engine.declares_sent.first; n != NULL; n = n->next) {
                struct request *r = (struct request *)n;
                if (r->probe == 0)
                        r->deadline += time;
        }
}

msec declarations_deadline(const struct link *l)
{
        const struct engine *en = &l->engine;

        if (en->declares.first != NULL)
                return ((const struct request *)en->declares.first)->deadline;
        if (en->declares_sent.first != NULL && !budget_is_pausing(l)) {
                const struct request *r = (const struct request *)en->declares_sent.first;
                return r->probe != 0 || r->reported ? 0 : r->deadline + DECLARE_LIMIT;
        }
        return 0;
}

void declarations_end(struct link *l)
{
        struct node *n;

        declarations_disconnected(l);
        while ((n = node_list_take(&l->engine.declares)) != NULL)
                fail_late(l, (struct request *)n);
}
