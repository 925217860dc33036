/* SPDX-License-Identifier: Apache-2.0
 *
 * access.h: who the caller is, and what it may do.
 */
#pragma once

#include <stdbool.h>

#include "common/http/server.h"
#include "common/model/record.h"
#include "gateway/origin.h"

struct gateway;

struct caller {
        char key[KEY_ID_SIZE];
        char tenant[TENANT_SIZE]; /* "": an admin key, which belongs to no tenant */
        unsigned scopes;
        bool told_limit;                  /* the answer has its RateLimit headers already */
        msec session_begun, session_ends; /* of its login by cookie; 0: it sent its key */
        struct act_answer *act;           /* under way, for audited.h; NULL: none is */
};

enum access {
        ACCESS_GRANTED,
        ACCESS_NO_KEY,     /* 401: no key, no session */
        ACCESS_TWO,        /* 401: several cookies of the session's name */
        ACCESS_NO_FORM,    /* 401: not in the form of a key */
        ACCESS_WRONG,      /* 401: unknown, wrong secret, revoked or expired: one answer */
        ACCESS_NO_SCOPE,   /* 403 */
        ACCESS_CROSS_SITE, /* 403: a change by cookie that may come from another site's page */
        ACCESS_UNCHECKED,  /* 503: whether keys were revoked cannot be known now */
};

/* For http_server_config.authorize: checks that the request carries a key, or the session of one,
 * with the scope that its route needs; owner is the gateway. A route without a scope needs none. */
bool access_authorize(void *owner, struct http_request *r, const struct http_route *route);
/* The caller, on a route with a scope. */
const struct caller *access_caller(const struct http_request *r);

/* The same for a handler of a route without a scope; `needed` 0: any key. Does not answer. */
enum access access_of(struct gateway *g, struct http_request *r, unsigned needed,
                      struct caller *out);
/* Judges a key that a client gave: as the header Authorization would. */
enum access access_of_key(struct gateway *g, const struct http_request *r, const char *key,
                          struct key_record *record, struct caller *out);
/* Whether a key that was let in may still read, and notes its use. from: the client's address.
 * GRANTED, WRONG, NO_SCOPE or UNCHECKED. Any thread; does not block. */
enum access access_again(struct gateway *g, const char *key, const char *from);
/* Answers what was not granted; true: it was. */
bool access_answer(struct gateway *g, struct http_request *r, enum access access);
/* False: keys have not been read yet; 503 has been answered. */
bool access_is_ready(struct gateway *g, struct http_request *r);
/* The client's address, behind a trusted proxy that of its header. */
void access_address(struct gateway *g, const struct http_request *r, char out[ORIGIN_SIZE]);
/* X-Warren: 1, which a page of another site cannot send. */
bool access_is_own_page(const struct http_request *r);

/* The rest is pure. */

/* An admin key may. */
bool access_may_operate(const struct caller *c);
/* The text behind "Bearer " of an Authorization header, borrowed; NULL: none. */
const char *bearer_token(const char *authorization);
/* record NULL: there is no such key; the check then takes as long as for a wrong secret. `needed`:
 * scopes, or-ed; an admin key has all of them. Fills out when access is granted. */
enum access access_judge(const struct key_record *record, const char *secret, unsigned needed,
                         msec now, struct caller *out);
/* The tenant that a request is about; `named`: the query's `tenant`, or NULL. Returns "*" for all
 * tenants, NULL when the caller may not see that tenant. */
const char *access_tenant(const struct caller *c, const char *named);
