/* SPDX-License-Identifier: Apache-2.0
 *
 * tail.c: `warren tail`: prints what the live feed says, and connects again when it ends.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/jitter.h"
#include "common/base/own.h"
#include "common/http/websocket_client.h"
#include "ui/cli/api.h"
#include "ui/cli/tail_feed.h"
#include "ui/cli/tail_view.h"

enum { SLICE_MS = 250 };
#define HELLO_WAIT ((msec)10 * MSEC_SECOND)
#define PAUSE_FIRST ((msec)1 * MSEC_SECOND)
#define PAUSE_MOST ((msec)30 * MSEC_SECOND)
/* After a connection that lasted so long, the next pause is the first again: the gateway holds only
 * the last 10 s for whoever comes back. */
#define LASTING ((msec)5 * MSEC_SECOND)

struct tail {
        struct cli *c;
        struct tail_feed feed;
        msec pause;               /* before the next connection: grows */
        msec least;               /* of that pause: the gateway said so */
        char told[ERR_TEXT_SIZE]; /* why there is no connection; "": the last one said something */
};

/* What happened to a connection. */
enum outcome {
        OUTCOME_LOST, /* e says why: connect again */
        OUTCOME_OVER, /* the command ends with the exit code */
};

static bool goes_on(void)
{
        return *cli_interrupt() == 0 && cli_has_reader();
}

static enum exit_code flush(struct tail *t)
{
        enum exit_code code = EXIT_DONE;

        if (t->feed.notes.length > 0)
                fputs(t->feed.notes.data, stderr);
        if (t->feed.out.length > 0)
                code = cli_print(t->c, buffer_bytes(&t->feed.out));
        buffer_clear(&t->feed.notes);
        buffer_clear(&t->feed.out);
        return code;
}

/* "job_" goes before each: failed,dlq becomes job_failed,job_dlq. */
static void add_kinds(const char *list, struct buffer *query)
{
        AUTO_BUFFER kinds = {0};

        for (const char *at = list; *at != '\0';) {
                size_t length = strcspn(at, ",");
                buffer_printf(&kinds, "%sjob_%.*s", at == list ? "" : ",", (int)length, at);
                at += length;
                at += *at == ',';
        }
        url_encode(query, kinds.data);
}

static char *make_path(const struct tail *t)
{
        const char *kinds = cli_option(t->c, "kind");
        const bool counts = cli_has(t->c, "counts");
        struct buffer path = {0};

        buffer_add_text(&path, "/api/v1/live");
        api_query_options(&path, &t->c->arguments);
        size_t begin = sizeof("/api/v1/live") - 1;
        buffer_add_text(&path, path.length == begin ? "?mode=" : "&mode=");
        buffer_add_text(&path, counts ? "counts" : "events");
        if (kinds != NULL) {
                buffer_add_text(&path, "&kinds=");
                add_kinds(kinds, &path);
        }
        if (t->feed.offset >= 0 && !counts) {
                buffer_printf(&path, "&offset=%lld", (long long)t->feed.offset);
                if (t->feed.mark >= 0)
                        buffer_printf(&path, "&mark=%lld", (long long)t->feed.mark);
        }
        return buffer_take(&path);
}

static enum outcome end(enum exit_code *out, enum exit_code code)
{
        *out = code;
        return OUTCOME_OVER;
}

/* Takes messages until the connection ends, or the command does. */
static enum outcome follow(struct tail *t, struct websocket_client *socket, enum exit_code *exit,
                           struct err *e)
{
        msec hello_until = clock_mono() + HELLO_WAIT;
        struct bytes text = {0};
        unsigned code = 0;

        while (goes_on()) {
                switch (websocket_client_next(socket, SLICE_MS, &text, &code, e)) {
                case WEBSOCKET_NOTHING:
                        tail_feed_rest(&t->feed);
                        if (!t->feed.greeted && clock_mono() > hello_until) {
                                err_set(e, ERR_PROTOCOL, "the live feed does not begin");
                                return OUTCOME_LOST;
                        }
                        break;
                case WEBSOCKET_TEXT:
                        if (tail_feed_take(&t->feed, text, clock_wall(), e) < 0)
                                return OUTCOME_LOST;
                        t->told[0] = '\0';
                        break;
                case WEBSOCKET_CLOSED:
                        tail_judge_close(code, text, e);
                        return OUTCOME_LOST;
                case WEBSOCKET_FAILED:
                        return OUTCOME_LOST;
                }
                *exit = flush(t);
                if (*exit != EXIT_DONE)
                        return OUTCOME_OVER;
        }
        return end(exit, EXIT_DONE);
}

/* What the gateway said instead of 101. After a feed has begun, what may pass is waited out. */
static enum outcome judge_refusal(struct tail *t, const char *path, const struct http_reply *reply,
                                  enum exit_code *exit, struct err *e)
{
        const struct http_call call = {.method = "GET", .path = path};

