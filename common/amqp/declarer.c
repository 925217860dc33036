/* SPDX-License-Identifier: Apache-2.0
 *
 * declarer.c: declarations not yet sent, and those not yet answered.
 */
#include "common/amqp/declarer.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"

#define ANSWER_LIMIT ((msec)30000) /* after the deadline of a request that was sent */

struct declarer {
        bool channel_open;
        struct node_list waiting, sent;
        struct node_list ended;
};

struct declarer *declarer_create(void)
{
        return xcalloc(1, sizeof(struct declarer));
}

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
        r->arguments = (amqp_table_t){.num_entries = (int)count, .entries = entries};
        return r;
}

/* The owner was told already when the request is marked `reported`. */
static void finish(struct declarer *d, struct request *r)
{
        if (r->reported)
                free(r);
        else
                node_list_add(&d->ended, &r->notice.node);
}

struct request *declarer_take_ended(struct declarer *d)
{
        return (struct request *)node_list_take(&d->ended);
}

void declarer_take(struct declarer *d, struct node_list *more)
{
        node_list_append(&d->waiting, more);
}

void declarer_look_for(struct declarer *d, const char *queue, uint64_t look)
{
        struct request *r =
                request_create(&(struct declaration){.what = COUNT_QUEUE, .name = queue});

        r->look = look;
        r->deadline = INT64_MAX;
        node_list_add(&d->waiting, &r->notice.node);
}

bool declarer_has_work(const struct declarer *d)
{
        return d->waiting.first != NULL;
}

static int send_request(struct channel *ch, const struct request *r, struct err *e)
{
        /* A quorum queue closes the connection on if-unused: its consumers are counted first. */
        bool count = r->what == COUNT_QUEUE || (r->what == DELETE_QUEUE && !r->counted);
        amqp_exchange_declare_t exchange = {
                .exchange = r->name, .type = r->type, .durable = 1, .arguments = r->arguments};
        amqp_queue_declare_t queue = {
                .queue = r->name, .passive = count, .durable = 1, .arguments = r->arguments};
        amqp_queue_bind_t bind = {.queue = r->name,
                                  .exchange = r->source,
                                  .routing_key = r->key,
                                  .arguments = r->arguments};
        amqp_queue_unbind_t unbind = {.queue = r->name,
                                      .exchange = r->source,
                                      .routing_key = r->key,
                                      .arguments = r->arguments};
        amqp_exchange_delete_t delete_exchange = {.exchange = r->name};
        amqp_queue_delete_t delete_queue = {.queue = r->name};
        const struct {
                amqp_method_number_t id;
                void *method;
        } methods[] = {
                [DECLARE_EXCHANGE] = {AMQP_EXCHANGE_DECLARE_METHOD, &exchange},
                [DECLARE_QUEUE] = {AMQP_QUEUE_DECLARE_METHOD, &queue},
                [DECLARE_BINDING] = {AMQP_QUEUE_BIND_METHOD, &bind},
                [DELETE_BINDING] = {AMQP_QUEUE_UNBIND_METHOD, &unbind},
                [DELETE_EXCHANGE] = {AMQP_EXCHANGE_DELETE_METHOD, &delete_exchange},
                [DELETE_QUEUE] = {AMQP_QUEUE_DELETE_METHOD, &delete_queue},
                [COUNT_QUEUE] = {AMQP_QUEUE_DECLARE_METHOD, &queue},
        };
        enum declare_what what = count ? COUNT_QUEUE : r->what;

        return channel_send(ch, DECLARE_CHANNEL, methods[what].id, methods[what].method, e);
}

int declarer_write(struct declarer *d, struct channel *ch, struct err *e)
{
        struct node *n;

        if (d->waiting.first != NULL && !d->channel_open) {
                d->channel_open = true;
                if (channel_open(ch, DECLARE_CHANNEL, e) < 0)
                        return -1;
        }
        while ((n = node_list_take(&d->waiting)) != NULL) {
                node_list_add(&d->sent, n);
                if (send_request(ch, (struct request *)n, e) < 0)
                        return -1;
        }
        return 0;
}

static void delete_unless_used(struct declarer *d, struct request *r,
                               const amqp_queue_declare_ok_t *ok)
{
        struct node_list first = {0};

        if (ok->consumer_count > 0) {
                err_set(&r->why, ERR_CONFLICT, "it has %u consumers", ok->consumer_count);
                finish(d, r);
                return;
        }
        r->counted = true;
        node_list_add(&first, &r->notice.node);
        node_list_prepend(&d->waiting, &first);
}

