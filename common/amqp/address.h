/* SPDX-License-Identifier: Apache-2.0
 *
 * address.h: the brokers of a list of AMQP URLs.
 */
#ifndef WARREN_AMQP_ADDRESS_H
#define WARREN_AMQP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { ADDRESSES_MAX = 8 };

struct address {
        char *host, *vhost;
        int port;
        bool tls;
};

struct address_list {
        struct address *addresses;
        size_t count;
};

/* 1 to ADDRESSES_MAX of them, with commas. On failure too: address_list_fini. */
int address_list_init(struct address_list *l, const char *urls, struct err *e) MUST_CHECK;
void address_list_fini(struct address_list *l);

#endif
