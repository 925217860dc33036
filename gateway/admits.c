/* SPDX-License-Identifier: Apache-2.0
 *
 * admits.c: publishes what this gateway admitted, and reads what others did.
 *
 * One record at a time is on its way, and each has a number. So one that is published again is
 * counted once, and after each reconnect the whole stream is read again: what was missed counts, at
 * the time it was admitted.
 */
#include "gateway/admits.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "common/amqp/outbox.h"
#include "common/amqp/pack.h"
#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/uuid.h"
#include "gateway/admit_record.h"
#include "gateway/senders.h"

enum {
        TELL_EVERY_MS = 50,
        LEVELS_EVERY_MS = 10 * MSEC_MINUTE, /* the stream keeps an hour */
        LEVELS_AGAIN_MS = 10 * MSEC_SECOND, /* for gateways that start: not more often */
        LEVELS_PACK = 128,                  /* buckets looked at without a pause for submissions */
        STALL_MS = 10 * MSEC_SECOND,        /* without a record to read */
        CATCH_UP_MAX_MS = MSEC_MINUTE,
        PREFETCH = 512,
        READ_BYTES = 4 * 1024 * 1024, /* else a prefetch of messages as large as the broker takes */
        LINK_NAME_SIZE = 160
};

/* A record from when it is made until the broker has it. */
struct telling {
        struct publication publication; /* first: the publication is the telling */
        struct buffer body;
        struct telling *prev, *next;
};

struct admits {
        char name[ADMIT_GATEWAY_SIZE]; /* of this process, never used again */
        struct limiter *limiter;
        struct control *control; /* NULL before admits_begin */
        /* telling */
        struct link *publisher;
        struct outbox *outbox;
        struct alarm *tick;
        struct admit_record *draft;
        struct telling *waiting; /* in their order */
        struct telling *sent;
        int64_t last_n;
        msec levels_at; /* monotonic: they were told last; 0: they are due */
        bool newcomer;  /* a gateway has started since */
        /* reading */
        struct link *reader;
        struct subscription *subscription;
        struct alarm *patience; /* until the gateway goes on without having caught up */
        struct senders *senders;
        struct admit_record *read;
        bool live;          /* what is read now was published just now */
        int64_t live_after; /* an own record after this one shows it */
        msec begun;         /* monotonic */
        uint64_t messages;  /* that were read */
        uint64_t seen;      /* of them, when `patience` was set */
        uint64_t ignored;
        /* stopping */
        struct alarm *limit;
        void (*finished)(void *owner);
        void *finished_owner;
        /* written on the loop's thread, read on any */
        atomic_bool ready;
};

/* ---- telling ---- */

static void telling_free(struct telling *t)
{
        buffer_fini(&t->body);
        free(t);
}

static void encode(const struct publication *publication, bool again, msec now,
                   struct job_message *out)
{
        const struct telling *t = (const struct telling *)publication;
        struct message *m = &out->message;

        memset(m, 0, offsetof(struct message, headers));
        m->exchange = bytes_of_text("admits");
        m->routing_key = bytes_of_text("");
        m->content_type = bytes_of_text("application/json");
        m->timestamp = now / MSEC_SECOND;
        m->delivery_mode = 2;
        m->mandatory = true; /* so that a missing stream is noticed */
        m->header_count = 0;
        m->properties = (struct bytes){0};
        m->body = buffer_bytes(&t->body);
        if (again)
                message_add_int(m, "x-again", 1);
}

static void end_finish(struct admits *a)
{
        void (*finished)(void *owner) = TAKE(a->finished);

        alarm_stop(a->limit);
        finished(a->finished_owner);
}

static void on_limit(void *owner)
{
        end_finish(owner);
}

static void send_next(struct admits *a)
{
        if (a->sent != NULL || a->waiting == NULL)
                return;
        a->sent = a->waiting;
        DL_DELETE(a->waiting, a->sent);
        outbox_post(a->outbox, &a->sent->publication);
}

static void on_confirmed(void *owner, struct publication *publication)
{
        struct admits *a = owner;

        assert(publication == &a->sent->publication);
        telling_free(TAKE(a->sent));
        send_next(a);
        if (a->finished != NULL && a->sent == NULL)
                end_finish(a);
}

static void draft_begin(struct admits *a, msec at)
{
        a->draft->n = ++a->last_n;
        a->draft->at = at;
        a->draft->admitted.count = a->draft->levels.count = 0;
}

static void draft_end(struct admits *a)
{
        struct telling *t = xcalloc(1, sizeof(*t));

        t->publication =
                (struct publication){.encode = encode, .confirmed = on_confirmed, .owner = a};
        admit_record_write(a->draft, &t->body);
        DL_APPEND(a->waiting, t);
}

static void add_admitted(void *owner, const char *tenant, int64_t count)
{
        struct admits *a = owner;

        admit_list_add(&a->draft->admitted, tenant, count);
}

/* A record that was delayed has the time of its first submission: what others take from their
 * buckets then has refilled since as it has here. */
