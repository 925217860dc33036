/* SPDX-License-Identifier: Apache-2.0
 *
 * access.h: who the caller is, and what it may do.
 */
#pragma once

#include <stdbool.h>

#include "common/http/server.h"
#include "common/model/record.h"

struct caller {
        char key[KEY_ID_SIZE];
        char tenant[TENANT_SIZE]; /* "": an admin key, which belongs to no tenant */
        unsigned scopes;
        bool told_limit; /* the answer has its RateLimit headers already */
};

enum access {
        ACCESS_GRANTED,
        ACCESS_NO_KEY,   /* 401: no key, or not in the form of one */
        ACCESS_WRONG,    /* 401: unknown, wrong secret, revoked or expired: one answer */
        ACCESS_NO_SCOPE, /* 403 */
};

/* For http_server_config.authorize: checks that the request carries a key with the scope that its
 * route needs; owner is the gateway. A route without a scope needs no key. */
bool access_authorize(void *owner, struct http_request *r, const struct http_route *route);
/* The caller, on a route with a scope. */
const struct caller *access_caller(const struct http_request *r);

/* The rest is pure. */

/* An admin key may. */
bool access_may_operate(const struct caller *c);
/* Reads the key from an Authorization header; false: none, or not in the form of one. */
bool bearer_split(const char *authorization, char id[KEY_ID_SIZE], char secret[KEY_SECRET_SIZE]);
/* record NULL: there is no such key; the check then takes as long as for a wrong secret. `needed`:
 * scopes, or-ed; an admin key has all of them. Fills out when access is granted. */
enum access access_judge(const struct key_record *record, const char *secret, unsigned needed,
                         msec now, struct caller *out);
/* The tenant that a request is about; `named`: the query's `tenant`, or NULL. Returns "*" for all
 * tenants, NULL when the caller may not see that tenant. */
const char *access_tenant(const struct caller *c, const char *named);
