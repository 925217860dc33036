/* SPDX-License-Identifier: Apache-2.0
 *
 * access.c: looks up the key of a request; checks keys, scopes and tenants.
 */
#include "gateway/access.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "common/base/memory.h"
#include "gateway/core.h"

static bool is_admin(const struct caller *c)
{
        return (c->scopes & SCOPE_ADMIN) != 0 && c->tenant[0] == '\0';
}

bool access_may_operate(const struct caller *c)
{
        return is_admin(c) || (c->scopes & SCOPE_OPERATE) != 0;
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
        if (!is_admin(out) && ((k->scopes & needed) != needed || (needed & SCOPE_ADMIN) != 0))
                return ACCESS_NO_SCOPE;
        return ACCESS_GRANTED;
}

const char *access_tenant(const struct caller *c, const char *named)
{
        if (is_admin(c))
                return named != NULL ? named : "*";
        if (named != NULL && strcmp(named, c->tenant) != 0)
                return NULL;
        return c->tenant;
}

static bool refuse_key(struct http_request *r, const char *text)
{
        http_add_header(r, "WWW-Authenticate", "Bearer");
        http_problem(r, 401, "%s", text);
        return false;
}

static bool answer(struct http_request *r, enum access access)
{
        switch (access) {
        case ACCESS_GRANTED:
                return true;
        case ACCESS_NO_KEY:
                return refuse_key(r, "an API key is required: Authorization: Bearer wk_...");
        case ACCESS_WRONG:
                return refuse_key(r, "this API key is unknown, expired or revoked");
        case ACCESS_NO_SCOPE:
                http_problem(r, 403, "this API key does not have the scope for that");
                return false;
        }
        return false;
}

/* When a tenant is deleted, the records that revoke its keys come a little later. */
static bool tenant_is_gone(struct gateway *g, const struct caller *c)
{
        struct tenant_record t;

        return c->tenant[0] != '\0' && !control_tenant(g->control, c->tenant, &t);
}

static enum access judge(struct gateway *g, struct http_request *r, const struct http_route *route,
                         struct caller *out)
{
        char id[KEY_ID_SIZE];
        char secret[KEY_SECRET_SIZE];
        struct key_record record;

        if (!bearer_split(http_header(r, "Authorization"), id, secret))
                return ACCESS_NO_KEY;
        bool known = control_key(g->control, id, &record);
        enum access access =
                access_judge(known ? &record : NULL, secret, route->scope, clock_wall(), out);
        OPENSSL_cleanse(secret, sizeof(secret));
        if (access == ACCESS_GRANTED && tenant_is_gone(g, out))
                return ACCESS_WRONG;
        return access;
}

bool access_authorize(void *owner, struct http_request *r, const struct http_route *route)
{
        struct gateway *g = owner;

        if (route->scope == 0)
                return true;
        if (!control_is_ready(g->control)) {
                http_problem(r, 503, "keys and tenants have not been read from the broker yet");
                return false;
        }

        struct caller *caller = xcalloc(1, sizeof(*caller));
        http_set_context(r, caller);
        return answer(r, judge(g, r, route, caller));
}

const struct caller *access_caller(const struct http_request *r)
{
        return http_context(r);
}
