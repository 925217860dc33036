/* SPDX-License-Identifier: Apache-2.0
 *
 * origin.c: reads the proxy's headers.
 */
#include "gateway/origin.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gateway/comma_list.h"

static bool is_proxied(const char *proxies, const struct http_request *r)
{
        return comma_list_has(proxies, bytes_of_text(http_peer(r)));
}

/* In its canonical form, so that one client has one address: ::ffff:10.0.0.7 is 10.0.0.7. */
static bool canonical(const char *text, char out[ORIGIN_SIZE])
{
        struct in6_addr address;
        int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

        if (inet_pton(family, text, &address) != 1)
                return false;
        if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address))
                return inet_ntop(AF_INET, address.s6_addr + 12, out, ORIGIN_SIZE) != NULL;
        return inet_ntop(family, &address, out, ORIGIN_SIZE) != NULL;
}

/* Some proxies add a port: 10.0.0.7:5000, [::1]:5000. */
static struct bytes without_port(struct bytes word)
{
        const char *end = word.data + word.length;

        if (word.data[0] == '[') {
                const char *bracket = memchr(word.data, ']', word.length);
                return bracket != NULL && (bracket + 1 == end || bracket[1] == ':')
                               ? bytes_of(word.data + 1, (size_t)(bracket - word.data) - 1)
                               : word;
        }
        const char *colon = memchr(word.data, ':', word.length);
        bool is_port = colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) == NULL;
        return is_port ? bytes_of(word.data, (size_t)(colon - word.data)) : word;
}

int origin_check(const char *proxies, struct err *e)
{
        char text[ORIGIN_SIZE], address[ORIGIN_SIZE];
        struct bytes word;

        while (comma_list_next(&proxies, &word)) {
                if (bytes_to_text(word, text, sizeof(text)) != 0 || !canonical(text, address))
                        return err_set(e, ERR_INVALID,
                                       "trusted_proxies: %.*s is no IP address (networks and names "
                                       "are not known)",
                                       (int)(word.length < 80 ? word.length : 80), word.data);
                if (strcmp(text, address) != 0)
                        return err_set(e, ERR_INVALID, "trusted_proxies: %s must be written %s",
                                       text, address);
        }
        return 0;
}

bool origin_forwarded(const char *header, char out[ORIGIN_SIZE])
{
        char text[ORIGIN_SIZE];
        struct bytes word, last = {0};

        while (comma_list_next(&header, &word))
                last = word;
        return last.length > 0 && bytes_to_text(without_port(last), text, sizeof(text)) == 0 &&
               canonical(text, out);
}

bool origin_address(const char *proxies, const struct http_request *r, char out[ORIGIN_SIZE])
{
        const char *header = http_header_last(r, "X-Forwarded-For");
        bool counts = header != NULL && is_proxied(proxies, r);

        if (counts && origin_forwarded(header, out))
                return true;
        snprintf(out, ORIGIN_SIZE, "%s", http_peer(r));
        return !counts;
}

bool origin_is_tls(const char *proxies, const struct http_request *r)
{
        const char *protocol = http_header_last(r, "X-Forwarded-Proto");

        return protocol != NULL && strcasecmp(protocol, "https") == 0 && is_proxied(proxies, r);
}

void origin_network(const char *address, char out[ORIGIN_SIZE])
{
        char text[ORIGIN_SIZE];
        struct in6_addr a;

        if (!canonical(address, text))
                snprintf(text, sizeof(text), "%s", address);
        if (inet_pton(AF_INET6, text, &a) != 1) {
                memcpy(out, text, sizeof(text));
                return;
        }
        memset(a.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &a, out, ORIGIN_SIZE);
}
