/* SPDX-License-Identifier: Apache-2.0
 *
 * link_driver.c: a link driven by commands. It reads them from stdin, one JSON object per line, and
 * prints everything that happens to its link, one JSON object per line. End of input destroys the
 * link and ends the program.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include <uv.h>

#include "common/amqp/link.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "tests/harness/err_word.h"

struct driver;

struct held {
        struct delivery *delivery;
        struct held *prev, *next;
};

struct follower {
        struct driver *driver;
        struct subscription *subscription;
        char *name;
        bool hold, requeue;
        int64_t next; /* a stream: the offset to resume at; -1: the first, -2: the next */
        struct held *held;
        struct follower *prev, *following;
};

/* Publishes that wait for room in the window. */
struct pump {
        char *exchange, *key, *prefix;
        int64_t next, count;
        size_t size;
        bool mandatory;
        struct pump *prev, *following;
};

struct driver {
        uv_loop_t *loop;
        uv_pipe_t input;
        struct link *link;
        struct buffer line;
        struct follower *followers;
        struct pump *pumps;
        bool blocked;
        uv_timer_t timer; /* runs the pumps while nothing else happens */
};

struct outcome {
        struct driver *driver;
        char id[64];
};

static const char *const result_words[] = {
        [LINK_CONFIRMED] = "confirmed", [LINK_RETURNED] = "returned", [LINK_NACKED] = "nacked",
        [LINK_EXPIRED] = "expired",     [LINK_CLOSED] = "closed",
};

static void say(json_t *event)
{
        json_dumpf(event, stdout, JSON_COMPACT);
        fputc('\n', stdout);
        json_decref(event);
}

static json_t *why_json(const struct err *why)
{
        return json_pack("{s:s,s:s}", "code", err_code_word(why->code), "text", why->text);
}

static void on_up(void *owner)
{
        (void)owner;
        say(json_pack("{s:s}", "event", "up"));
}

static void on_down(void *owner, const struct err *why)
{
        (void)owner;
        say(json_pack("{s:s,s:o}", "event", "down", "why", why_json(why)));
}

static void on_blocked(void *owner, bool blocked)
{
        struct driver *d = owner;

        d->blocked = blocked;
        say(json_pack("{s:s,s:b}", "event", "blocked", "blocked", blocked));
}

static void on_refused(void *owner, struct subscription *s, const struct err *why)
{
        struct driver *d = owner;
        const struct follower *f;

        DL_FOREACH2 (d->followers, f, following) {
                if (f->subscription == s)
                        say(json_pack("{s:s,s:s,s:o}", "event", "refused", "name", f->name, "why",
                                      why_json(why)));
        }
}

static void pump_free(struct pump *p)
{
        free(p->exchange);
        free(p->key);
        free(p->prefix);
        free(p);
}

static void run_pumps(struct driver *d);

static void on_outcome(void *owner, enum link_result result)
{
        struct outcome *o = owner;
        struct driver *d = o->driver;

        say(json_pack("{s:s,s:s}", "outcome", result_words[result], "id", o->id));
        free(o);
        run_pumps(d);
}

/* Returns false when the window is full. */
static bool publish_one(struct driver *d, const struct pump *p, struct err *e)
{
        AUTO_FREE char *body = xcalloc(1, p->size + 1);
        struct outcome *o = xcalloc(1, sizeof(*o));
        struct message m = {.exchange = bytes_of_text(p->exchange),
                            .routing_key = bytes_of_text(p->key),
                            .content_type = bytes_of_text("application/json"),
                            .type = bytes_of_text("test"),
                            .delivery_mode = 2,
                            .mandatory = p->mandatory};

        o->driver = d;
        snprintf(o->id, sizeof(o->id), "%s-%" PRId64, p->prefix, p->next);
        m.message_id = bytes_of_text(o->id);
        memset(body, 'x', p->size);
        m.body = bytes_of(body, p->size);
        message_add_int(&m, "x-attempt", p->next);
        struct publish_wait wait = {.done = on_outcome, .owner = o};
        if (link_publish(d->link, &m, &wait, e) == 0)
                return true;
        free(o);
        return false;
}

