/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: the broker settings that every program's configuration table shares.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/base/config.h"

struct amqp_settings {
        char *urls, *login, *password, *ca_file;
};

static inline struct link_config amqp_link_config(const struct amqp_settings *s, const char *name)
{
        return (struct link_config){.urls = s->urls,
                                    .login = s->login,
                                    .password = s->password,
                                    .ca_file = s->ca_file,
                                    .name = name};
}

/* clang-format off */
#define AMQP_SETTINGS_KEYS(type, field, login_default) \
        {.name = "amqp_urls", .kind = CONFIG_TEXT, .fallback = "amqp://127.0.0.1:5672/warren", \
         .help = "brokers, tried in turn: amqp://host:port/vhost or amqps://…, with commas", \
         .offset = offsetof(type, field.urls)}, \
        {.name = "amqp_login", .kind = CONFIG_TEXT, .fallback = login_default, \
         .help = "broker login", .offset = offsetof(type, field.login)}, \
        {.name = "amqp_password_file", .kind = CONFIG_SECRET, .fallback = NULL, \
         .help = "file with the broker password", .offset = offsetof(type, field.password)}, \
        {.name = "amqp_ca_file", .kind = CONFIG_TEXT, .fallback = "", \
         .help = "amqps: PEM file of trusted authorities; empty: the system's", \
         .offset = offsetof(type, field.ca_file)}
/* clang-format on */
