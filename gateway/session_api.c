/* SPDX-License-Identifier: Apache-2.0
 *
 * session_api.c: logins of browsers.
 */
#include <inttypes.h>
#include <openssl/crypto.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/memory.h"
#include "gateway/access.h"
#include "gateway/core.h"
#include "gateway/handlers.h"
#include "gateway/origin.h"
#include "gateway/session_cookie.h"

enum { BODY_DEPTH = 4 };
static const char *const no_parameters[] = {NULL};
/* A session older than this gets a new cookie when it is asked for. */
#define RENEW_AFTER ((msec)MSEC_HOUR)

struct login {
        char key[2 * KEY_TEXT_SIZE]; /* may be of a wrong length */
};

static const struct json_member login_members[] = {
        {"key", json_read_copy, JSON_AT(struct login, key), .flags = JSON_REQUIRED},
        {0},
};

/* False: answered. */
static bool read_login(struct http_request *r, struct login *out)
{
        struct scan_fault fault = {0};
        struct json_reader reader = {.fault = &fault};
        struct json_place root;

        if (!http_body_is_json(r))
                return false;
        int refused = json_read_open(&reader, http_body(r), BODY_DEPTH, &root) != 0 ? 400 : 0;
        if (refused == 0 && json_read_members(&reader, &root, login_members, out) != 0)
                refused = 422;
        if (refused != 0)
                http_problem_at(r, refused, &fault);
        return refused == 0;
}

/* False: the address must wait, which was answered. */
static bool may_try(struct gateway *g, struct http_request *r, const char *network)
{
        msec wait = logins_try(g->logins, network, clock_mono());

        if (wait == 0)
                return true;
        http_add_header(r, "Retry-After", "%" PRId64, (wait + MSEC_SECOND - 1) / MSEC_SECOND);
        http_problem(r, 429, "too many failed logins from this address");
        return false;
}

static void answer_session(struct http_request *r, int status, const struct caller *c, msec ends)
{
        char text[TIME_TEXT_SIZE];
        json_t *scopes = json_array();

        for (unsigned s = SCOPE_SUBMIT; s <= SCOPE_ADMIN; s <<= 1) {
                if ((c->scopes & s) != 0)
                        json_array_append_new(scopes, json_string(scope_name((enum scope)s)));
        }
        http_answer_json(r, status,
                         json_pack("{s:o, s:o, s:s, s:o}", "tenant",
                                   c->tenant[0] != '\0' ? json_string(c->tenant) : json_null(),
                                   "scopes", scopes, "key", c->key, "expires",
                                   ends != 0 ? json_string(time_format(ends, text)) : json_null()));
}

/* Gives the client a session that begins now; returns when it ends. */
static msec give_session(struct gateway *g, struct http_request *r, const struct key_record *k)
{
        const msec now = clock_wall();
        struct session s;
        char text[SESSION_SIZE];

        session_init(&s, k, now);
        session_write(&s, k, &g->session_secret, text);
        session_cookie_set(g, r, text, s.ends - now);
        return s.ends;
}

void session_begin(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        struct login login = {0};
        struct caller caller = {0};
        struct key_record record;
        char address[ORIGIN_SIZE];
        char network[ORIGIN_SIZE];

        if (!http_query_only(r, no_parameters) || !access_is_ready(g, r) || !read_login(r, &login))
                return;
        (void)origin_address(g->settings->trusted_proxies, r, address);
        origin_network(address, network);
        if (may_try(g, r, network)) {
                enum access access = access_of_key(g, r, login.key, &record, &caller);
                if (access == ACCESS_GRANTED ||
                    access == ACCESS_UNCHECKED) /* it is the right key */
                        logins_succeeded(g->logins, network);
                if (access == ACCESS_GRANTED) {
                        answer_session(r, 201, &caller, give_session(g, r, &record));
                } else {
                        (void)access_answer(g, r, access);
                }
        }
        OPENSSL_cleanse(login.key, sizeof(login.key));
}

void session_get(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        struct caller caller = {0};
        struct key_record record;

        if (!http_query_only(r, no_parameters) || !access_is_ready(g, r) ||
            !access_answer(g, r, access_of(g, r, 0, &caller)))
                return;
        msec ends = caller.session_ends;
        bool is_known = control_key(g->control, caller.key, &record);
        if (ends == 0)
                ends = is_known ? record.expires : 0;
        else if (is_known && caller.session_begun < clock_wall() - RENEW_AFTER)
                ends = give_session(g, r, &record);
        answer_session(r, 200, &caller, ends);
}

/* Needs no session: one that has ended is ended. */
void session_end(void *owner, struct http_request *r)
{
        struct gateway *g = owner;

        if (!http_query_only(r, no_parameters))
                return;
        if (!access_is_own_page(r)) {
                (void)access_answer(g, r, ACCESS_CROSS_SITE);
                return;
        }
        session_cookie_clear(g, r);
        http_answer_empty(r, 204);
}
