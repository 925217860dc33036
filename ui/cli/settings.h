/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: the gateway's URL and the keys, from the environment, else from the user's file.
 */
#pragma once

#include "common/base/err.h"

/* Owned; NULL when not given. */
struct settings {
        char *url;            /* WARREN_URL, url, without /api/v1; never NULL */
        char *api_key;        /* WARREN_API_KEY, api_key */
        char *admin_key;      /* WARREN_ADMIN_KEY, admin_key */
        char *admin_amqp_url; /* WARREN_ADMIN_AMQP_URL: amqp://login:password@host:port/vhost */
        char *management_url; /* WARREN_MANAGEMENT_URL: http://login:password@host:port */
};

/* file: NULL for ~/.config/warren/config, which may be missing. url overrides it when not NULL. */
int settings_load(struct settings *s, const char *file, const char *url, struct err *e) MUST_CHECK;
void settings_fini(struct settings *s);

/* Splits a URL into its login, decoded, and the URL without it. All owned; login and password are
 * NULL when the URL has none. ERR_INVALID: not a URL. */
struct url_login {
        char *url, *login, *password;
};
int url_login_split(const char *text, struct url_login *out, struct err *e) MUST_CHECK;
void url_login_fini(struct url_login *u);
/* The vhost of an AMQP URL, decoded and owned: "/" when it names none. */
char *url_vhost(const char *url);
