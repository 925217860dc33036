/* SPDX-License-Identifier: Apache-2.0
 *
 * uuid.h: UUIDs in canonical text form (RFC 9562). Version 7 sorts by time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"

enum {
        UUID_SIZE = 37, /* 36 characters and a NUL */
        UUID_BYTES = 16,
};

/* A new version 7 UUID, monotonic within a process. Any thread. Aborts as random_fill. */
void uuid7(char out[UUID_SIZE]);
/* A version 8 UUID from the SHA-256 of the parts: the same parts give the same id. Any thread. */
void uuid8_of(const struct bytes *parts, size_t count, char out[UUID_SIZE]);
/* 8-4-4-4-12 hexadecimal digits, lower or upper case, any version. Copies in lower case. */
bool uuid_parse(struct bytes text, char out[UUID_SIZE]);
/* The same between the text and its bytes. */
bool uuid_pack(struct bytes text, unsigned char raw[UUID_BYTES]);
void uuid_unpack(const unsigned char raw[UUID_BYTES], char out[UUID_SIZE]);
/* The time in a version 7 UUID; -1 for any other version. */
msec uuid7_time(const char *uuid);
/* Fills out with random bytes of the kernel. Any thread. Aborts when getrandom fails. */
void random_fill(void *out, size_t length);
/* In [0,1). Likewise. */
double random_fraction(void);
