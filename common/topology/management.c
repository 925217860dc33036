/* SPDX-License-Identifier: Apache-2.0
 *
 * management.c: calls RabbitMQ's management API.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/own.h"
#include "common/topology/declared.h"

void management_path(struct buffer *out, const char *prefix, const char *first, const char *second)
{
        buffer_add_text(out, prefix);
        url_encode(out, first);
        if (second != NULL) {
                buffer_add_char(out, '/');
                url_encode(out, second);
        }
}

static enum err_code status_code(int status)
{
        if (status == 404)
                return ERR_NOT_FOUND;
        return status == 401 || status == 403 ? ERR_FORBIDDEN : ERR_UNAVAILABLE;
}

int management_call(struct http_client *management, const char *method, const char *path,
                    json_t *body, struct http_reply *reply, struct err *e)
{
        AUTO_FREE char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
        json_decref(body);
        const struct http_call call = {.method = method, .path = path, .body = bytes_of_text(text)};
        if (http_client_call(management, &call, reply, e) < 0)
                return err_wrap(e, "management API");
        if (reply->status < 300)
                return 0;
        return err_set(e, status_code(reply->status), "management API: %s %s answered %d", method,
                       path, reply->status);
}

json_t *management_get(struct http_client *management, const char *path, struct err *e)
{
        struct http_reply reply = {0};
        json_t *answer = NULL;
        if (management_call(management, "GET", path, NULL, &reply, e) == 0) {
                answer = json_loadb(reply.body.data, reply.body.length, 0, NULL);
                if (answer == NULL)
                        err_set(e, ERR_PROTOCOL, "the management API's answer is not JSON");
        }
        http_reply_fini(&reply);
        return answer;
}

const char *text_member(const json_t *item, const char *name)
{
        const char *text = json_string_value(json_object_get(item, name));
        return text != NULL ? text : "";
}
