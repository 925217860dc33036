/* SPDX-License-Identifier: Apache-2.0
 *
 * broker.c: connecting to the broker as an admin.
 */
#include "ui/cli/broker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"

/* How long a declaration waits for the link to come up. */
static const msec declare_timeout = (msec)10 * MSEC_SECOND;

struct http_client *broker_management(const struct cli *c, struct err *e)
{
        struct url_login url __attribute__((cleanup(url_login_fini))) = {0};
        struct http_client *client = NULL;

        if (c->settings.management_url == NULL) {
                err_set(e, ERR_INVALID,
                        "WARREN_MANAGEMENT_URL is not set "
                        "(http://login:password@host:15672)");
                return NULL;
        }
        if (url_login_split(c->settings.management_url, &url, e) == 0)
                client = http_client_create(&(struct http_client_config){.base_url = url.url,
                                                                         .user = url.login,
                                                                         .password = url.password},
                                            e);
        if (client == NULL)
                err_wrap(e, "WARREN_MANAGEMENT_URL");
        return client;
}

char *broker_vhost(const struct cli *c)
{
        if (c->settings.admin_amqp_url == NULL)
                return xstrdup("warren");
        return url_vhost(c->settings.admin_amqp_url);
}

struct broker_link {
        struct loop_thread *thread;
        struct link *link;
        struct link_config config; /* set only while link_create runs */
        struct err error;
        pthread_mutex_t mutex;
        struct err why; /* guarded by mutex: the last failure to connect */
};

static void on_down(void *owner, const struct err *why)
{
        struct broker_link *l = owner;

        pthread_mutex_lock(&l->mutex);
        l->why = *why;
        pthread_mutex_unlock(&l->mutex);
}

int broker_link_explain(struct broker_link *l, struct err *e)
{
        pthread_mutex_lock(&l->mutex);
        struct err why = l->why;
        pthread_mutex_unlock(&l->mutex);
        if (e->code != ERR_UNAVAILABLE || !err_is_set(&why))
                return -1;
        err_clear(e);
        return err_set(e, ERR_UNAVAILABLE, "%s", why.text);
}

static void make_link(void *owner)
{
        struct broker_link *l = owner;

        l->link = link_create(&l->config, &(struct link_events){.down = on_down}, l,
                              loop_thread_loop(l->thread), &l->error);
}

static void destroy_link(void *owner)
{
        struct broker_link *l = owner;

        link_destroy(&l->link);
}

struct broker_link *broker_link_create(const struct cli *c, struct err *e)
{
        struct url_login url __attribute__((cleanup(url_login_fini))) = {0};

        if (c->settings.admin_amqp_url == NULL) {
                err_set(e, ERR_INVALID,
                        "WARREN_ADMIN_AMQP_URL is not set "
                        "(amqp://login:password@host:5672/warren)");
                return NULL;
        }
        if (url_login_split(c->settings.admin_amqp_url, &url, e) < 0) {
                err_wrap(e, "WARREN_ADMIN_AMQP_URL");
                return NULL;
        }
        AUTO(broker_link) l = xcalloc(1, sizeof(*l));
        pthread_mutex_init(&l->mutex, NULL);
        l->config = (struct link_config){
                .urls = url.url,
                .login = url.login == NULL ? "guest" : url.login,
                .password = url.password == NULL ? "" : url.password,
                .name = "warren topology",
                .confirm_timeout = declare_timeout,
        };
        l->thread = loop_thread_create(e);
        if (l->thread == NULL)
                return NULL;
        loop_thread_run(l->thread, make_link, l);
        l->config = (struct link_config){0};
        if (l->link == NULL) {
                err_set(e, l->error.code, "WARREN_ADMIN_AMQP_URL: %s", l->error.text);
                return NULL;
        }
        return TAKE(l);
}

void broker_link_destroy(struct broker_link **l)
{
        struct broker_link *old = TAKE(*l);

        if (old == NULL)
                return;
        if (old->link != NULL)
                loop_thread_run(old->thread, destroy_link, old);
        loop_thread_destroy(&old->thread);
        pthread_mutex_destroy(&old->mutex);
        free(old);
}

struct link *broker_link_get(struct broker_link *l)
{
        return l->link;
}
