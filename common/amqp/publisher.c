/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.c: publishes on the link's thread: written in batches, held until confirmed, returned,
 * refused or too old, and sent again after a reconnect when the link is asked to.
 */
#include <stdlib.h>
#include <string.h>

#include "common/amqp/link_parts.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"

/* Where a publish's copy of the message is being laid out. */
struct layout {
        size_t strings; /* bytes of all strings */
        bool too_long;
};

static amqp_bytes_t take_short(struct layout *lay, struct bytes b)
{
        lay->strings += b.length;
        lay->too_long = lay->too_long || b.length > SHORT_STRING_MAX;
        return wire_bytes(b);
}

static void set_property(struct layout *lay, amqp_basic_properties_t *p, amqp_flags_t flag,
                         amqp_bytes_t *field, struct bytes value)
{
        if (value.data == NULL)
                return;
        *field = take_short(lay, value);
        p->_flags |= flag;
}

static void set_properties(struct layout *lay, const struct link *l, const struct message *m,
                           amqp_basic_properties_t *p)
{
        set_property(lay, p, AMQP_BASIC_MESSAGE_ID_FLAG, &p->message_id, m->message_id);
        set_property(lay, p, AMQP_BASIC_TYPE_FLAG, &p->type, m->type);
        set_property(lay, p, AMQP_BASIC_CONTENT_TYPE_FLAG, &p->content_type, m->content_type);
        set_property(lay, p, AMQP_BASIC_APP_ID_FLAG, &p->app_id, m->app_id);
        set_property(lay, p, AMQP_BASIC_USER_ID_FLAG, &p->user_id, bytes_of_text(l->login));
        if (m->timestamp > 0) {
                p->timestamp = (uint64_t)m->timestamp;
                p->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        }
        if (m->delivery_mode != 0) {
                p->delivery_mode = m->delivery_mode;
                p->_flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
        }
        for (size_t i = 0; i < m->header_count; i++) {
                take_short(lay, m->headers[i].name);
                if (m->headers[i].kind == HEADER_STRING)
                        lay->strings += m->headers[i].text.length;
        }
}

static void place_header(char **at, const struct header *h, amqp_table_entry_t *entry)
{
        entry->key = wire_bytes(h->name);
        wire_place(at, &entry->key);
        if (h->kind == HEADER_STRING) {
                entry->value.kind = AMQP_FIELD_KIND_UTF8;
                entry->value.value.bytes = wire_bytes(h->text);
                wire_place(at, &entry->value.value.bytes);
        } else {
                entry->value.kind = AMQP_FIELD_KIND_I64;
                entry->value.value.i64 = h->number;
        }
}

static void place_headers(char **at, const struct message *m, amqp_table_entry_t *entries,
                          amqp_basic_properties_t *p)
{
        int count = 0;

        for (size_t i = 0; i < m->header_count; i++) {
                if (m->headers[i].kind == HEADER_INT || m->headers[i].kind == HEADER_STRING)
                        place_header(at, &m->headers[i], &entries[count++]);
        }
        p->headers = (amqp_table_t){.num_entries = count, .entries = entries};
        if (count > 0)
                p->_flags |= AMQP_BASIC_HEADERS_FLAG;
}

static int check_sizes(const struct layout *lay, const struct message *m, struct err *e)
{
        if (lay->too_long)
                return err_set(e, ERR_INVALID, "a name or property over %d bytes",
                               SHORT_STRING_MAX);
        if (lay->strings > PROPERTIES_MAX)
                return err_set(e, ERR_TOO_LARGE, "properties of %zu bytes", lay->strings);
        if (m->body.length > BODY_MAX)
                return err_set(e, ERR_TOO_LARGE, "a body of %zu bytes", m->body.length);
        return 0;
}

/* What is not the properties: names, body, or the raw list. */
static void place_rest(char **at, const struct message *m, struct publish *p)
{
        amqp_bytes_t *const texts[] = {&p->properties.message_id, &p->properties.type,
                                       &p->properties.content_type, &p->properties.app_id,
                                       &p->properties.user_id};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                wire_place(at, texts[i]);
        p->exchange = wire_bytes(m->exchange);
        wire_place(at, &p->exchange);
        p->routing_key = wire_bytes(m->routing_key);
        wire_place(at, &p->routing_key);
        p->raw = wire_bytes(m->properties);
        wire_place(at, &p->raw);
        p->body = wire_bytes(m->body);
        wire_place(at, &p->body);
}

