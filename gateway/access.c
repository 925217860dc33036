/* SPDX-License-Identifier: Apache-2.0
 *
 * access.c: checks keys, scopes and tenants.
 */
#include "gateway/access.h"

#include <string.h>
#include <strings.h>

bool caller_is_admin(const struct caller *c)
{
        return (c->scopes & SCOPE_ADMIN) != 0 && c->tenant[0] == '\0';
}

bool bearer_split(const char *authorization, char id[KEY_ID_SIZE], char secret[KEY_SECRET_SIZE])
{
        static const char scheme[] = "Bearer ";

        if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
                return false;
        authorization += sizeof(scheme) - 1;
        authorization += strspn(authorization, " ");
        return api_key_split(authorization, id, secret);
}

static bool is_usable(const struct key_record *k, msec now)
{
        return !k->revoked && (k->expires == 0 || k->expires > now);
}

enum access access_judge(const struct key_record *record, const char *secret, unsigned needed,
                         msec now, struct caller *out)
{
        static const struct key_record no_key;
        const struct key_record *k = record != NULL ? record : &no_key;
        bool matches = api_key_matches(k, secret);

        if (record == NULL || !matches || !is_usable(k, now))
                return ACCESS_WRONG;
        memcpy(out->key, k->id, sizeof(out->key));
        memcpy(out->tenant, k->tenant, sizeof(out->tenant));
        out->scopes = k->scopes;
        if (!caller_is_admin(out) &&
            ((k->scopes & needed) != needed || (needed & SCOPE_ADMIN) != 0))
                return ACCESS_NO_SCOPE;
        return ACCESS_GRANTED;
}

const char *access_tenant(const struct caller *c, const char *named)
{
        if (caller_is_admin(c))
                return named != NULL ? named : "*";
        if (named != NULL && strcmp(named, c->tenant) != 0)
                return NULL;
        return c->tenant;
}