static void run_pumps(struct driver *d)
{
        struct pump *p, *next;

        if (d->link == NULL)
                return;
        DL_FOREACH_SAFE2 (d->pumps, p, next, following) {
                struct err e = {0};
                while (p->next < p->count && publish_one(d, p, &e))
                        p->next++;
                if (p->next < p->count && e.code != ERR_INVALID)
                        return;
                if (p->next < p->count)
                        say(json_pack("{s:s,s:o}", "unpublished", p->prefix, "why", why_json(&e)));
                DL_DELETE2(d->pumps, p, prev, following);
                pump_free(p);
        }
}

static void on_timer(uv_timer_t *timer)
{
        run_pumps(timer->data);
        fflush(stdout);
}

static const char *text_of(const json_t *command, const char *key, const char *fallback)
{
        const char *value = json_string_value(json_object_get(command, key));

        return value == NULL ? fallback : value;
}

static int64_t int_of(const json_t *command, const char *key, int64_t fallback)
{
        const json_t *value = json_object_get(command, key);

        return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static bool true_of(const json_t *command, const char *key)
{
        return json_is_true(json_object_get(command, key));
}

/* "once" does not wait for room: a refused publish is printed and dropped. */
static void do_publish(struct driver *d, const json_t *command)
{
        struct pump *p = xcalloc(1, sizeof(*p));

        p->exchange = xstrdup(text_of(command, "exchange", ""));
        p->key = xstrdup(text_of(command, "key", ""));
        p->prefix = xstrdup(text_of(command, "prefix", "m"));
        p->count = int_of(command, "count", 1);
        p->size = (size_t)int_of(command, "size", 16);
        p->mandatory = true_of(command, "mandatory");
        if (!true_of(command, "once")) {
                DL_APPEND2(d->pumps, p, prev, following);
                run_pumps(d);
                return;
        }
        for (; p->next < p->count; p->next++) {
                struct err e = {0};
                if (!publish_one(d, p, &e))
                        say(json_pack("{s:s,s:I,s:o}", "event", "not_published", "n",
                                      (json_int_t)p->next, "why", why_json(&e)));
        }
        pump_free(p);
}

static void settle_or_hold(struct follower *f, struct delivery *delivery)
{
        if (!f->hold) {
                link_settle(&delivery, f->requeue ? SETTLE_REQUEUE : SETTLE_ACK);
                return;
        }
        struct held *h = xcalloc(1, sizeof(*h));
        h->delivery = delivery;
        DL_APPEND(f->held, h);
}

static void on_delivery(void *owner, struct delivery *delivery)
{
        struct follower *f = owner;
        const struct message *m = &delivery->message;
        json_t *event = json_pack("{s:s,s:s#,s:b,s:b,s:I}", "from", f->name, "delivery",
                                  m->message_id.data == NULL ? "" : m->message_id.data,
                                  m->message_id.length, "redelivered", delivery->redelivered,
                                  "again", message_header_int(m, "x-again", 0) == 1, "offset",
                                  (json_int_t)delivery->offset);

        if (delivery->offset >= 0)
                f->next = delivery->offset + 1;
        say(event);
        settle_or_hold(f, delivery);
}

/* The follower resumes after the last message it has, so the first message there is the unreadable
 * one. */
static enum source_start where(void *owner, int64_t *offset)
{
        struct follower *f = owner;
        int64_t unreadable =
                f->subscription == NULL ? -1 : subscription_unreadable(f->subscription, -1);

        if (unreadable >= 0 && unreadable >= f->next)
                f->next = unreadable + 1;
        *offset = f->next;
        return f->next == -1 ? SOURCE_FIRST : f->next == -2 ? SOURCE_NEXT : SOURCE_OFFSET;
}

static void do_subscribe(struct driver *d, const json_t *command)
{
        struct follower *f = xcalloc(1, sizeof(*f));

        f->driver = d;
        f->name = xstrdup(text_of(command, "name", "s"));
        f->hold = true_of(command, "hold");
        f->requeue = true_of(command, "requeue");
        f->next = int_of(command, "start", -1);
        struct source source = {.queue = text_of(command, "queue", "q"),
                                .prefetch = (uint16_t)int_of(command, "prefetch", 100),
                                .priority = (int32_t)int_of(command, "priority", 0),
                                .stream = true_of(command, "stream"),
                                .start = where};
        f->subscription = link_subscribe(d->link, &source, on_delivery, f);
        DL_APPEND2(d->followers, f, prev, following);
}

static struct follower *follower_of(struct driver *d, const json_t *command)
{
        const char *name = text_of(command, "name", "s");
        struct follower *f;

        DL_FOREACH2 (d->followers, f, following) {
                if (strcmp(f->name, name) == 0)
                        return f;
        }
        return NULL;
}

/* Settles `count` held deliveries (all when absent), from the front or from the back. */
static void settle_held(struct follower *f, int64_t count, bool from_back, enum settle how)
{
        while (f->held != NULL && count-- > 0) {
                struct held *h = from_back ? f->held->prev : f->held;
                DL_DELETE(f->held, h); /* NOLINT(clang-analyzer-core.NullDereference) */
                link_settle(&h->delivery, how);
                free(h);
        }
}

static void do_settle(struct driver *d, const json_t *command)
{
        struct follower *f = follower_of(d, command);

        if (f != NULL)
                settle_held(f, int_of(command, "count", INT64_MAX), true_of(command, "back"),
                            true_of(command, "requeue") ? SETTLE_REQUEUE : SETTLE_ACK);
}

static void do_unsubscribe(struct driver *d, const json_t *command)
{
        struct follower *f = follower_of(d, command);

        if (f != NULL)
                link_unsubscribe(&f->subscription);
}

static void on_declared(void *owner, const struct err *why, uint32_t messages, uint32_t consumers)
{
        AUTO_FREE char *name = owner;

        say(json_pack("{s:s,s:s,s:I,s:I}", "declared", name, "code",
                      why == NULL ? "none" : err_code_word(why->code), "messages",
                      (json_int_t)messages, "consumers", (json_int_t)consumers));
}

static void do_declare(struct driver *d, const json_t *command)
{
        static const char *const words[] = {
                [DECLARE_EXCHANGE] = "exchange", [DECLARE_QUEUE] = "queue",
                [DECLARE_BINDING] = "binding",   [DELETE_EXCHANGE] = "delete_exchange",
                [DELETE_QUEUE] = "delete_queue", [DELETE_BINDING] = "delete_binding",
                [COUNT_QUEUE] = "count",
        };
        const char *what = text_of(command, "what", "");
        struct argument arguments[] = {
                {.name = "x-queue-type", .text = text_of(command, "queue_type", "quorum")},
                {.name = NULL}};
        struct declaration declaration = {.name = text_of(command, "name", ""),
                                          .type = text_of(command, "type", "direct"),
                                          .source = text_of(command, "source", ""),
                                          .key = text_of(command, "key", "")};

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (strcmp(words[i], what) == 0)
                        declaration.what = (enum declare_what)i;
        }
        if (declaration.what == DECLARE_QUEUE)
                declaration.arguments = arguments;
        link_declare(d->link, &declaration, on_declared, xstrdup(declaration.name));
}

