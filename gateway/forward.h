/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.h: what handlers use that ask internal services themselves before they pass an answer on.
 */
#pragma once

#include "common/http/client.h"
#include "common/http/server.h"
#include "gateway/core.h"

/* The tenant that the request is about, "*" for all; NULL: refused, and answered. */
const char *forward_tenant(struct http_request *r);

/* A call to an internal service, by the caller of r. */
struct forward_call {
        struct http_client *client;
        const char *service; /* its name, for people */
        const char *method;
        const char *path; /* encoded */
        struct bytes body;
};
/* False: it did not answer, or refused the gateway: answered with 503. reply: {0} on entry; the
 * caller frees it in either case. */
bool forward_ask(struct http_request *r, const struct forward_call *c, struct http_reply *reply);
/* Answers with the service's answer. */
void forward_pass(struct http_request *r, const char *service, const struct http_reply *reply);