        if (t->feed.began && (reply->status >= 500 || reply->status == 429)) {
                t->least = reply->retry_after < PAUSE_MOST ? reply->retry_after : PAUSE_MOST;
                err_set(e, ERR_UNAVAILABLE, "the gateway answers %d", reply->status);
                return OUTCOME_LOST;
        }
        *exit = api_refusal(t->c, API_USER, &call, reply);
        if (reply->status == 426)
                cli_note(t->c, "  a proxy before the gateway must pass WebSockets on");
        return OUTCOME_OVER;
}

/* However a connection ended: what came is printed, and what is owed is told. */
static enum outcome finish(struct tail *t, enum outcome outcome, enum exit_code *exit,
                           struct err *e)
{
        tail_feed_rest(&t->feed);
        enum exit_code printed = flush(t);
        if (printed != EXIT_DONE)
                return end(exit, printed);
        if (outcome == OUTCOME_LOST && e->code == ERR_FORBIDDEN)
                return end(exit, cli_fail_err(t->c, e));
        if (outcome == OUTCOME_LOST && !t->feed.began)
                err_wrap(e, "gateway at %s", t->c->settings.url);
        return outcome;
}

/* One connection from its beginning to its end. */
static enum outcome tail_once(struct tail *t, enum exit_code *exit, struct err *e)
{
        AUTO(websocket_client) socket = NULL;
        AUTO_FREE char *path = make_path(t);
        AUTO_REPLY reply = {0};
        msec began;

        tail_feed_connect(&t->feed);
        if (api_connect(t->c, API_USER, path, &socket, &reply, e) < 0)
                return OUTCOME_LOST;
        if (socket == NULL)
                return judge_refusal(t, path, &reply, exit, e);
        began = clock_mono();
        enum outcome outcome = follow(t, socket, exit, e);
        if (clock_mono() - began >= LASTING)
                t->pause = PAUSE_FIRST;
        return finish(t, outcome, exit, e);
}

/* Ends early when the command does. */
static void pause_before_next(struct tail *t)
{
        msec pause = jittered(t->pause);
        msec until = clock_mono() + (pause > t->least ? pause : t->least);

        while (goes_on() && clock_mono() < until) {
                msec left = until - clock_mono();
                poll(NULL, 0, (int)(left < SLICE_MS ? left : SLICE_MS));
        }
        t->least = 0;
        t->pause = 2 * t->pause < PAUSE_MOST ? 2 * t->pause : PAUSE_MOST;
}

/* Whether they differ in numbers alone, such as curl's "after 3 ms". */
static bool is_same(const char *a, const char *b)
{
        static const char digits[] = "0123456789";

        for (;;) {
                a += strspn(a, digits);
                b += strspn(b, digits);
                if (*a != *b || *a == '\0')
                        return *a == *b;
                a++, b++;
        }
}

/* Once while the reason stays. */
static void tell_lost(struct tail *t, const char *why)
{
        if (t->told[0] == '\0')
                tail_feed_note(&t->feed, "connection lost: %s; connecting again", why);
        else if (!is_same(t->told, why))
                tail_feed_note(&t->feed, "still not connected: %s", why);
        snprintf(t->told, sizeof(t->told), "%s", why);
}

static enum exit_code run(struct tail *t)
{
        static const struct http_call call = {.method = "GET"};
        static const struct http_reply reply = {0};
        enum exit_code code = EXIT_DONE;

        while (goes_on()) {
                struct err e = {0};

                if (tail_once(t, &code, &e) == OUTCOME_OVER)
                        return code;
                if (!goes_on())
                        break;
                if (!t->feed.began)
                        return api_unanswered(t->c, &call, &reply, &e);
                tell_lost(t, e.text);
                code = flush(t);
                if (code != EXIT_DONE)
                        return code;
                pause_before_next(t);
        }
        return EXIT_DONE;
}

/* The first option given that chooses among events; or NULL. Counts are of all jobs. */
static const char *first_filter(const struct cli *c)
{
        static const char *const filters[] = {"kind", "status", "type", "job", NULL};
        const char *const *name = filters;

        while (*name != NULL && !cli_has(c, *name))
                name++;
        return *name;
}

static enum exit_code check_options(const struct cli *c)
{
        const char *wrong = cli_has(c, "since-offset") ? "since-offset" : first_filter(c);

        if (cli_has(c, "counts") && wrong != NULL)
                return cli_fail(c, EXIT_USAGE, "--counts takes no --%s", wrong);
        return EXIT_DONE;
}

enum exit_code command_tail(struct cli *c)
{
        const char *since = cli_option(c, "since-offset");
        struct tail t = {
                .c = c,
                .pause = PAUSE_FIRST,
                .feed = {.json = c->json,
                         .mark = -1,
                         .offset = since != NULL ? strtoll(since, NULL, 10) : -1,
                         .look = {.filtered = first_filter(c) != NULL,
                                  .terminal = c->terminal,
                                  .colours = c->colours,
                                  .width = c->width,
                                  .height = c->height}},
        };

        if (check_options(c) != EXIT_DONE)
                return EXIT_USAGE;
        cli_catch_interrupts();
        c->stop = cli_interrupt();
        enum exit_code code = run(&t);
        tail_feed_fini(&t.feed);
        return code;
}
