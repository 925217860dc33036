/* SPDX-License-Identifier: Apache-2.0
 *
 * stores.c: creates a client for each URL of the setting.
 */
#include "consumer/stores.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

static int add(struct stores *s, const char *url, const char *token, struct err *e)
{
        const struct http_client_config client = {
                .base_url = url,
                .bearer = token,
                .connect_timeout = STORES_TIMEOUT,
                .timeout = STORES_TIMEOUT,
                .answer_max = STORES_ANSWER_MAX,
        };

        if (s->count == STORES_MAX)
                return err_set(e, ERR_INVALID, "more than %d status-stores", STORES_MAX);
        s->clients[s->count] = http_client_create(&client, e);
        if (s->clients[s->count] == NULL)
                return -1;
        s->count++;
        return 0;
}

static int add_all(struct stores *s, const char *urls, const char *token, struct err *e)
{
        AUTO_FREE char *list = xstrdup(urls);
        char *rest = NULL;

        for (char *url = strtok_r(list, ", ", &rest); url != NULL;
             url = strtok_r(NULL, ", ", &rest)) {
                if (add(s, url, token, e) != 0)
                        return err_wrap(e, "status_store_url");
        }
        return s->count > 0 ? 0 : err_set(e, ERR_INVALID, "status_store_url has no URL");
}

struct stores *stores_create(const char *urls, const char *token, struct err *e)
{
        AUTO(stores) s = xcalloc(1, sizeof(*s));

        if (add_all(s, urls, token, e) != 0)
                return NULL;
        return TAKE(s);
}

void stores_destroy(struct stores **s)
{
        if (*s == NULL)
                return;
        for (size_t i = 0; i < (*s)->count; i++)
                http_client_destroy(&(*s)->clients[i]);
        free(*s);
        *s = NULL;
}

int stores_ask(const struct stores *s, size_t index, const char *path, const struct buffer *body,
               struct buffer *answer, struct err *e)
{
        const struct http_call call = {.method = "POST", .path = path, .body = buffer_bytes(body)};
        struct http_reply reply = {0};
        int done = http_client_call(s->clients[index], &call, &reply, e);

        if (done == 0 && reply.status != 200) {
                err_set(e, ERR_UNAVAILABLE, "the status-store answered %d", reply.status);
                done = reply.status == 500 || reply.status == 503 ? 1 : -1;
        }
        *answer = reply.body;
        return done;
}

void stores_note_health(bool *failing, const struct err *why, const char *cannot, const char *can)
{
        bool failed = err_is_set(why);

        if (failed && !*failing)
                LOG_WARN(cannot, log_err(why));
        if (!failed && *failing)
                LOG_INFO(can);
        *failing = failed;
}