static void tell_admitted(struct admits *a)
{
        msec since = 0;

        do {
                draft_begin(a, 0);
                since = limiter_collect(a->limiter, ADMIT_ENTRIES_MAX, add_admitted, a);
                a->draft->at = clock_wall() - (clock_mono() - since);
                if (since != 0)
                        draft_end(a);
                else
                        a->last_n--;
        } while (since != 0);
}

static void add_level(void *owner, const char *tenant, int64_t full_in)
{
        struct admits *a = owner;

        admit_list_add(&a->draft->levels, tenant, full_in);
}

/* Also when there are none: a record of its own shows a gateway that it has caught up. */
static void tell_levels(struct admits *a)
{
        char last[TENANT_SIZE] = "";
        msec now = clock_mono();

        draft_begin(a, clock_wall());
        while (limiter_levels(a->limiter, now, &(struct limiter_pack){LEVELS_PACK, last}, add_level,
                              a)) {
                if (a->draft->levels.count <= ADMIT_ENTRIES_MAX - LEVELS_PACK)
                        continue;
                draft_end(a);
                draft_begin(a, a->draft->at);
        }
        draft_end(a);
        a->levels_at = now;
        a->newcomer = false;
}

static bool levels_are_due(const struct admits *a)
{
        msec every = a->newcomer ? LEVELS_AGAIN_MS : LEVELS_EVERY_MS;

        return a->levels_at == 0 || clock_mono() - a->levels_at >= every;
}

static void tell(struct admits *a)
{
        tell_admitted(a);
        if (levels_are_due(a))
                tell_levels(a);
        send_next(a);
}

/* Nothing is collected for a broker that does not take it. */
static void on_tick(void *owner)
{
        struct admits *a = owner;

        if (a->control != NULL && a->sent == NULL && link_is_up(a->publisher))
                tell(a);
}

/* The others may have missed records, or the stream was made anew. */
static void on_publisher_up(void *owner)
{
        struct admits *a = owner;

        a->levels_at = 0;
}

static void on_publisher_down(void *owner, const struct err *why)
{
        (void)owner;
        LOG_WARN("other gateways cannot be told what this one admits", log_err(why));
}

bool admits_is_up(const struct admits *a)
{
        return link_is_up(a->publisher);
}

void admits_finish(struct admits *a, msec limit, void (*done)(void *owner), void *owner)
{
        if (a->control == NULL || !link_is_up(a->publisher)) {
                done(owner);
                return;
        }
        alarm_stop(a->tick);
        a->finished = done;
        a->finished_owner = owner;
        alarm_set(a->limit, limit);
        a->levels_at = 0;
        tell(a);
}

/* ---- reading ---- */

static void charge(struct admits *a, const struct admit_record *r, msec at)
{
        struct tenant_record t;

        for (size_t i = 0; i < r->admitted.count; i++) {
                const struct admit_entry *entry = &r->admitted.entries[i];
                if (control_tenant(a->control, entry->tenant, &t))
                        limiter_charge(a->limiter, &t, entry->value, at);
        }
        for (size_t i = 0; i < r->levels.count; i++) {
                const struct admit_entry *entry = &r->levels.entries[i];
                if (control_tenant(a->control, entry->tenant, &t))
                        limiter_raise(a->limiter, &t, entry->value, at);
        }
}

static void become_ready(struct admits *a)
{
        alarm_stop(a->patience);
        atomic_store(&a->ready, true);
}

static void on_patience(void *owner)
{
        struct admits *a = owner;

        if (a->messages != a->seen && clock_mono() - a->begun < CATCH_UP_MAX_MS) {
                a->seen = a->messages;
                alarm_set(a->patience, STALL_MS);
                return;
        }
        LOG_WARN("what was admitted before this gateway started is not known yet; it goes on "
                 "without: tenants may exceed their rates once");
        become_ready(a);
}

static void on_own_record(struct admits *a, int64_t n)
{
        if (a->live || n <= a->live_after)
                return;
        a->live = true;
        a->levels_at =
                0; /* due: what is older than the stream's hour is kept by telling it again */
        become_ready(a);
        LOG_INFO("what was admitted before has been read");
}

/* A gateway that starts cannot tell how old records are whose clock differs from its own. So it is
 * told the levels anew. */
static void on_record_of_other(struct admits *a, const struct admit_record *r)
{
        msec age = 0;

        if (!senders_accept(a->senders, r, clock_wall(), a->live, &age))
                return;
        charge(a, r, clock_mono() - age);
        a->newcomer |= a->live && r->n == 1;
}

static void ignore(struct admits *a, const struct message *m, const struct err *why)
{
        a->ignored++;
        /* Not one line for each of very many: after 1, 2, 4, 8 … of them. */
        if ((a->ignored & (a->ignored - 1)) == 0)
                LOG_WARN("a message of stream admits is ignored", log_err(why),
                         log_bytes("login", m->user_id), log_int("ignored", (int64_t)a->ignored));
}

