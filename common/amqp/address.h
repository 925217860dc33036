/* SPDX-License-Identifier: Apache-2.0
 *
 * address.h: parses a list of AMQP URLs into broker addresses.
 */
#pragma once

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

/* urls: 1 to ADDRESSES_MAX, separated by commas. After a failure too, call address_list_fini. */
int address_list_init(struct address_list *l, const char *urls, struct err *e) MUST_CHECK;
void address_list_fini(struct address_list *l);