int declarer_answered(struct declarer *d, const amqp_method_t *m, struct err *e)
{
        if (m->id == AMQP_CHANNEL_OPEN_OK_METHOD)
                return 0;
        struct request *r = (struct request *)node_list_take(&d->sent);
        if (r == NULL)
                return err_set(e, ERR_PROTOCOL, "an answer to no request");
        if (m->id == AMQP_QUEUE_DECLARE_OK_METHOD) {
                const amqp_queue_declare_ok_t *ok = m->decoded;
                if (r->what == DELETE_QUEUE) {
                        delete_unless_used(d, r, ok);
                        return 0;
                }
                r->messages = r->what == COUNT_QUEUE ? ok->message_count : 0;
                r->consumers = r->what == COUNT_QUEUE ? ok->consumer_count : 0;
        }
        finish(d, r);
        return 0;
}

static bool is_deletion(const struct request *r)
{
        return r->what == DELETE_EXCHANGE || r->what == DELETE_QUEUE || r->what == DELETE_BINDING;
}

int declarer_refused(struct declarer *d, const amqp_channel_close_t *why, struct channel *ch,
                     struct err *e)
{
        struct request *r = (struct request *)node_list_take(&d->sent);

        d->channel_open = false;
        node_list_prepend(&d->waiting, &d->sent);
        if (r != NULL) {
                if (why->reply_code != AMQP_NOT_FOUND || !is_deletion(r))
                        (void)wire_refusal(why->reply_code, why->reply_text, &r->why);
                finish(d, r);
        }
        return channel_closed(ch, DECLARE_CHANNEL, e);
}

/* Requests of declarer_look_for end; the others are sent again on the next connection. */
void declarer_disconnected(struct declarer *d)
{
        struct node_list all = {0};
        struct node *n;

        d->channel_open = false;
        node_list_append(&all, &d->sent);
        node_list_append(&all, &d->waiting);
        while ((n = node_list_take(&all)) != NULL) {
                struct request *r = (struct request *)n;
                if (r->look != 0 || r->reported)
                        free(r);
                else
                        node_list_add(&d->waiting, n);
        }
}

static void fail_late(struct declarer *d, struct request *r)
{
        err_set(&r->why, ERR_UNAVAILABLE, "no answer from the broker");
        finish(d, r);
}

/* The request stays in `sent` until its answer comes, so a copy of it is reported. */
static void report_late(struct declarer *d, struct request *r)
{
        struct request *copy = xcalloc(1, sizeof(*copy));

        copy->done = r->done;
        copy->owner = r->owner;
        r->reported = true;
        fail_late(d, copy);
}

void declarer_expire(struct declarer *d, msec now, bool paused)
{
        struct node_list all = {0};
        struct node *n;

        node_list_append(&all, &d->waiting);
        while ((n = node_list_take(&all)) != NULL) {
                if (((struct request *)n)->deadline <= now)
                        fail_late(d, (struct request *)n);
                else
                        node_list_add(&d->waiting, n);
        }
        if (paused)
                return;
        for (n = d->sent.first; n != NULL; n = n->next) {
                struct request *r = (struct request *)n;
                if (r->look == 0 && !r->reported && r->deadline + ANSWER_LIMIT <= now)
                        report_late(d, r);
        }
}

void declarer_skip_time(struct declarer *d, msec time)
{
        for (struct node *n = d->sent.first; n != NULL; n = n->next) {
                struct request *r = (struct request *)n;
                if (r->look == 0)
                        r->deadline += time;
        }
}

msec declarer_deadline(const struct declarer *d, bool paused)
{
        const struct request *sent = (const struct request *)d->sent.first;

        if (d->waiting.first != NULL)
                return ((const struct request *)d->waiting.first)->deadline;
        if (sent == NULL || paused || sent->look != 0 || sent->reported)
                return 0;
        return sent->deadline + ANSWER_LIMIT;
}

void declarer_end(struct declarer *d)
{
        struct node *n;

        declarer_disconnected(d);
        while ((n = node_list_take(&d->waiting)) != NULL)
                fail_late(d, (struct request *)n);
}

void declarer_destroy(struct declarer **d)
{
        free(TAKE(*d));
}
