/* SPDX-License-Identifier: Apache-2.0
 *
 * api.h: calls to the gateway's API, and the message and exit code of a refusal.
 */
#pragma once

#include "common/base/json_scan.h"
#include "common/http/client.h"
#include "ui/cli/cli.h"

/* Which key a call takes; the other one when that is not given. */
enum api_role {
        API_USER,  /* WARREN_API_KEY, with --tenant WARREN_ADMIN_KEY */
        API_ADMIN, /* WARREN_ADMIN_KEY: what only administrators do */
};

/* 0: reply holds the answer, of any status; its body is JSON or empty. -1: the gateway is
 * unreachable, or the answer is not a gateway's. */
int api_ask(struct cli *c, enum api_role role, const struct http_call *call,
            struct http_reply *reply, struct err *e) MUST_CHECK;
struct websocket_client;
/* As api_ask, but connects to a WebSocket. *out is NULL when the gateway refused: reply says so. */
int api_connect(const struct cli *c, enum api_role role, const char *path,
                struct websocket_client **out, struct http_reply *reply, struct err *e) MUST_CHECK;
/* As an admin; 0: a 2xx. -1: e says why (ERR_FORBIDDEN: the key may not); the status is 0 when no
 * gateway answered. */
int api_read(struct cli *c, const char *path, struct http_reply *reply, struct err *e) MUST_CHECK;
/* As api_ask, but reports a failure or a refusal to the user. EXIT_DONE: a 2xx. */
enum exit_code api_call(struct cli *c, enum api_role role, const struct http_call *call,
                        struct http_reply *reply) MUST_CHECK;
enum exit_code api_get(struct cli *c, enum api_role role, const char *path,
                       struct http_reply *reply) MUST_CHECK;
/* As api_call, of an answer that need not be JSON. */
enum exit_code api_get_bytes(struct cli *c, const struct http_call *call,
                             struct http_reply *reply) MUST_CHECK;
/* Adds an answer as text for people. */
typedef void api_show_fn(const struct cli *c, struct scan_value answer, struct buffer *out);
/* Prints the answer: unchanged with --json, else what show adds; and on standard error that values
 * of the job or letter are masked. */
enum exit_code api_print(const struct cli *c, const struct http_reply *reply, api_show_fn *show);
/* api_call, then api_print. */
enum exit_code api_show(struct cli *c, enum api_role role, const struct http_call *call,
                        api_show_fn *show);
/* Reports an answer that is not a 2xx to the user. EXIT_LIMITED also for a 409 with Retry-After. */
enum exit_code api_refusal(const struct cli *c, enum api_role role, const struct http_call *call,
                           const struct http_reply *reply);
/* The status as an exit code: 401 and 403 not allowed, 404 not found, 429 limited… */
enum exit_code api_exit_code(int status);
/* Reports a call without an answer: one that changes something says whether it may have done so. */
enum exit_code api_unanswered(const struct cli *c, const struct http_call *call,
                              const struct http_reply *reply, const struct err *e);
/* Adds what a refusal says: each error with its member. body is the request's body: an error inside
 * its payload is shown with the line and column in the payload. */
void api_explain(const struct http_reply *reply, struct bytes body, struct buffer *out);

/* The answer as a value; null for an empty body. */
struct scan_value api_value(const struct http_reply *reply);

/* Adds the given options that are parameters of the query; path has none yet. */
void api_query_options(struct buffer *path, const struct arguments *a);
/* Adds the given options that are members of the body. */
void api_body_options(struct buffer *body, const struct arguments *a);
/* Adds the member "payload" from an argument: the JSON itself, "@file", or "-" for standard input;
 * at most 16 MiB. Nothing for NULL. For invalid JSON, the error says line and column. */
int api_body_payload(struct buffer *body, const char *argument, struct err *e) MUST_CHECK;
/* The pattern, in which each * becomes the next text, percent-encoded. Owned. */
char *api_path(const char *pattern, ...) MUST_CHECK;
/* The same of one text; --tenant, if given, is a parameter of its query. Owned. */
char *api_path_tenant(const struct cli *c, const char *pattern, const char *text) MUST_CHECK;

void api_close(struct cli *c);

#define AUTO_REPLY __attribute__((cleanup(http_reply_fini))) struct http_reply
