/* SPDX-License-Identifier: Apache-2.0
 *
 * live.c: hands what happens to the WebSockets over to the thread of the hub.
 */
#include "gateway/live/live.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/tenant_places.h"

enum {
        MESSAGES_MAX = 20, /* of a client, in a second */
        KERNEL_MAX = 256 * 1024,
        UNSENT_MAX = 1024 * 1024, /* for a client; two frames */
};

/* A WebSocket, as its pool knows it. */
struct live_socket {
        struct live *live;
        struct live_client *client; /* the hub's, once `opened` was handed over */
        char tenant[TENANT_SIZE];   /* whose place it has; "": no tenant's */
        /* The pool's thread only: */
        msec second; /* when the last second began in which it sent messages */
        unsigned messages;
        bool flooded;
};

enum news { NEWS_OPENED, NEWS_MESSAGE, NEWS_CLOSED };

/* For the hub's thread. */
struct note {
        enum news news;
        struct live_client *client;
        uint64_t socket;
        struct buffer text;
        struct note *prev, *next;
};

struct live {
        /* before start */
        struct live_config config;
        struct websockets *pool;
        struct live_counts *counts;
        struct tenant_places *places, *tenants; /* of all, of keys of tenants */
        pthread_t thread;
        bool has_loop, has_thread;
        uv_async_t bell; /* any thread may ring it */
        /* the hub's thread only, once it runs */
        uv_loop_t loop;
        struct live_hub *hub;
        /* guarded by mutex */
        pthread_mutex_t mutex;
        struct note *notes;
        bool ending;
};

static void post(struct live *l, enum news news, const struct live_socket *s, uint64_t socket,
                 struct bytes text)
{
        struct note *n = xcalloc(1, sizeof(*n));

        n->news = news;
        n->client = s->client;
        n->socket = socket;
        buffer_set(&n->text, text);
        pthread_mutex_lock(&l->mutex);
        DL_APPEND(l->notes, n);
        pthread_mutex_unlock(&l->mutex);
        uv_async_send(&l->bell);
}

static void free_note(struct note *n)
{
        buffer_fini(&n->text);
        free(n);
}

static void take_note(struct live *l, const struct note *n)
{
        switch (n->news) {
        case NEWS_OPENED:
                live_hub_add(l->hub, n->client, n->socket);
                break;
        case NEWS_MESSAGE:
                live_hub_hear(l->hub, n->client, buffer_bytes(&n->text));
                break;
        case NEWS_CLOSED:
                live_hub_remove(l->hub, n->client);
                break;
        }
}

static void on_bell(uv_async_t *bell)
{
        struct live *l = bell->data;
        struct note *n, *next;

        pthread_mutex_lock(&l->mutex);
        struct note *notes = TAKE(l->notes);
        bool ending = l->ending;
        pthread_mutex_unlock(&l->mutex);
        DL_FOREACH_SAFE (notes, n, next) {
                take_note(l, n);
                free_note(n);
        }
        if (!ending)
                return;
        live_hub_destroy(&l->hub);
        uv_close((uv_handle_t *)&l->bell, NULL);
}

static void *run(void *owner)
{
        struct live *l = owner;

        uv_run(&l->loop, UV_RUN_DEFAULT);
        return NULL;
}

/* Callbacks of the pool. */

static void on_opened(void *user, uint64_t socket)
{
        struct live_socket *s = user;

        post(s->live, NEWS_OPENED, s, socket, (struct bytes){0});
}

static bool is_flood(struct live_socket *s)
{
        msec now = clock_mono();

        if (now - s->second >= MSEC_SECOND) {
                s->second = now;
                s->messages = 0;
        }
        s->flooded = s->flooded || ++s->messages > MESSAGES_MAX;
        return s->flooded;
}

static void on_message(void *user, uint64_t socket, struct bytes text)
{
        struct live_socket *s = user;

        if (is_flood(s))
                websockets_close(s->live->pool, socket, LIVE_CLOSE_MESSAGES);
        else
                post(s->live, NEWS_MESSAGE, s, socket, text);
}

static void return_places(struct live *l, const char *tenant)
{
        if (tenant[0] != '\0')
                tenant_places_return(l->tenants, tenant);
        tenant_places_return(l->places, tenant);
}

