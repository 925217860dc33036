/* SPDX-License-Identifier: Apache-2.0
 *
 * access.c: looks up the key of a request; checks keys, scopes and tenants.
 */
#include "gateway/access.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/http/problem.h"
#include "gateway/core.h"
#include "gateway/origin.h"
#include "gateway/session.h"
#include "gateway/session_cookie.h"

static bool is_admin(const struct caller *c)
{
        return (c->scopes & SCOPE_ADMIN) != 0 && c->tenant[0] == '\0';
}

bool access_may_operate(const struct caller *c)
{
        return is_admin(c) || (c->scopes & SCOPE_OPERATE) != 0;
}

const char *bearer_token(const char *authorization)
{
        static const char scheme[] = "Bearer ";

        if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
                return NULL;
        authorization += sizeof(scheme) - 1;
        authorization += strspn(authorization, " ");
        return authorization[0] != '\0' ? authorization : NULL;
}

static bool is_usable(const struct key_record *k, msec now)
{
        return !k->revoked && (k->expires == 0 || k->expires > now);
}

/* What a key may do whose secret, or session, is right. */
static enum access judge_record(const struct key_record *k, unsigned needed, msec now,
                                struct caller *out)
{
        if (!is_usable(k, now))
                return ACCESS_WRONG;
        memcpy(out->key, k->id, sizeof(out->key));
        memcpy(out->tenant, k->tenant, sizeof(out->tenant));
        out->scopes = k->scopes;
        if (!is_admin(out) && ((k->scopes & needed) != needed || (needed & SCOPE_ADMIN) != 0))
                return ACCESS_NO_SCOPE;
        return ACCESS_GRANTED;
}

