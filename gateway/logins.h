/* SPDX-License-Identifier: Apache-2.0
 *
 * logins.h: slows failed logins down, by the client's address. The first three failures are free;
 * from then on each doubles the time, 1 s to 60 s, in which that address may not try. A success, or
 * 15 minutes without a failure, ends it. Any thread.
 */
#pragma once

#include "common/base/clock.h"

enum { LOGINS_FREE = 3, LOGINS_ADDRESSES = 4096 };

struct logins;

struct logins *logins_create(void);
void logins_destroy(struct logins **l);
/* 0: the address may try. It counts as a failure until logins_succeeded, so that many tries at once
 * are no way around. Else the time until it may. When LOGINS_ADDRESSES are known, the one that
 * failed longest ago is forgotten. */
msec logins_try(struct logins *l, const char *address, msec now);
void logins_succeeded(struct logins *l, const char *address);