struct publish *publish_create(const struct link *l, const struct message *m, struct err *e)
{
        bool raw = m->properties.data != NULL;
        size_t headers = raw ? 0 : m->header_count;
        struct layout lay = {.strings = m->properties.length};
        amqp_basic_properties_t properties = {0};

        if (raw && wire_check_properties(m->properties, e) < 0)
                return NULL;
        if (!raw)
                set_properties(&lay, l, m, &properties);
        take_short(&lay, m->exchange);
        take_short(&lay, m->routing_key);
        if (check_sizes(&lay, m, e) < 0)
                return NULL;

        size_t table = (headers + 1) * sizeof(amqp_table_entry_t);
        struct publish *p = xmalloc(sizeof(*p) + table + lay.strings + m->body.length);
        memset(p, 0, sizeof(*p));
        p->properties = properties;
        p->mandatory = m->mandatory;
        p->cost = lay.strings + m->body.length;
        amqp_table_entry_t *entries = (amqp_table_entry_t *)(p + 1);
        char *at = (char *)entries + table;
        if (!raw)
                place_headers(&at, m, entries, &p->properties);
        place_rest(&at, m, p);
        return p;
}

/* Says once that a publish sent again may be there already. */
static void add_again(struct publish *p)
{
        static const char name[] = "x-again";

        if (p->again || p->raw.len > 0)
                return;
        p->again = true;
        amqp_table_t *headers = &p->properties.headers;
        for (int i = 0; i < headers->num_entries; i++) {
                if (bytes_equal_text(wire_view(headers->entries[i].key), name))
                        return;
        }
        headers->entries[headers->num_entries++] = (amqp_table_entry_t){
                .key = amqp_cstring_bytes(name),
                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = 1},
        };
        p->properties._flags |= AMQP_BASIC_HEADERS_FLAG;
}

static void finish(struct link *l, struct publish *p, enum link_result result)
{
        if (p->probe) {
                feed_probed(l, result);
                free(p);
                return;
        }
        p->result = result;
        if (p->wait.done != NULL && !p->wait.direct) {
                engine_post(l, &p->notice, NOTICE_PUBLISHED);
                return;
        }
        atomic_fetch_sub(&l->in_flight, 1);
        atomic_fetch_sub(&l->in_flight_bytes, p->cost);
        if (p->wait.done != NULL)
                p->wait.done(p->wait.owner, result);
        free(p);
}

static struct publish **slot(const struct engine *en, uint64_t tag)
{
        return &en->ring[tag & (en->ring_size - 1)];
}

static void ring_grow(struct engine *en)
{
        size_t size = en->ring_size == 0 ? 1024 : en->ring_size * 2;
        struct publish **ring = xcalloc(size, sizeof(struct publish *));

        for (uint64_t tag = en->first_tag; tag < en->next_tag; tag++)
                ring[tag & (size - 1)] = *slot(en, tag);
        free(en->ring);
        en->ring = ring;
        en->ring_size = size;
}

static void ring_add(struct engine *en, struct publish *p)
{
        if (en->next_tag - en->first_tag >= en->ring_size)
                ring_grow(en);
        *slot(en, en->next_tag++) = p;
}

static void ring_advance(struct engine *en)
{
        while (en->first_tag < en->next_tag && *slot(en, en->first_tag) == NULL)
                en->first_tag++;
}

static void finish_tag(struct link *l, uint64_t tag, enum link_result result)
{
        struct publish *p = *slot(&l->engine, tag);

        if (p == NULL)
                return;
        *slot(&l->engine, tag) = NULL;
        if (l->engine.careful > 0 && !p->probe)
                l->engine.careful--;
        finish(l, p, p->returned && result == LINK_CONFIRMED ? LINK_RETURNED : result);
}