static void on_closed(void *user, uint64_t socket)
{
        struct live_socket *s = user;

        post(s->live, NEWS_CLOSED, s, socket, (struct bytes){0});
        return_places(s->live, s->tenant);
        free(s);
}

/* Admin keys are bound by what all may have alone. */
static int take_places(struct live *l, const char *tenant, struct err *e)
{
        if (tenant_places_take(l->places, tenant, e) != 0)
                return -1;
        if (tenant[0] == '\0' || tenant_places_take(l->tenants, tenant, e) == 0)
                return 0;
        tenant_places_return(l->places, tenant);
        return -1;
}

void live_upgrade(struct live *l, struct http_request *r, struct live_asked *asked,
                  const char *origin)
{
        static const struct websocket_events on = {
                .opened = on_opened, .message = on_message, .closed = on_closed};
        struct err why = {0};

        if (take_places(l, asked->viewer.tenant, &why) != 0) {
                http_add_header(r, "Retry-After", "5");
                http_problem(r, 503, "%s", why.text);
                return;
        }
        struct live_socket *s = xcalloc(1, sizeof(*s));
        s->live = l;
        memcpy(s->tenant, asked->viewer.tenant, sizeof(s->tenant));
        s->client = live_client_create(asked, l->pool, l->config.meters);
        if (websocket_upgrade(r, &on, s, origin))
                return;
        live_client_destroy(&s->client);
        return_places(l, s->tenant);
        free(s);
}

static int start(struct live *l, struct err *e)
{
        const struct live_hub_config hub = {.link = &l->config.link,
                                            .pool = l->pool,
                                            .counts = l->counts,
                                            .meters = l->config.meters,
                                            .stays = l->config.stays,
                                            .owner = l->config.owner};

        if (uv_loop_init(&l->loop) != 0)
                return err_set(e, ERR_SYSTEM, "cannot make a loop for the live feed");
        l->has_loop = true;
        l->bell.data = l;
        if (uv_async_init(&l->loop, &l->bell, on_bell) != 0)
                return err_set(e, ERR_SYSTEM, "cannot make a loop for the live feed");
        l->hub = live_hub_create(&hub, &l->loop);
        if (pthread_create(&l->thread, NULL, run, l) != 0) {
                live_hub_destroy(&l->hub);
                uv_close((uv_handle_t *)&l->bell, NULL);
                return err_set(e, ERR_SYSTEM, "cannot start the thread of the live feed");
        }
        l->has_thread = true;
        return 0;
}

struct live *live_create(const struct live_config *c, struct err *e)
{
        AUTO(live) l = xcalloc(1, sizeof(*l));

        l->config = *c;
        pthread_mutex_init(&l->mutex, NULL);
        l->places = tenant_places_create(c->max, c->max, "live feeds");
        l->tenants = tenant_places_create(c->max, (c->max + 1) / 2, "live feeds");
        l->pool = websockets_create(&(struct websockets_config){.max = c->max,
                                                                .unsent_max = UNSENT_MAX,
                                                                .kernel_max = KERNEL_MAX},
                                    e);
        if (l->pool == NULL)
                return NULL;
        l->counts = live_counts_create(c->counts, e);
        if (l->counts == NULL || start(l, e) != 0)
                return NULL;
        return TAKE(l);
}

/* No callback of the pool may come any more: the bell is closed. */
static void end_thread(struct live *l)
{
        pthread_mutex_lock(&l->mutex);
        l->ending = true;
        pthread_mutex_unlock(&l->mutex);
        uv_async_send(&l->bell);
        pthread_join(l->thread, NULL);
}

void live_destroy(struct live **live)
{
        struct live *l = TAKE(*live);

        if (l == NULL)
                return;
        if (l->has_thread)
                end_thread(l);
        websockets_destroy(&l->pool); /* after the thread, which sends to its sockets */
        if (l->has_loop) {
                uv_run(&l->loop, UV_RUN_DEFAULT); /* closes what is left of a half-built one */
                (void)uv_loop_close(&l->loop);
        }
        live_counts_destroy(&l->counts);
        tenant_places_destroy(&l->places);
        tenant_places_destroy(&l->tenants);
        pthread_mutex_destroy(&l->mutex);
        free(l);
}

struct websockets *live_websockets(struct live *l)
{
        return l->pool;
}