static void on_record(struct admits *a, const struct message *m)
{
        struct admit_record *r = a->read;
        struct err e = {0};

        if (!bytes_equal_text(m->user_id, PACK_LOGIN)) {
                err_set(&e, ERR_FORBIDDEN, "it is not of the gateways' login");
                ignore(a, m, &e);
        } else if (admit_record_read(m->body, r, &e) != 0) {
                ignore(a, m, &e);
        } else if (strcmp(r->gateway, a->name) == 0) {
                on_own_record(a, r->n);
        } else {
                on_record_of_other(a, r);
        }
}

static void on_delivery(void *owner, struct delivery *d)
{
        struct admits *a = owner;

        a->messages++;
        if (d->message.body.length > 0) /* not a link's probe */
                on_record(a, &d->message);
        link_settle(&d, SETTLE_ACK);
}

/* Also at a reconnect: the stream may have been deleted and made again, with fewer messages. Old
 * records come then, until one that is told from now on. */
static enum source_start from_first(void *owner, int64_t *offset)
{
        struct admits *a = owner;

        (void)offset;
        a->live = false;
        a->live_after = a->last_n;
        a->levels_at = 0;
        return SOURCE_FIRST;
}

static void on_refused(void *owner, struct subscription *s, const struct err *why)
{
        (void)owner;
        (void)s;
        LOG_WARN("stream admits cannot be read and is tried again", log_err(why));
}

bool admits_is_ready(const struct admits *a, struct err *why)
{
        if (!atomic_load(&a->ready))
                err_set(why, ERR_UNAVAILABLE,
                        "what was admitted before has not been read from the broker yet");
        return atomic_load(&a->ready);
}

void admits_begin(struct admits *a, struct control *control)
{
        const struct source source = {
                .queue = "admits", .prefetch = PREFETCH, .stream = true, .start = from_first};

        assert(a->control == NULL);
        a->control = control;
        a->subscription = link_subscribe(a->reader, &source, on_delivery, a);
        a->begun = clock_mono();
        alarm_set(a->patience, STALL_MS);
        alarm_set_every(a->tick, TELL_EVERY_MS);
}

/* ---- both ---- */

static int create_links(struct admits *a, const struct admits_config *config, uv_loop_t *loop,
                        struct err *e)
{
        static const struct link_events publishing = {.up = on_publisher_up,
                                                      .down = on_publisher_down};
        static const struct link_events reading = {.refused = on_refused};
        char name[LINK_NAME_SIZE];
        struct link_config c = *config->link;

        c.name = name;
        snprintf(name, sizeof(name), "%s admits", config->gateway);
        c.read_bytes = READ_BYTES;
        a->reader = link_create(&c, &reading, a, loop, e);
        if (a->reader == NULL)
                return -1;
        snprintf(name, sizeof(name), "%s admitted", config->gateway);
        c.read_bytes = 0;
        c.stream = "admits";
        c.resend = true;
        a->publisher = link_create(&c, &publishing, a, loop, e);
        return a->publisher != NULL ? 0 : -1;
}

/* gateway@host-a → host-a/12/9f3ac2d1: a process id alone comes again, in a container always. */
static void name_process(struct admits *a, const char *gateway)
{
        const char *at = strchr(gateway, '@');
        char unique[UUID_SIZE];

        uuid7(unique);
        snprintf(a->name, sizeof(a->name), "%s/%d/%s", at != NULL ? at + 1 : gateway, (int)getpid(),
                 unique + sizeof(unique) - 1 - 8);
}

struct admits *admits_create(const struct admits_config *config, uv_loop_t *loop, struct err *e)
{
        AUTO(admits) a = xcalloc(1, sizeof(*a));

        a->limiter = config->limiter;
        name_process(a, config->gateway);
        a->draft = xcalloc(1, sizeof(*a->draft));
        a->read = xcalloc(1, sizeof(*a->read));
        memcpy(a->draft->gateway, a->name, sizeof(a->name));
        a->senders = senders_create();
        a->tick = alarm_create(loop, on_tick, a);
        a->patience = alarm_create(loop, on_patience, a);
        a->limit = alarm_create(loop, on_limit, a);
        if (create_links(a, config, loop, e) < 0)
                return NULL;
        a->outbox = outbox_create(a->publisher, loop, NULL, NULL);
        return TAKE(a);
}

void admits_destroy(struct admits **admits)
{
        struct admits *a = TAKE(*admits);
        struct telling *t = NULL;
        struct telling *next = NULL;

        if (a == NULL)
                return;
        link_unsubscribe(&a->subscription);
        link_destroy(&a->reader);
        link_destroy(&a->publisher);
        outbox_destroy(&a->outbox);
        alarm_destroy(&a->tick);
        alarm_destroy(&a->patience);
        alarm_destroy(&a->limit);
        DL_FOREACH_SAFE (a->waiting, t, next)
                telling_free(t);
        if (a->sent != NULL)
                telling_free(a->sent);
        senders_destroy(&a->senders);
        free(a->draft);
        free(a->read);
        free(a);
}
