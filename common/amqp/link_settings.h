/* SPDX-License-Identifier: Apache-2.0
 *
 * link_settings.h: a link's copy of its link_config. Constant, so any thread may read it.
 */
#pragma once

#include "common/amqp/address.h"
#include "common/base/clock.h"

struct link_settings {
        struct address_list addresses;
        char *login, *password, *name, *ca_file;
        char *stream; /* or NULL */
        msec heartbeat, confirm_timeout;
        uint32_t window_messages;
        size_t window_bytes, read_bytes;
        bool resend, unprobed, renew_when_told;
};