static void on_drained(void *owner, bool clean)
{
        (void)owner;
        say(json_pack("{s:s,s:b}", "event", "drained", "clean", clean));
}

static void do_state(struct driver *d)
{
        struct err why = {0};

        (void)link_is_ready(d->link, &why);
        say(json_pack("{s:s,s:I,s:b,s:b,s:s}", "event", "state", "in_flight",
                      (json_int_t)link_in_flight(d->link), "up", link_is_up(d->link), "is_blocked",
                      d->blocked, "missing", why.text));
}

static void obey(struct driver *d, const json_t *command)
{
        const char *what = text_of(command, "do", "");

        if (strcmp(what, "publish") == 0)
                do_publish(d, command);
        else if (strcmp(what, "subscribe") == 0)
                do_subscribe(d, command);
        else if (strcmp(what, "unsubscribe") == 0)
                do_unsubscribe(d, command);
        else if (strcmp(what, "settle") == 0)
                do_settle(d, command);
        else if (strcmp(what, "declare") == 0)
                do_declare(d, command);
        else if (strcmp(what, "drain") == 0)
                link_drain(d->link, int_of(command, "limit", 5000), on_drained, d);
        else if (strcmp(what, "renew") == 0)
                link_renew(d->link);
        else if (strcmp(what, "state") == 0)
                do_state(d);
        else
                say(json_pack("{s:s,s:s}", "event", "unknown_command", "do", what));
}

