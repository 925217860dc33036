/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant.h: a tenant and a key, as the registry keeps them.
 */
#ifndef WARREN_STATUS_STORE_TENANT_H
#define WARREN_STATUS_STORE_TENANT_H

#include <stdbool.h>

#include "common/model/record.h"

/* What the broker has of a tenant's login. */
enum tenant_login { LOGIN_NONE, LOGIN_THERE, LOGIN_UNSURE };

struct tenant {
        struct tenant_record record;
        bool amqp_login;
        bool login_unsure; /* a change of its login was begun and not seen to end */
        msec created_at;
        msec deleted_at; /* 0: not */
};

struct key {
        struct key_record record;
        msec created_at;
};

/* Which of them: all, or those whose last change has not been published. */
enum which { WHICH_ALL, WHICH_UNTOLD };

#endif
