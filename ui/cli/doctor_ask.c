/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_ask.c: calls to the broker's management API.
 */
#include "common/base/json_scan.h"
#include "ui/cli/doctor.h"

int broker_checks_ask(const struct broker_checks *b, const char *path, struct http_reply *reply,
                      struct err *e)
{
        struct scan_fault fault;

        if (http_client_call(b->management, &(struct http_call){.method = "GET", .path = path},
                             reply, e) < 0)
                return -1;
        if (reply->status == 401 || reply->status == 403)
                return err_set(e, ERR_FORBIDDEN, "the login may not use the management API");
        if (reply->status != 200)
                return err_set(e, ERR_UNAVAILABLE, "the management API answered %d", reply->status);
        if (scan_check(buffer_bytes(&reply->body), SCAN_DEPTH_WRAPPED, &fault) < 0)
                return err_set(e, ERR_PROTOCOL, "the management API's answer is not JSON");
        return 0;
}
