/* SPDX-License-Identifier: Apache-2.0
 *
 * address.c: parses AMQP URLs.
 */
#include "common/amqp/address.h"

#include <stdlib.h>
#include <string.h>

#include "common/amqp/rabbitmq.h"
#include "common/base/memory.h"
#include "common/base/own.h"

static bool has_userinfo(const char *url)
{
        const char *host = strstr(url, "://");
        const char *at = strchr(url, '@');
        const char *path = host == NULL ? NULL : strchr(host + 3, '/');

        return at != NULL && (path == NULL || at < path);
}

static int parse(struct address *a, char *url, struct err *e)
{
        struct amqp_connection_info info;
        AUTO_FREE char *text = xstrdup(url);

        if (has_userinfo(url))
                return err_set(e, ERR_INVALID,
                               "amqp URL: login and password belong in amqp_login and "
                               "amqp_password_file");
        if (amqp_parse_url(text, &info) != AMQP_STATUS_OK || info.host[0] == '\0')
                return err_set(e, ERR_INVALID, "amqp URL '%s': want amqp://host:port/vhost", url);
        *a = (struct address){.host = xstrdup(info.host),
                              .vhost = xstrdup(info.vhost),
                              .port = info.port,
                              .tls = info.ssl != 0};
        return 0;
}

int address_list_init(struct address_list *l, const char *urls, struct err *e)
{
        AUTO_FREE char *text = xstrdup(urls);
        char *rest = NULL;

        *l = (struct address_list){.addresses = xcalloc(ADDRESSES_MAX, sizeof(struct address))};
        for (char *url = strtok_r(text, ", ", &rest); url != NULL;
             url = strtok_r(NULL, ", ", &rest)) {
                if (l->count == ADDRESSES_MAX)
                        return err_set(e, ERR_INVALID, "more than %d amqp URLs", ADDRESSES_MAX);
                if (parse(&l->addresses[l->count], url, e) < 0)
                        return -1;
                l->count++;
        }
        if (l->count == 0)
                return err_set(e, ERR_INVALID, "no amqp URL");
        return 0;
}

void address_list_fini(struct address_list *l)
{
        for (size_t i = 0; i < l->count; i++) {
                free(l->addresses[i].host);
                free(l->addresses[i].vhost);
        }
        free(TAKE(l->addresses));
        l->count = 0;
}
