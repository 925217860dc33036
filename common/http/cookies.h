/* SPDX-License-Identifier: Apache-2.0
 *
 * cookies.h: the cookies of a request. Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"

/* Starts as {0}, ends with cookies_fini. */
struct cookies {
        bool read;          /* cookies_read was called */
        struct buffer text; /* "name=value", each ended by a NUL */
};

/* Adds a header `Cookie`. A browser sends one, a client may send several. */
void cookies_add(struct cookies *c, const char *header);
/* Call once, after all headers. */
void cookies_read(struct cookies *c);
/* The value as it was sent, valid until cookies_fini. NULL: there is none of that name, or several,
 * as *several says: who can set a cookie of the same name for a wider domain must not choose which
 * one counts. */
const char *cookies_find(const struct cookies *c, const char *name, bool *several);
void cookies_fini(struct cookies *c);