enum access access_judge(const struct key_record *record, const char *secret, unsigned needed,
                         msec now, struct caller *out)
{
        static const struct key_record no_key;
        const struct key_record *k = record != NULL ? record : &no_key;
        bool matches = api_key_matches(k, secret);

        return record != NULL && matches ? judge_record(k, needed, now, out) : ACCESS_WRONG;
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

static bool refuse_page(struct http_request *r)
{
        http_problem_of(r, &(struct problem){.status = 403,
                                             .type = "urn:warren:problem:cross-site",
                                             .detail = "a change with a session's cookie needs the "
                                                       "header X-Warren: 1"});
        return false;
}

bool access_answer(struct gateway *g, struct http_request *r, enum access access)
{
        bool several;

        switch (access) {
        case ACCESS_GRANTED:
                return true;
        case ACCESS_NO_KEY:
                return refuse_key(r, "an API key is required: Authorization: Bearer wk_...");
        case ACCESS_TWO:
                return refuse_key(r, "the browser sends two cookies of a session: one was set for "
                                     "another path or domain. Delete this site's cookies, then "
                                     "log in");
        case ACCESS_NO_FORM:
                return refuse_key(r, "this is no API key: one is wk_, 8 characters, _ and 43 "
                                     "characters. Was all of it copied?");
        case ACCESS_WRONG:
                if (session_cookie_read(g, r, &several) != NULL &&
                    http_header(r, "Authorization") == NULL)
                        session_cookie_clear(g, r);
                return refuse_key(r, "this API key is unknown, expired or revoked");
        case ACCESS_NO_SCOPE:
                http_problem(r, 403, "this API key does not have the scope for that");
                return false;
        case ACCESS_CROSS_SITE:
                return refuse_page(r);
        case ACCESS_UNCHECKED:
                http_problem(r, 503,
                             "keys cannot be checked: neither the broker nor the primary "
                             "status-store can be reached");
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

void access_address(struct gateway *g, const struct http_request *r, char out[ORIGIN_SIZE])
{
        if (!origin_address(g->settings->trusted_proxies, r, out) &&
            !atomic_exchange(&g->told_of_proxy, true))
                LOG_WARN("the last word of a proxy's X-Forwarded-For is no IP address: the proxy's "
                         "own address is recorded",
                         log_text("proxy", http_peer(r)));
}

/* Whether the key is in force still, and notes its use. */
static enum access check_use_from(struct gateway *g, const struct key_record *k,
                                  const struct caller *c, const char *from)
{
        if (tenant_is_gone(g, c))
                return ACCESS_WRONG;
        switch (key_watch_use(g->key_watch, k, from)) {
        case KEY_CHECKED:
                return ACCESS_GRANTED;
        case KEY_UNUSABLE:
                return ACCESS_WRONG;
        case KEY_UNCHECKED:
                break;
        }
        return ACCESS_UNCHECKED;
}

static enum access check_use(struct gateway *g, const struct http_request *r,
                             const struct key_record *k, const struct caller *c)
{
        char from[ORIGIN_SIZE];

        access_address(g, r, from);
        return check_use_from(g, k, c, from);
}

enum access access_again(struct gateway *g, const char *key, const char *from)
{
        struct key_record record;
        struct caller c = {0};

        if (!control_key(g->control, key, &record))
                return ACCESS_WRONG;
        enum access access = judge_record(&record, SCOPE_READ, clock_wall(), &c);
        return access == ACCESS_GRANTED ? check_use_from(g, &record, &c, from) : access;
}

/* A text that should be a key. */
static enum access judge_key(struct gateway *g, const char *key, unsigned needed,
                             struct key_record *record, struct caller *out)
{
        char id[KEY_ID_SIZE];
        char secret[KEY_SECRET_SIZE];

        if (!api_key_split(key, id, secret))
                return ACCESS_NO_FORM;
        bool known = control_key(g->control, id, record);
        enum access access = access_judge(known ? record : NULL, secret, needed, clock_wall(), out);
        OPENSSL_cleanse(secret, sizeof(secret));
        return access;
}

enum access access_of_key(struct gateway *g, const struct http_request *r, const char *key,
                          struct key_record *record, struct caller *out)
{
        enum access access = judge_key(g, key, 0, record, out);

        return access == ACCESS_GRANTED ? check_use(g, r, record, out) : access;
}

bool access_is_own_page(const struct http_request *r)
{
        const char *mark = http_header(r, "X-Warren");

        return mark != NULL && strcmp(mark, "1") == 0;
}

static bool changes(const struct http_request *r)
{
        return strcmp(http_method(r), "GET") != 0 && strcmp(http_method(r), "HEAD") != 0;
}

static enum access judge_session(struct gateway *g, struct http_request *r, unsigned needed,
                                 struct key_record *record, struct caller *out)
{
        bool several;
        const char *text = session_cookie_read(g, r, &several);
        struct session s;

        if (text == NULL)
                return several ? ACCESS_TWO : ACCESS_NO_KEY;
        if (!session_parse(text, &s) || !control_key(g->control, s.key, record) ||
            !session_is_valid(text, &s, record, &g->session_secret, clock_wall()))
                return ACCESS_WRONG;
        out->session_begun = s.begun;
        out->session_ends = s.ends;
        enum access access = judge_record(record, needed, clock_wall(), out);
        return access == ACCESS_GRANTED && changes(r) && !access_is_own_page(r) ? ACCESS_CROSS_SITE
                                                                                : access;
}

/* A key in the header wins over a cookie. */
enum access access_of(struct gateway *g, struct http_request *r, unsigned needed,
                      struct caller *out)
{
        const char *authorization = http_header(r, "Authorization");
        const char *token = bearer_token(authorization);
        struct key_record record;
        enum access access = ACCESS_NO_KEY;

        if (authorization == NULL)
                access = judge_session(g, r, needed, &record, out);
        else if (token != NULL)
                access = judge_key(g, token, needed, &record, out);
        return access == ACCESS_GRANTED ? check_use(g, r, &record, out) : access;
}

bool access_is_ready(struct gateway *g, struct http_request *r)
{
        if (control_is_ready(g->control))
                return true;
        http_problem(r, 503, "keys and tenants have not been read from the broker yet");
        return false;
}

bool access_authorize(void *owner, struct http_request *r, const struct http_route *route)
{
        struct gateway *g = owner;

        if (route->scope == 0)
                return true;
        if (!access_is_ready(g, r))
                return false;

        struct caller *caller = xcalloc(1, sizeof(*caller));
        http_set_context(r, caller);
        return access_answer(g, r, access_of(g, r, route->scope, caller));
}

const struct caller *access_caller(const struct http_request *r)
{
        return http_context(r);
}