void publisher_confirm(struct link *l, uint64_t tag, bool multiple, enum link_result result)
{
        struct engine *en = &l->engine;

        if (multiple && tag == 0)
                tag = en->next_tag - 1;
        if (tag < en->first_tag || tag >= en->next_tag)
                return; /* of a publish that expired */
        for (uint64_t t = multiple ? en->first_tag : tag; t <= tag; t++)
                finish_tag(l, t, result);
        ring_advance(en);
}

static bool same(amqp_bytes_t a, amqp_bytes_t b)
{
        return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

/* A return carries no tag. Returns come in the order of publishing, so it is the oldest that looks
 * the same. */
void publisher_return(struct link *l, const struct assembly *a)
{
        struct engine *en = &l->engine;
        amqp_bytes_t body = {.len = a->size, .bytes = a->own_body};

        for (uint64_t tag = en->first_tag; tag < en->next_tag; tag++) {
                struct publish *p = *slot(en, tag);
                if (p != NULL && p->mandatory && !p->returned &&
                    same(p->routing_key, a->back.routing_key) &&
                    same(p->exchange, a->back.exchange) &&
                    (p->raw.len > 0 || same(p->properties.message_id, a->message_id)) &&
                    same(p->body, body)) {
                        p->returned = true;
                        return;
                }
        }
}

void publisher_take(struct link *l, struct node_list *more)
{
        if (more->first == NULL)
                return;
        if (!l->resend) {
                msec now = clock_mono();
                for (struct node *n = more->first; n != NULL; n = n->next)
                        ((struct publish *)n)->since = now;
        }
        node_list_append(&l->engine.waiting, more);
}

static int write_one(struct link *l, struct publish *p, msec now)
{
        p->written = true;
        if (l->resend)
                p->since = now;
        ring_add(&l->engine, p);
        return outgoing_publish(l, p);
}

int publisher_probe(struct link *l)
{
        struct bytes stream = bytes_of_text(l->stream);
        struct message m = {.exchange = stream,
                            .routing_key = bytes_of_text(""),
                            .type = bytes_of_text("probe"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE), /* of none */
                            .timestamp = -1,
                            .delivery_mode = 2,
                            .mandatory = true,
                            .body = bytes_of_text("")};
        struct publish *p = publish_create(l, &m, &l->engine.why);

        if (p == NULL)
                return -1;
        p->probe = p->written = true;
        p->since = clock_mono();
        ring_add(&l->engine, p);
        int result = outgoing_publish(l, p);
        return result < 0 ? result : outgoing_flush(l);
}

static bool is_tls(const struct link *l)
{
        return l->addresses[l->engine.address].tls;
}

/* rabbitmq-c 0.11 reads in a publish when it has not for two heartbeats, and may hang there: over
 * TLS, where it is the library that publishes, nothing is while reading is paused. */
bool publisher_may_write(const struct link *l)
{
        const struct engine *en = &l->engine;

        if (en->waiting.first == NULL || en->blocked || !feed_is_open(l))
                return false;
        if (budget_is_pausing(l) && is_tls(l))
                return false;
        return en->careful == 0 || en->first_tag == en->next_tag;
}

int publisher_write(struct link *l)
{
        struct engine *en = &l->engine;
        int result = 0;

        if (!publisher_may_write(l))
                return 0;
        msec now = clock_mono();
        bool tls = is_tls(l);
        if (tls)
                connection_cork(l, true);
        for (int i = 0; i < PUBLISH_BATCH && result == 0 && publisher_may_write(l); i++)
                result = write_one(l, (struct publish *)node_list_take(&en->waiting), now);
        if (tls)
                connection_cork(l, false);
        else if (result == 0)
                result = outgoing_flush(l);
        return result;
}

void publisher_set_blocked(struct link *l, bool blocked)
{
        struct engine *en = &l->engine;

        en->blocked = blocked;
        if (blocked || !l->resend)
                return;
        msec now = clock_mono(); /* their time did not run while the broker did not read */
        for (uint64_t tag = en->first_tag; tag < en->next_tag; tag++) {
                struct publish *p = *slot(en, tag);
                if (p != NULL)
                        p->since = now;
        }
}

static void skip_time(struct publish *p, msec from, msec now)
{
        p->since = p->since < from ? p->since + (now - from) : now;
}

void publisher_skip_time(struct link *l, msec from, msec now)
{
        struct engine *en = &l->engine;

        for (uint64_t tag = en->first_tag; tag < en->next_tag; tag++) {
                if (*slot(en, tag) != NULL)
                        skip_time(*slot(en, tag), from, now);
        }
        if (l->resend)
                return;
        for (struct node *n = en->waiting.first; n != NULL; n = n->next)
                skip_time((struct publish *)n, from, now);
}

static void take_back(struct link *l, struct node_list *list)
{
        struct engine *en = &l->engine;

        for (uint64_t tag = en->first_tag; tag < en->next_tag; tag++) {
                struct publish *p = *slot(en, tag);
                *slot(en, tag) = NULL;
                if (p != NULL && p->probe)
                        free(p);
                else if (p != NULL)
                        node_list_add(list, &p->notice.node);
        }
        en->first_tag = en->next_tag = 1;
}

static void finish_all(struct link *l, struct node_list *list, enum link_result result)
{
        struct node *n;

        while ((n = node_list_take(list)) != NULL)
                finish(l, (struct publish *)n, result);
}

/* One refused publish closes the channel for all, and the broker does not say which it was. So they
 * are sent again one by one, and the one whose channel is closed while it is alone was it. */
static void find_refused(struct link *l, struct node_list *unconfirmed)
{
        struct engine *en = &l->engine;

        if (unconfirmed->first != NULL && unconfirmed->first == unconfirmed->last) {
                finish_all(l, unconfirmed, LINK_RETURNED);
                if (en->careful > 0)
                        en->careful--;
                return;
        }
        for (struct node *n = unconfirmed->first; n != NULL; n = n->next)
                en->careful++;
}

void publisher_disconnected(struct link *l, bool refused)
{
        struct engine *en = &l->engine;
        struct node_list unconfirmed = {0};

        buffer_clear(&en->out);
        take_back(l, &unconfirmed);
        if (!l->resend) {
                en->careful = 0;
                finish_all(l, &unconfirmed, LINK_CLOSED);
                finish_all(l, &en->waiting, LINK_CLOSED);
                return;
        }
        if (refused)
                find_refused(l, &unconfirmed);
        for (struct node *n = unconfirmed.first; n != NULL; n = n->next) {
                struct publish *p = (struct publish *)n;
                add_again(p);
                p->written = p->returned = false;
        }
        node_list_prepend(&en->waiting, &unconfirmed);
}

/* Only one that was written ages on a link that sends again: the others wait for the connection. */
void publisher_expire(struct link *l, msec now)
{
        struct engine *en = &l->engine;
        msec oldest = now - l->confirm_timeout;

        if ((l->resend && en->blocked) || budget_is_pausing(l))
                return;
        while (en->first_tag < en->next_tag && (*slot(en, en->first_tag))->since <= oldest) {
                finish_tag(l, en->first_tag, LINK_EXPIRED);
                ring_advance(en);
        }
        if (l->resend)
                return;
        while (en->waiting.first != NULL && ((struct publish *)en->waiting.first)->since <= oldest)
                finish(l, (struct publish *)node_list_take(&en->waiting), LINK_EXPIRED);
}

msec publisher_deadline(const struct link *l)
{
        const struct engine *en = &l->engine;

        if ((l->resend && en->blocked) || budget_is_pausing(l))
                return 0;
        if (en->first_tag < en->next_tag)
                return (*slot(en, en->first_tag))->since + l->confirm_timeout;
        if (!l->resend && en->waiting.first != NULL)
                return ((const struct publish *)en->waiting.first)->since + l->confirm_timeout;
        return 0;
}

bool publisher_is_idle(const struct link *l)
{
        return l->engine.waiting.first == NULL && l->engine.first_tag == l->engine.next_tag;
}

void publisher_end(struct link *l)
{
        struct node_list unconfirmed = {0};

        take_back(l, &unconfirmed);
        finish_all(l, &unconfirmed, LINK_CLOSED);
        finish_all(l, &l->engine.waiting, LINK_CLOSED);
        free(TAKE(l->engine.ring));
        l->engine.ring_size = 0;
        buffer_fini(&l->engine.out);
}