static void end(struct driver *d)
{
        struct follower *f, *next;
        struct pump *p, *next_pump;

        link_destroy(&d->link);
        DL_FOREACH_SAFE2 (d->followers, f, next, following) {
                /* too late to have an effect, and harmless */
                settle_held(f, INT64_MAX, false, SETTLE_ACK);
                free(f->name);
                free(f);
        }
        DL_FOREACH_SAFE2 (d->pumps, p, next_pump, following) {
                pump_free(p);
        }
        uv_close((uv_handle_t *)&d->input, NULL);
        uv_close((uv_handle_t *)&d->timer, NULL);
        say(json_pack("{s:s}", "event", "ended"));
        fflush(stdout);
}

static void obey_lines(struct driver *d)
{
        char *newline;

        while ((newline = memchr(d->line.data, '\n', d->line.length)) != NULL) {
                json_error_t fault;
                size_t length = (size_t)(newline - d->line.data);
                json_t *command = json_loadb(d->line.data, length, 0, &fault);
                if (command == NULL)
                        say(json_pack("{s:s,s:s}", "event", "bad_command", "text", fault.text));
                else
                        obey(d, command);
                json_decref(command);
                buffer_drop(&d->line, length + 1);
        }
        fflush(stdout);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
        (void)handle;
        *out = uv_buf_init(xmalloc(suggested), (unsigned)suggested);
}

static void on_input(uv_stream_t *stream, ssize_t count, const uv_buf_t *in)
{
        struct driver *d = stream->data;

        if (count > 0) {
                buffer_add(&d->line, in->base, (size_t)count);
                obey_lines(d);
        }
        free(in->base);
        if (count < 0)
                end(d);
}

static int open_link(struct driver *d, int argc, char **argv)
{
        struct link_config config = {.login = "guest", .name = "link_driver"};
        struct link_events on = {
                .up = on_up, .down = on_down, .blocked = on_blocked, .refused = on_refused};
        struct err e = {0};

        for (int i = 1; i + 1 < argc; i += 2) {
                const char *flag = argv[i];
                const char *value = argv[i + 1];
                if (strcmp(flag, "--urls") == 0)
                        config.urls = value;
                else if (strcmp(flag, "--login") == 0)
                        config.login = value;
                else if (strcmp(flag, "--password") == 0)
                        config.password = value;
                else if (strcmp(flag, "--ca-file") == 0)
                        config.ca_file = value;
                else if (strcmp(flag, "--window-messages") == 0)
                        config.window_messages = (uint32_t)strtoul(value, NULL, 10);
                else if (strcmp(flag, "--window-bytes") == 0)
                        config.window_bytes = strtoul(value, NULL, 10);
                else if (strcmp(flag, "--read-bytes") == 0)
                        config.read_bytes = strtoul(value, NULL, 10);
                else if (strcmp(flag, "--confirm-timeout") == 0)
                        config.confirm_timeout = strtol(value, NULL, 10);
                else if (strcmp(flag, "--heartbeat") == 0)
                        config.heartbeat = strtol(value, NULL, 10);
                else if (strcmp(flag, "--stream") == 0)
                        config.stream = value;
                else if (strcmp(flag, "--renew") == 0)
                        config.renew_when_told = strcmp(value, "told") == 0;
                else if (strcmp(flag, "--resend") == 0)
                        config.resend = strcmp(value, "yes") == 0;
        }
        d->link = link_create(&config, &on, d, d->loop, &e);
        if (d->link != NULL)
                return 0;
        fprintf(stderr, "link_driver: %s\n", e.text);
        return -1;
}

int main(int argc, char **argv)
{
        struct driver d = {.loop = uv_default_loop()};

        if (open_link(&d, argc, argv) < 0)
                return 2;
        uv_pipe_init(d.loop, &d.input, 0);
        uv_timer_init(d.loop, &d.timer);
        d.input.data = d.timer.data = &d;
        uv_pipe_open(&d.input, 0);
        uv_read_start((uv_stream_t *)&d.input, on_alloc, on_input);
        uv_timer_start(&d.timer, on_timer, 10, 10);
        uv_run(d.loop, UV_RUN_DEFAULT);
        buffer_fini(&d.line);
        return uv_loop_close(d.loop) == 0 ? 0 : 1;
}
