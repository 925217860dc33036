/* SPDX-License-Identifier: Apache-2.0
 *
 * access.h: who asks, and what he may. Pure.
 */
#ifndef WARREN_GATEWAY_ACCESS_H
#define WARREN_GATEWAY_ACCESS_H

#include <stdbool.h>

#include "common/model/record.h"

struct caller {
        char key[KEY_ID_SIZE];
        char tenant[TENANT_SIZE]; /* "": an admin key's, of no tenant */
        unsigned scopes;
        bool told_limit; /* the answer to him has its RateLimit headers */
};

bool caller_is_admin(const struct caller *c);

enum access {
        ACCESS_GRANTED,
        ACCESS_NO_KEY,   /* 401: none was given, or not in its form */
        ACCESS_WRONG,    /* 401: unknown, wrong secret, revoked, expired: not told apart */
        ACCESS_NO_SCOPE, /* 403 */
};

/* The key in an Authorization header; false when there is none of the right form. */
bool bearer_split(const char *authorization, char id[KEY_ID_SIZE], char secret[KEY_SECRET_SIZE]);
/* record NULL: there is no such key; it takes as long as a wrong secret. `needed`: scopes, or-ed;
 * an admin key has them all. */
enum access access_judge(const struct key_record *record, const char *secret, unsigned needed,
                         msec now, struct caller *out);
/* Which tenant's things a caller asks for, given what he named in the query (NULL: nothing). NULL:
 * he may not. "*" is everybody's. */
const char *access_tenant(const struct caller *c, const char *named);

#endif
