/* SPDX-License-Identifier: Apache-2.0
 *
 * broker_api.c: asking the management API.
 */
#include "common/doctor/broker_api.h"

#include "common/base/json_path.h"
#include "common/base/own.h"

/* An answer is JSON as deep as a wrapped payload at most. */
int broker_api_ask(const struct doctor_broker *b, const char *path, struct http_reply *reply,
                   struct scan_value *answer, struct err *e)
{
        const struct http_call call = {.method = "GET", .path = path};
        struct scan_fault fault;

        if (http_client_call(b->management, &call, reply, e) < 0)
                return -1;
        if (reply->status == 401 || reply->status == 403)
                return err_set(e, ERR_FORBIDDEN, "the login may not use the management API");
        if (reply->status != 200)
                return err_set(e, ERR_UNAVAILABLE, "the management API answered %d", reply->status);
        if (scan_check(buffer_bytes(&reply->body), SCAN_DEPTH_WRAPPED, &fault) < 0)
                return err_set(e, ERR_PROTOCOL, "the management API's answer is not JSON");
        *answer = scan_root(buffer_bytes(&reply->body));
        return 0;
}

char *broker_api_path(const struct doctor_broker *b, const char *path, const char *more)
{
        struct buffer out = {0};

        buffer_add_text(&out, path);
        url_encode(&out, b->vhost);
        buffer_add_text(&out, more);
        return buffer_take(&out);
}

int broker_api_each_queue(const struct doctor_broker *b, broker_queue_fn *each, void *owner,
                          struct err *e)
{
        AUTO_FREE char *path = broker_api_path(b, "/api/queues/", "?columns=name,messages");
        AUTO_REPLY reply = {0};
        struct scan_value answer = {.kind = SCAN_NULL};
        struct scan_item item;

        if (broker_api_ask(b, path, &reply, &answer, e) < 0)
                return -1;
        for (struct scan_cursor at = scan_items(answer); scan_next(&at, &item);) {
                AUTO_BUFFER name = {0};
                if (json_path_add(item.value, "name", &name))
                        each(owner, name.data, json_path_int(item.value, "messages"));
        }
        return 0;
}
