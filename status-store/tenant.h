/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant.h: a tenant and a key, as the registry stores them.
 */
#ifndef WARREN_STATUS_STORE_TENANT_H
#define WARREN_STATUS_STORE_TENANT_H

#include <stdbool.h>

#include "common/model/record.h"

/* Whether the broker has the tenant's login; UNSURE: a change of it may be unfinished. */
enum tenant_login { LOGIN_NONE, LOGIN_THERE, LOGIN_UNSURE };

struct tenant {
        struct tenant_record record;
        bool amqp_login;
        bool login_unsure; /* LOGIN_UNSURE */
        msec created_at;
        msec deleted_at; /* 0: not deleted */
};

struct key {
        struct key_record record;
        msec created_at;
};

/* Which rows: all, or those whose last change has not been published to `control`. */
enum which { WHICH_ALL, WHICH_UNPUBLISHED };

#endif
