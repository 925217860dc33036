/* SPDX-License-Identifier: Apache-2.0
 *
 * live_api.c: GET /live: who may listen, to what.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "common/base/log.h"
#include "gateway/access.h"
#include "gateway/comma_list.h"
#include "gateway/core.h"
#include "gateway/forward.h"
#include "gateway/handlers.h"
#include "gateway/origin.h"

static enum live_stay stays(void *owner, const struct live_viewer *v)
{
        if (v->session_ends != 0 && v->session_ends <= clock_wall())
                return LIVE_ENDS;
        enum access access = access_again(owner, v->key, v->from);
        if (access == ACCESS_UNCHECKED)
                return LIVE_UNCHECKED;
        return access == ACCESS_GRANTED ? LIVE_STAYS : LIVE_ENDS;
}

/* Without open files the gateway accepts nobody, and cannot connect to the broker again. */
static void check_open_files(const struct gateway_settings *s)
{
        enum { OWN = 64, OF_A_THREAD = 2 }; /* the client's connection, one to a service */
        struct rlimit limit = {0};
        int64_t needed = OWN + OF_A_THREAD * s->threads + s->live_max;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)needed > limit.rlim_cur)
                LOG_WARN("live_max and threads need more open files than this process may have",
                         log_int("live_max", s->live_max), log_int("threads", s->threads),
                         log_int("needed", needed), log_int("limit", (int64_t)limit.rlim_cur),
                         log_text("next", "raise the hard limit (LimitNOFILE in the unit, ulimit "
                                          "-Hn in a shell) or lower live_max"));
}

int live_begin(struct gateway *g, struct err *e)
{
        const struct gateway_settings *s = g->settings;

        if (s->live_max == 0)
                return 0;
        check_open_files(s);
        snprintf(g->live_name, sizeof(g->live_name), "%s live", g->name);
        struct live_config c = {.max = (unsigned)s->live_max,
                                .link = amqp_link_config(&s->amqp, g->live_name),
                                .counts = g->status_store,
                                .meters = &g->meters.live,
                                .stays = stays,
                                .owner = g};
        g->live = live_create(&c, e);
        return g->live != NULL ? 0 : -1;
}

/* The gateway's own pages: the scheme and the host that the client has used. */
static bool is_own(const struct gateway *g, const struct http_request *r, const char *origin)
{
        const char *host = http_header(r, "Host");
        const char *scheme =
                origin_is_tls(g->settings->trusted_proxies, r) ? "https://" : "http://";
        size_t length = strlen(scheme);

        return host != NULL && strncmp(origin, scheme, length) == 0 &&
               strcasecmp(origin + length, host) == 0;
}

/* A browser sends the cookie of a session with the handshake of any site's page, and asks nobody
 * before it. False: refused, and answered. */
static bool allow_origin(const struct gateway *g, struct http_request *r)
{
        const char *origin = http_header(r, "Origin");
        bool by_session = access_caller(r)->session_ends != 0;

        if (origin == NULL || is_own(g, r, origin))
                return true;
        if (!by_session && comma_list_has(g->settings->cors_origins, bytes_of_text(origin)))
                return true;
        http_problem(r, 403, "pages of this origin may not listen%s",
                     by_session ? " with the cookie of a session" : "");
        return false;
}

/* Adds the values of a query parameter to the filter. False: answered with 400. */
static bool read_list(struct http_request *r, const char *name, enum live_list list,
                      struct live_filter *f)
{
        const char *at = http_query(r, name);
        struct bytes word;
        struct err why = {0};

        while (comma_list_next(&at, &word)) {
                if (live_filter_add(f, list, word, &why) == 0)
                        continue;
                http_problem(r, 400, "the query parameter \"%s\" %s", name, why.text);
                return false;
        }
        return true;
}

static bool read_mode(struct http_request *r, struct live_filter *f)
{
        const char *mode = http_query(r, "mode");
        struct err why = {0};

        if (mode == NULL || live_filter_set_mode(f, bytes_of_text(mode), &why) == 0)
                return true;
        http_problem(r, 400, "the query parameter \"mode\" %s", why.text);
        return false;
}

/* Up to 2^53. *out: unchanged when it is not there. False: answered with 400. */
static bool read_number(struct http_request *r, const char *name, int64_t *out)
{
        enum { DIGITS_MAX = 16 };
        const char *text = http_query(r, name);
        int64_t number = -1;

        if (text == NULL)
                return true;
        size_t length = strspn(text, "0123456789");
        if (length > 0 && length <= DIGITS_MAX && text[length] == '\0')
                number = strtoll(text, NULL, 10);
        if (number < 0 || number > (int64_t)1 << 53) {
                http_problem(r, 400, "the query parameter \"%s\" must be a number", name);
                return false;
        }
        *out = number;
        return true;
}

static bool read_place(struct http_request *r, struct live_asked *asked)
{
        asked->offset = -1;
        if (!read_number(r, "offset", &asked->offset) || !read_number(r, "mark", &asked->mark))
                return false;
        asked->resumes = asked->offset >= 0;
        return true;
}

/* False: refused, and answered. */
static bool read_query(struct http_request *r, struct live_asked *asked)
{
        static const char *const allowed[] = {"kinds", "types",  "status", "job", "tenant",
                                              "mode",  "offset", "mark",   NULL};
        struct live_filter *f = &asked->filter;

        if (!http_query_only(r, allowed))
                return false;
        const char *tenant = forward_tenant(r);
        if (tenant == NULL)
                return false;
        snprintf(f->tenant, sizeof(f->tenant), "%s", tenant);
        return read_list(r, "kinds", LIVE_KINDS, f) && read_list(r, "types", LIVE_TYPES, f) &&
               read_list(r, "status", LIVE_STATUSES, f) && read_list(r, "job", LIVE_JOBS, f) &&
               read_mode(r, f) && read_place(r, asked);
}

static void note_viewer(struct gateway *g, const struct http_request *r, struct live_viewer *v)
{
        const struct caller *c = access_caller(r);

        memcpy(v->key, c->key, sizeof(v->key));
        memcpy(v->tenant, c->tenant, sizeof(v->tenant));
        v->masked = !access_may_operate(c) && g->mask.count > 0;
        v->session_ends = c->session_ends;
        access_address(g, r, v->from);
}

void live_get(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        struct live_asked asked = {.filter.tenant = "*"};

        if (g->live == NULL) {
                http_add_header(r, "Retry-After", "60");
                http_problem(r, 503, "this gateway has no live feed: its setting live_max is 0");
        } else if (read_query(r, &asked) && allow_origin(g, r)) {
                note_viewer(g, r, &asked.viewer);
                live_upgrade(g->live, r, &asked, http_header(r, "Origin"));
        }
        live_filter_fini(&asked.filter);
}
